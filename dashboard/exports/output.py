"""Where exports go: a file or folder that appears when it is complete, and not at all when something fails."""

import errno
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from uncia.errors import UnciaError
from uncia.storage.atomic_dir import STAGING_PREFIX, atomic_directory, remove_stale_staging, staging_directory
from uncia.storage.durable import replace_durably

__all__ = [
    "ExportFailed",
    "ExportSummary",
    "JsonList",
    "Progress",
    "compact_json",
    "no_progress",
    "output_directory",
    "output_file",
]

Progress = Callable[[int], None]
"""Called with the number of bursts that were written."""


def no_progress(written: int) -> None:
    """A `Progress` that reports nothing."""


class ExportFailed(UnciaError):
    """The export could not be written; what was there before is unchanged."""


@dataclass
class ExportSummary:
    """What was written, and what was not."""

    bursts: int = 0
    photographs: int = 0
    boxes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """How many things were left out, by reason."""


@contextmanager
def output_directory(place: Path, marker: str, *, overwrite: bool = False) -> Iterator[Path]:
    """A new directory that becomes `place` when the block ends. Raises `ExportFailed`.

    Only an empty folder, or one with a file called `marker`, which an export has, is ever replaced.
    """
    place = _checked(place, overwrite)
    if place.exists() and not place.is_dir():
        raise ExportFailed(f"{place} is a file, and the export is a folder")
    if place.exists() and not (place / marker).is_file() and any(place.iterdir()):
        raise ExportFailed(f"{place} was not replaced: it has no {marker}, so that it may hold something else")
    with _explained(place), atomic_directory(place) as folder:
        yield folder


@contextmanager
def output_file(place: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """The path of a new file that becomes `place` when the block ends. Raises `ExportFailed`."""
    place = _checked(place, overwrite)
    if place.is_dir():
        raise ExportFailed(f"{place} is a folder, and the export is a file")
    prefix = f"{STAGING_PREFIX}{place.name}-"
    with _explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_staging(place.parent, prefix)
        with staging_directory(place.parent, prefix) as folder:
            made = folder / "made"
            yield made
            replace_durably(made, place)


class JsonList:
    """Writes the items of a list in a JSON file, one a line, as they come."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._any = file, False

    def add(self, value: Any) -> None:
        """Write one item."""
        self._file.write((",\n" if self._any else "") + compact_json(value))
        self._any = True


def compact_json(value: Any) -> str:
    """JSON without blanks; raises `ValueError` for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _checked(place: Path, overwrite: bool) -> Path:
    place = place.absolute()
    if place.exists() and not overwrite:
        raise ExportFailed(f"{place} exists: choose another name, or replace it with --overwrite")
    return place


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportFailed(
                f"the disk is full: {place} was not written, and nothing is left of it; free some space, or write to "
                "another disk"
            ) from error
        raise ExportFailed(f"{place} could not be written: {error.strerror or error}") from error
