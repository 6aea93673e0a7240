"""Which files of a folder are ready to be taken.

A simple poll, no kernel notifications: it works the same on a card reader, a network share and a disk, and it sees
what was there before the gateway started.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PHOTOGRAPHS = frozenset({"jpg", "jpeg"})

_EMPTY_WAITS = 5
"""An empty file is most often one that is about to be written: it must rest this many times longer."""


@dataclass(frozen=True)
class Seen:
    """One file as a look found it."""

    path: Path
    size: int
    mtime_ns: int


def photographs(folder: Path, extensions: frozenset[str] = PHOTOGRAPHS) -> Iterator[Seen]:
    """Every photograph below the folder, in the order of names; hidden files and folders, macOS's `._` twins and
    links are passed over. Raises `OSError` when the folder itself cannot be read.
    """
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from photographs(Path(entry.path), extensions)
            elif Path(entry.name).suffix[1:].lower() in extensions:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield Seen(Path(entry.path), found.st_size, found.st_mtime_ns)
        except OSError:
            continue  # gone or unreadable between the two calls: the next look tells


class Watcher:
    """Takes a file only when it is stable: the same size and time in two looks at least `settle_s` apart.

    With `settle_s` = 0 one look is enough (a card whose camera is not writing).
    """

    def __init__(self, folder: Path, *, settle_s: float = 2, extensions: frozenset[str] = PHOTOGRAPHS) -> None:
        self.folder = folder
        self._settle_s = settle_s
        self._extensions = extensions
        self._restless: dict[Path, tuple[Seen, float]] = {}
        self._taken: dict[Path, tuple[int, int]] = {}

    @property
    def unsettled(self) -> int:
        """Files that were seen and are not stable yet."""
        return len(self._restless)

    def look(self, now: float) -> list[Seen]:
        """Files that became ready since the last look. `now`: seconds of a clock that never goes back."""
        ready = []
        restless: dict[Path, tuple[Seen, float]] = {}
        for seen in photographs(self.folder, self._extensions):
            if self._taken.get(seen.path) == (seen.size, seen.mtime_ns):
                continue
            before, since = self._restless.get(seen.path, (None, now))
            if before != seen:
                since = now
            needed = self._settle_s * (1 if seen.size else _EMPTY_WAITS)
            if now - since >= needed and (before == seen or not needed):
                ready.append(seen)
                self._taken[seen.path] = (seen.size, seen.mtime_ns)
            else:
                restless[seen.path] = (seen, since)
        self._restless = restless
        return ready

    def forget(self, path: Path) -> None:
        """Look at this file anew: it was taken, and then it changed or could not be taken after all."""
        self._taken.pop(path, None)
