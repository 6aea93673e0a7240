"""Finds the files of a folder that are ready to be read.

Polls instead of using kernel notifications: polling works the same on a card reader, a network share and a disk, and
finds what was there before the gateway started.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from uncia.producers.gateway.file_kinds import (
    PHOTOGRAPHS,
    SYSTEM_FOLDERS,
    is_photograph,
    is_system_file,
    is_temporary_name,
    kind_of,
)

_EMPTY_FACTOR = 5
"""An empty file is usually about to be written: it must be unchanged this many times longer."""

MAX_NAMED = 100
"""So many skipped files of a kind are named; the others are only counted."""


@dataclass(frozen=True)
class FoundFile:
    """One file as a scan found it."""

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    """Changes with every write and rename, and no program can set it back. 0: unknown."""


@dataclass
class SkippedFiles:
    """What a scan skipped."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Files with other extensions, by `file_kinds.kind_of`; without files of operating systems."""
    paths: dict[str, list[Path]] = field(default_factory=dict)
    """The first `MAX_NAMED` of each kind."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Folders and photographs that could not be read, and why."""

    def add(self, kind: str, path: Path) -> None:
        """Count a skipped file, and remember its path."""
        self.kinds[kind] += 1
        paths = self.paths.setdefault(kind, [])
        if len(paths) < MAX_NAMED:
            paths.append(path)


def find_photographs(
    folder: Path, skipped: SkippedFiles, extensions: frozenset[str] = PHOTOGRAPHS
) -> Iterator[FoundFile]:
    """Yield every photograph below the folder, in the order of names.

    Hidden folders and those of operating systems are skipped; other files and links are added to `skipped`. Raises
    `OSError` when the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        try:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FOLDERS:
                    yield from find_photographs(Path(entry.path), skipped, extensions)
            elif is_system_file(entry.name):
                continue
            elif not is_photograph(entry.name, extensions):
                skipped.add(kind_of(entry.name), Path(entry.path))
            else:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield FoundFile(Path(entry.path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                else:
                    skipped.add("link or device", Path(entry.path))
        except FileNotFoundError:
            continue  # removed between the two calls
        except OSError as error:
            skipped.unreadable[Path(entry.path)] = error.strerror or str(error)


class Watcher:
    """Polls one folder and returns each file once it has been unchanged for some time, and again after it changed.

    Not safe for use by several threads.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settle_s: float,
        temporary_s: float = 0,
        extensions: frozenset[str] = PHOTOGRAPHS,
    ) -> None:
        """`settle_s`: seconds that a file must be unchanged; `temporary_s`: the same for temporary names, if longer."""
        self.folder = folder
        self.skipped = SkippedFiles()
        """What the last scan skipped."""
        self.trusts_change_times = True
        """False on file systems that return another change time at every scan."""
        self._settle_s = settle_s
        self._temporary_s = temporary_s
        self._extensions = extensions
        self._unsettled: dict[Path, tuple[FoundFile, float]] = {}
        self._returned: dict[Path, FoundFile] = {}

    @property
    def unsettled(self) -> int:
        """The number of files that were found and still change, or changed too recently."""
        return len(self._unsettled)

    def scan(self, now: float) -> list[FoundFile]:
        """The files that became ready since the last scan. `now`: seconds of a monotonic clock."""
        ready = []
        unsettled: dict[Path, tuple[FoundFile, float]] = {}
        skipped = SkippedFiles()
        for file in find_photographs(self.folder, skipped, self._extensions):
            if not self.trusts_change_times:
                file = replace(file, ctime_ns=0)
            if self._was_returned(file):
                continue
            before, since = self._unsettled.get(file.path, (None, now))
            if before != file:
                since = now
            needed = self._settle_time(file)
            if now - since >= needed and (before == file or not needed):
                ready.append(file)
                self._returned[file.path] = file
            else:
                unsettled[file.path] = (file, since)
        self._unsettled = unsettled
        self.skipped = skipped
        return ready

    def return_again(self, path: Path) -> None:
        """Return this file again as soon as it is ready: it changed, or could not be added to the spool."""
        self._returned.pop(path, None)

    def _was_returned(self, file: FoundFile) -> bool:
        returned = self._returned.get(file.path)
        if returned is None or (returned.size, returned.mtime_ns) != (file.size, file.mtime_ns):
            return False
        return not self.trusts_change_times or returned.ctime_ns == file.ctime_ns

    def _settle_time(self, file: FoundFile) -> float:
        needed = self._settle_s * (1 if file.size else _EMPTY_FACTOR)
        return max(needed, self._temporary_s) if is_temporary_name(file.path.name) else needed
