"""How long a file that is no whole photograph has been left alone; and whether a program is still writing it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 300.0
"""Seconds without a change after which a watched file counts as finished though it is no whole photograph: a
transfer over a bad uplink rests for a minute or two before one side gives it up."""

GRACE_ONCE_S = 10.0
"""The same for a card, or a folder that is read once: hardly anything writes there, and damaged files are common."""

_WRITTEN_GRACE_S = 300.0
"""The same, at least, for a file that a program holds open for writing."""

_BRIEF_S = 30.0
"""A watched file is observed for so long in any case, before its times are believed."""

_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class Patience:
    """How long files that are not whole are waited for, in seconds. 0 waits for nothing."""

    grace_s: float = 0
    observe_s: float = 0
    """Times of the file alone never end the wait before the file was observed for so long."""

    @classmethod
    def watching(cls, grace_s: float | None) -> "Patience":
        """For a folder into which photographs come."""
        grace_s = GRACE_S if grace_s is None else grace_s
        return cls(grace_s, min(grace_s, _BRIEF_S))

    @classmethod
    def once(cls, grace_s: float | None) -> "Patience":
        """For a card, or what lies in a folder now."""
        return cls(GRACE_ONCE_S if grace_s is None else grace_s)

    def for_written(self) -> "Patience":
        """For a file that a program holds open for writing."""
        return Patience(max(self.grace_s, _WRITTEN_GRACE_S), self.grace_s)


@dataclass(frozen=True)
class Stamp:
    """A file's size and times, which tell whether it changed."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Stamp | None":
        """None when the file is not there or cannot be looked at."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def changed_at(self) -> float:
        """The last change that the file itself tells of, Unix time."""
        return max(self.mtime_ns, self.ctime_ns) / 1e9


class Settling:
    """The files that are waited for, and since when they have not changed. Times are Unix time, handed in."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since: dict[int, tuple[Stamp, float, str]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._since

    def waits(self, number: int, stamp: Stamp, reason: str, now: float, *, written: bool = False) -> float | None:
        """Seconds until this file is looked at again; None once it has rested long enough, and is taken as it is."""
        before, since, _ = self._since.get(number, (None, now, ""))
        if before != stamp or since > now:
            since = now
        self._since[number] = (stamp, since, reason)
        patience = self._patience.for_written() if written else self._patience
        observed, by_clock = now - since, now - stamp.changed_at
        if observed >= patience.grace_s or (observed >= patience.observe_s and by_clock >= patience.grace_s):
            return None
        return min(max(0.5, observed / 4), _LONGEST_PAUSE_S, max(0.1, patience.grace_s - observed))

    def reason(self, number: int, stamp: Stamp | None) -> str | None:
        """Why this file is waited for, if it is just as it was when it was read."""
        before, _, reason = self._since.get(number, (None, 0, ""))
        return reason if stamp is not None and before == stamp else None

    def forget(self, number: int) -> None:
        """The file was taken, or is gone."""
        self._since.pop(number, None)


def open_for_writing(path: Path) -> bool:
    """Whether a program of this machine holds the file open for writing, as far as we may see that (Linux: processes of
    our own user, or all for root). False where nothing can be seen, as on network shares.
    """
    try:
        wanted = path.stat()
        processes = [entry for entry in os.scandir("/proc") if entry.name.isdecimal()]
    except OSError:
        return False
    return any(_writes(process.path, wanted) for process in processes)


def _writes(process: str, wanted: os.stat_result) -> bool:
    try:
        descriptors = list(os.scandir(f"{process}/fd"))
    except OSError:
        return False  # another user's, or it ended
    for each in descriptors:
        try:
            found = each.stat()
            if stat.S_ISREG(found.st_mode) and os.path.samestat(found, wanted):
                flags = Path(process, "fdinfo", each.name).read_text(encoding="ascii").split("flags:", 1)[1].split()[0]
                if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                    return True
        except (OSError, IndexError, ValueError):
            continue
    return False
