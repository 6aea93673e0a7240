"""Writes files so that they survive a power cut after the call has returned.

`fsync` of the file writes its bytes to disk; `fsync` of its folder writes its name. Without the first, a renamed file
can be empty after a power cut; without the second, the old file can be back.
"""

import contextlib
import errno
import os
from pathlib import Path

_NOT_HERE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EBADF, errno.EACCES, errno.EPERM})
"""Errors of file systems that cannot sync a directory or do not need it."""

_MANY = 200
"""Number of files above which one `sync` of all file systems is faster than an `fsync` of each."""


def write_durably(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Replace `path` atomically by a file with this text: readers find the old or the new text, even after a power cut.

    `mode` is that of a new file, before the umask. Raises `OSError`; the old file is then unchanged.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def replace_durably(new: Path, path: Path) -> None:
    """Move a complete file to `path` and wait until it is on disk. Raises `OSError`."""
    _sync_file(new)
    new.replace(path)
    sync_folder(path.parent)


def _sync_file(path: Path) -> None:
    """Write a file's bytes to disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk if the file system supports it. Raises `OSError` when the disk fails."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Write a folder and its contents to disk. Symbolic links are skipped. Raises `OSError`."""
    folders = [(Path(place), names) for place, _, names in os.walk(folder, topdown=False)]
    if sum(len(names) for _, names in folders) > _MANY:
        # An installed environment has thousands of files.
        os.sync()
        return
    for place, names in folders:
        for file in (place / name for name in names):
            if file.is_file() and not file.is_symlink():
                _sync_file(file)
        sync_folder(place)


def describe_write_error(error: OSError) -> str:
    """Why something could not be written, in words where it is a full disk or quota."""
    return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
