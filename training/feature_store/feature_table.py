"""All rows of features that one training needs, side by side in a file that is mapped into memory.

So a training runs over them as often as it likes, in pieces, and the memory that it takes does not grow with the
number of photographs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.storage.atomic_dir import draft, tidy
from uncia.training import TrainingError
from uncia.training.feature_store.cache import FeatureCache, Rows

Indices = NDArray[np.int64]

CHUNK_ROWS = 4096
"""Rows that are worked on at once."""
_DRAFT = ".rows-"


@dataclass(frozen=True)
class FeatureTable:
    """`rows` float32 (T, D); item `i` owns `rows[first[i]:first[i + 1]]`: the whole frame, then its windows."""

    rows: NDArray[np.float32]
    first: Indices

    def __len__(self) -> int:
        return len(self.first) - 1

    def of(self, item: int) -> Rows:
        found: Rows = self.rows[self.first[item] : self.first[item + 1]]
        return found

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Stretches of items, begin and end, of at most about `CHUNK_ROWS` rows each."""
        begin = 0
        while begin < len(self):
            end = int(np.searchsorted(self.first, self.first[begin] + CHUNK_ROWS, side="right")) - 1
            end = min(max(end, begin + 1), len(self))
            yield begin, end
            begin = end


@contextmanager
def scratch_directory(folder: Path) -> Iterator[Path]:
    """A place for tables, gone afterwards; what killed processes left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder, _DRAFT)
    with draft(folder, _DRAFT) as place:
        yield place


def gather_rows(items: Sequence[tuple[Path, str]], file: Path, *, whole: bool = False) -> FeatureTable:
    """Bring the rows of `(cache file, key)` together in `file`; `whole`: only the first of each.

    Raises `TrainingError` when the disk is full.
    """
    caches = {path: FeatureCache(path) for path in dict.fromkeys(path for path, _ in items)}
    first = np.zeros(len(items) + 1, np.int64)
    width = 0
    try:
        with file.open("wb") as out:
            for place, (path, key) in enumerate(items):
                rows = caches[path].get(key)[: 1 if whole else None]
                width = rows.shape[1]
                first[place + 1] = first[place] + len(rows)
                out.write(rows.tobytes())
    except OSError as error:
        raise TrainingError(f"no room for the features in {file.parent}: {error.strerror}") from error
    finally:
        for cache in caches.values():
            cache.close()
    if not items:
        return FeatureTable(np.zeros((0, max(width, 1)), np.float32), first)
    return FeatureTable(np.memmap(file, np.float32, "r", shape=(int(first[-1]), width)), first)
