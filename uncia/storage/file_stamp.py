"""What changes when a file is written again, so that a process that follows it need not read it each time."""

from pathlib import Path

__all__ = ["file_stamp"]


def file_stamp(path: Path) -> tuple[int, int, int] | None:
    """Time of change, size and inode of a file; None where there is none, or it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
