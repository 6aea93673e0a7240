"""All rows of features that one training run needs, in one file that is mapped into memory.

Training reads them in chunks as often as it needs, and its memory does not grow with the number of photographs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.storage.atomic_dir import remove_stale_staging, staging_directory
from uncia.training import TrainingError
from uncia.training.feature_store.cache import FeatureCache, Rows

Indices = NDArray[np.int64]

CHUNK_ROWS = 4096
"""Rows that are processed at once."""
_PREFIX = ".rows-"


@dataclass(frozen=True)
class FeatureTable:
    """`rows` float32 (T, D); item `i` has `rows[first[i]:first[i + 1]]`: the whole frame, then its windows."""

    rows: NDArray[np.float32]
    first: Indices

    def __len__(self) -> int:
        return len(self.first) - 1

    def rows_of(self, item: int) -> Rows:
        """The rows of one item, (R, D)."""
        rows: Rows = self.rows[self.first[item] : self.first[item + 1]]
        return rows

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Ranges of items, begin and end, of at most about `CHUNK_ROWS` rows each."""
        begin = 0
        while begin < len(self):
            end = int(np.searchsorted(self.first, self.first[begin] + CHUNK_ROWS, side="right")) - 1
            end = min(max(end, begin + 1), len(self))
            yield begin, end
            begin = end


@contextmanager
def scratch_directory(folder: Path) -> Iterator[Path]:
    """A temporary directory for tables in `folder`; also removes what killed processes left there."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale_staging(folder, _PREFIX)
    with staging_directory(folder, _PREFIX) as directory:
        yield directory


def gather_rows(items: Sequence[tuple[Path, str]], file: Path, *, frame_only: bool = False) -> FeatureTable:
    """Copy the rows of all `(cache file, key)` into `file`; `frame_only`: only the first row of each item.

    Raises `TrainingError` when the disk is full.
    """
    caches = {path: FeatureCache(path) for path in dict.fromkeys(path for path, _ in items)}
    first = np.zeros(len(items) + 1, np.int64)
    width = 0
    try:
        with file.open("wb") as out:
            for number, (path, key) in enumerate(items):
                rows = caches[path].get(key)[: 1 if frame_only else None]
                width = rows.shape[1]
                first[number + 1] = first[number] + len(rows)
                out.write(rows.tobytes())
    except OSError as error:
        raise TrainingError(f"the features cannot be written to {file.parent}: {error.strerror}") from error
    finally:
        for cache in caches.values():
            cache.close()
    if not items:
        return FeatureTable(np.zeros((0, max(width, 1)), np.float32), first)
    return FeatureTable(np.memmap(file, np.float32, "r", shape=(int(first[-1]), width)), first)
