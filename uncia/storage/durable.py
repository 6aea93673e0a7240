"""Files that survive a power cut once the call has returned.

A file's bytes are on disk after `fsync` of the file; its name is after `fsync` of the folder that holds it. Without the
first a file that was renamed into place may be empty after a power cut, without the second the old one is back.
"""

import contextlib
import errno
import os
from pathlib import Path

_NOT_HERE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EBADF, errno.EACCES, errno.EPERM})
"""Errors of file systems that cannot sync a directory, or need not."""

_MANY = 200
"""Files, above which one `sync` of everything is faster than an `fsync` of each."""


def write_durably(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Replace `path` by a file with this text: a reader, a kill and a power cut find the old text or the new one.

    `mode` is that of a new file, less the umask. Raises `OSError`; the old file is then unchanged.
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
    """Move a finished file to `path`; it is on disk when this returns. Raises `OSError`."""
    sync_file(new)
    new.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk, where its file system can. Raises `OSError` when the disk fails."""
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
    """Bring a folder with all that it holds to disk. Symbolic links are skipped. Raises `OSError`."""
    folders = [(Path(place), names) for place, _, names in os.walk(folder, topdown=False)]
    if sum(len(names) for _, names in folders) > _MANY:
        # An installed environment has thousands of files.
        os.sync()
        return
    for place, names in folders:
        for file in (place / name for name in names):
            if file.is_file() and not file.is_symlink():
                sync_file(file)
        sync_folder(place)
