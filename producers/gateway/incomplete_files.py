"""How long incomplete files are waited for, and whether a program still has a file open for writing."""

import fcntl
import os
import signal
import stat
from dataclasses import dataclass
from pathlib import Path

_GRACE_S = 300.0
"""Seconds without a change after which an incomplete file in a watched folder counts as finished: a transfer over a bad
uplink pauses for a minute or two before one side gives it up."""

_GRACE_ONCE_S = 10.0
"""The same for a card, or a folder that is read once: hardly any program writes there, and damaged files are common."""

_MIN_GRACE_OPEN_S = 300.0
"""The shortest grace for a file that a program has open for writing."""

_MIN_OBSERVATION_S = 30.0
"""Time for which a watched file is observed before its modification time is trusted."""

_MIN_CHECK_INTERVAL_S = 0.5
_MAX_CHECK_INTERVAL_S = 10.0

OPEN_FOR_WRITING = "a program has it open for writing"
"""The reason why a file is incomplete whose bytes show nothing of it."""


@dataclass(frozen=True)
class GracePeriod:
    """How long incomplete files are waited for, in seconds. 0 waits for none."""

    grace_s: float = 0
    observe_s: float = 0
    """Minimum time of observation before the file's modification time can end the wait."""

    @classmethod
    def watching(cls, grace_s: float | None) -> "GracePeriod":
        """For a watched folder; None for the default of 300 seconds."""
        grace_s = _GRACE_S if grace_s is None else grace_s
        return cls(grace_s, min(grace_s, _MIN_OBSERVATION_S))

    @classmethod
    def once(cls, grace_s: float | None) -> "GracePeriod":
        """For a card or a folder that is read once; None for the default of 10 seconds."""
        return cls(_GRACE_ONCE_S if grace_s is None else grace_s)

    def while_open(self) -> "GracePeriod":
        """For a file that a program has open for writing."""
        return GracePeriod(max(self.grace_s, _MIN_GRACE_OPEN_S), self.grace_s)


@dataclass(frozen=True)
class FileStamp:
    """Size and times of a file: a change of the file changes one of them."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileStamp | None":
        """None when the file does not exist or cannot be read."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def changed_at(self) -> float:
        """The last change according to the file's own times, in Unix time."""
        return max(self.mtime_ns, self.ctime_ns) / 1e9


class IncompleteFiles:
    """The incomplete files by row id, and since when each has not changed. All times are Unix time arguments."""

    def __init__(self, grace: GracePeriod) -> None:
        self._grace = grace
        self._since: dict[int, tuple[FileStamp, float, str]] = {}

    def __contains__(self, entry_id: int) -> bool:
        return entry_id in self._since

    def seconds_to_wait(
        self, entry_id: int, stamp: FileStamp, reason: str, now: float, *, is_open: bool = False
    ) -> float | None:
        """Seconds until the file is checked again; None once its grace period is over and it is uploaded as it is.

        `reason` says why it is incomplete; `is_open`: a program has it open for writing.
        """
        before, since, _ = self._since.get(entry_id, (None, now, ""))
        if before != stamp or since > now:
            since = now
        self._since[entry_id] = (stamp, since, reason)
        grace = self._grace.while_open() if is_open else self._grace
        observed, by_own_times = now - since, now - stamp.changed_at
        if observed >= grace.grace_s or (observed >= grace.observe_s and by_own_times >= grace.grace_s):
            return None
        interval = max(_MIN_CHECK_INTERVAL_S, observed / 4)
        return min(interval, _MAX_CHECK_INTERVAL_S, max(0.1, grace.grace_s - observed))

    def reason_if_unchanged(self, entry_id: int, stamp: FileStamp | None) -> str | None:
        """Why the file is incomplete, if it has not changed since it was read; else None."""
        before, _, reason = self._since.get(entry_id, (None, 0, ""))
        return reason if stamp is not None and before == stamp else None

    def discard(self, entry_id: int) -> None:
        """The file was accepted, or no longer exists."""
        self._since.pop(entry_id, None)


def is_open_for_writing(path: Path) -> bool:
    """True where a program on this machine has the file open for writing, as far as this process may know it.

    /proc lists the open files of the own user's processes, and all to root. A lease is refused also while another user
    or another container writes. False where neither can be known, as on network shares.
    """
    return _is_listed_as_open(path) or _is_lease_refused(path)


def _is_lease_refused(path: Path) -> bool:
    """True where the kernel refuses a read lease because the file is open for writing (Linux, fcntl(2)).

    Leases are granted to the owner of the file and to root, on most local file systems. The lease is given back at
    once: for these microseconds a program that opens the file has to wait, and the kernel sends this process a signal,
    which is SIGURG here because the default one, SIGIO, would end it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (AttributeError, OSError):
        return False  # not Linux; the file of another user, or a file system without leases
    finally:
        os.close(descriptor)
    return False


def _is_listed_as_open(path: Path) -> bool:
    """True where /proc lists the file as open for writing.

    Walks /proc instead of psutil's `open_files`, which compares paths: device and inode also identify a file that was
    opened through a link or under an earlier name, and most descriptors need no second system call.
    """
    try:
        wanted = path.stat()
        processes = [entry for entry in os.scandir("/proc") if entry.name.isdecimal()]
    except OSError:
        return False
    return any(_has_open_for_writing(process.path, wanted) for process in processes)


def _has_open_for_writing(process: str, wanted: os.stat_result) -> bool:
    try:
        descriptors = list(os.scandir(f"{process}/fd"))
    except OSError:
        return False  # a process of another user, or one that has ended
    for descriptor in descriptors:
        try:
            found = descriptor.stat()
            if stat.S_ISREG(found.st_mode) and os.path.samestat(found, wanted):
                info = Path(process, "fdinfo", descriptor.name).read_text(encoding="ascii")
                flags = int(info.split("flags:", 1)[1].split()[0], 8)
                if flags & os.O_ACCMODE != os.O_RDONLY:
                    return True
        except (OSError, IndexError, ValueError):
            continue
    return False
