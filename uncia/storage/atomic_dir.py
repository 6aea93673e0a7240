"""Atomic replacement of directories: a reader sees the complete old directory or the complete new one, never a mixture.

The new content is written to a staging directory next to the target, on the same file system, and the two are exchanged
in one system call (`renameat2`). Where the system has no such call, the old directory is moved into the staging
directory, then the new one to the target; a failure in between moves the old one back. After a kill in between, the old
directory is still in the staging directory: every writer first calls `remove_stale_staging`, which restores it.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from uncia.storage.durable import sync_folder, sync_tree

STAGING_PREFIX = ".writing-"
"""Prefix of the staging directories of `atomic_directory`."""

# Names in a staging directory that cannot be names of content.
_REPLACED = ".replaced"
_PLACE = ".place"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""Linux constants from `fcntl.h` and `linux/fs.h`."""


@contextlib.contextmanager
def atomic_directory(place: Path) -> Iterator[Path]:
    """Yield an empty directory that replaces `place` when the block succeeds and is deleted when the block raises.

    Leftovers of killed runs for the same place are removed first. Raises `OSError`; `place` is then unchanged.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_staging(place.parent, f"{STAGING_PREFIX}{place.name}-")
    with staging_directory(place.parent, f"{STAGING_PREFIX}{place.name}-") as folder:
        made = folder / "made"
        made.mkdir()
        yield made
        made.chmod(0o755)  # mkdtemp's mode lets only its owner read
        replace_directory(made, place, folder)


@contextlib.contextmanager
def staging_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new directory in `parent`; it is deleted at the end of the block, with everything still in it."""
    folder, held = _new(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def replace_directory(made: Path, place: Path, draft: Path) -> None:
    """Move the directory `made` out of the staging directory `draft` to `place`, replacing what is there.

    Raises `OSError`; `place` is then unchanged.
    """
    # The bytes first: if names reached the disk before them, a power cut could leave empty files.
    sync_tree(made)
    if place.exists() and exchange(made, place):
        sync_folder(place.parent)
        return
    replaced = draft / _REPLACED
    try:
        if place.exists():
            # Recorded before the move, for `remove_stale_staging`.
            (draft / _PLACE).write_text(os.path.relpath(place, draft.parent), encoding="utf-8")
            place.rename(replaced)
        made.rename(place)
    except BaseException:
        _put_back(draft)
        raise
    sync_folder(place.parent)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two directories atomically. Returns False when the system or the file system does not support it."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


def remove_stale_staging(parent: Path, prefix: str = STAGING_PREFIX) -> None:
    """Delete the staging directories that killed runs left in `parent`; restore a directory that was moved into one.

    Staging directories of running processes are locked and are skipped, as are those without permission.
    """
    if not parent.is_dir():
        return
    for folder in [path for path in parent.iterdir() if path.name.startswith(prefix) and path.is_dir()]:
        # Another process may be removing it at the same time, or it belongs to another user.
        with contextlib.suppress(OSError):
            if (held := _hold(folder)) is None:
                continue
            try:
                _put_back(folder)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


def _put_back(draft: Path) -> None:
    replaced = draft / _REPLACED
    if replaced.exists():
        place = draft.parent / (draft / _PLACE).read_text(encoding="utf-8")
        if not place.exists():
            replaced.rename(place)


def _new(parent: Path, prefix: str) -> tuple[Path, int]:
    """Return a new directory and the descriptor that locks it. Retries when it was removed before it was locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            held = _hold(folder)
            if held is not None:
                if folder.exists():
                    return folder, held
                os.close(held)


def _hold(folder: Path) -> int | None:
    """Return a descriptor that locks the directory until it is closed or the process ends; None when it is locked.

    `flock` on the directory itself rather than a lock file (filelock): the lock must disappear with the directory, and
    must be released when its process is killed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        pass  # a file system without locks: those of other processes cannot be detected
    return descriptor
