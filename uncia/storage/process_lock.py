"""A lock between the processes of one machine."""

from pathlib import Path

from filelock import FileLock

__all__ = ["process_lock"]


def process_lock(path: Path) -> FileLock:
    """A lock on the file `path`, which is created. Any thread may release it; it is released when it is collected.

    The kernel releases it when the process ends, at a kill -9 too. On a file system without `flock`, filelock would
    fall back to a file whose existence is the lock: it survives a kill -9, and the next start would be refused for
    good. Acquiring raises `OSError` there instead.
    """
    return FileLock(path, fallback_to_soft=False, thread_local=False)
