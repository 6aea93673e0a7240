"""A lock between the processes of one machine."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["exclusive", "process_lock"]


def process_lock(path: Path) -> FileLock:
    """A lock on the file `path`, which is created. Any thread may release it; it is released when it is collected.

    The kernel releases it when the process ends, at a kill -9 too. On a file system without `flock`, filelock would
    fall back to a file whose existence is the lock: it survives a kill -9, and the next start would be refused for
    good. Acquiring raises `OSError` there instead.
    """
    return FileLock(path, fallback_to_soft=False, thread_local=False)


@contextlib.contextmanager
def exclusive(path: Path, refusal: Exception) -> Iterator[None]:
    """Hold the lock on `path`. Raises `refusal` at once when another process, or this one, holds it."""
    lock = process_lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise refusal from error
    try:
        yield
    finally:
        lock.release()
