"""Which files of a folder are ready to be read.

A simple poll, no kernel notifications: it works the same on a card reader, a network share and a disk, and it sees
what was there before the gateway started.
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
    kind_of,
    looks_temporary,
)

_EMPTY_WAITS = 5
"""An empty file is most often one that is about to be written: it must rest this many times longer."""


@dataclass(frozen=True)
class Seen:
    """One file as a look found it."""

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    """Changes with every write and rename, and no program can set it back. 0: not known."""


@dataclass
class Left:
    """What a look passed over."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Files that are no JPEG by their name, by `kinds.kind_of`; files of the operating system are not among them."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Folders and photographs that could not be looked at, and why."""


def photographs(folder: Path, left: Left, extensions: frozenset[str] = PHOTOGRAPHS) -> Iterator[Seen]:
    """Every photograph below the folder, in the order of names. Hidden folders and those of operating systems are
    passed over; files that are none, and links, go into `left`. Raises `OSError` when the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        try:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FOLDERS:
                    yield from photographs(Path(entry.path), left, extensions)
            elif is_system_file(entry.name):
                continue
            elif not is_photograph(entry.name, extensions):
                left.kinds[kind_of(entry.name)] += 1
            else:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield Seen(Path(entry.path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                else:
                    left.kinds["link or device"] += 1
        except FileNotFoundError:
            continue  # gone between the two calls
        except OSError as error:
            left.unreadable[Path(entry.path)] = error.strerror or str(error)


class Watcher:
    """Takes a file only when it is stable: the same size and times in two looks at least `settle_s` apart.

    With `settle_s` = 0 one look is enough (a card whose camera is not writing). A name that programs give to files
    which they are still writing must rest for `temporary_s`. A file that changes after it was taken, be it by its
    change time alone, is taken again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settle_s: float = 2,
        temporary_s: float = 0,
        extensions: frozenset[str] = PHOTOGRAPHS,
    ) -> None:
        self.folder = folder
        self.left = Left()
        """What the last look passed over."""
        self.trusts_change_times = True
        """False where every look finds another change time."""
        self._settle_s = settle_s
        self._temporary_s = temporary_s
        self._extensions = extensions
        self._restless: dict[Path, tuple[Seen, float]] = {}
        self._taken: dict[Path, tuple[int, int, int]] = {}

    @property
    def unsettled(self) -> int:
        """Files that were seen and are not stable yet."""
        return len(self._restless)

    def look(self, now: float) -> list[Seen]:
        """Files that became ready since the last look. `now`: seconds of a clock that never goes back."""
        ready = []
        restless: dict[Path, tuple[Seen, float]] = {}
        left = Left()
        for seen in photographs(self.folder, left, self._extensions):
            if not self.trusts_change_times:
                seen = replace(seen, ctime_ns=0)
            taken = self._taken.get(seen.path)
            if taken == (seen.size, seen.mtime_ns, seen.ctime_ns):
                continue
            if taken is not None and not self.trusts_change_times and taken[:2] == (seen.size, seen.mtime_ns):
                continue
            before, since = self._restless.get(seen.path, (None, now))
            if before != seen:
                since = now
            needed = self._needed(seen)
            if now - since >= needed and (before == seen or not needed):
                ready.append(seen)
                self._taken[seen.path] = (seen.size, seen.mtime_ns, seen.ctime_ns)
            else:
                restless[seen.path] = (seen, since)
        self._restless = restless
        self.left = left
        return ready

    def forget(self, path: Path) -> None:
        """Look at this file anew: it was taken, and then it changed or could not be taken after all."""
        self._taken.pop(path, None)

    def _needed(self, seen: Seen) -> float:
        needed = self._settle_s * (1 if seen.size else _EMPTY_WAITS)
        return max(needed, self._temporary_s) if looks_temporary(seen.path.name) else needed
