"""Folders whose files are written through to disk, whoever writes them.

SeaweedFS syncs an object's bytes when it is asked to, but neither the index of its volume nor the filer's own store, in
which the object's name is; no option makes it. Linux can: in a folder with the attribute `S` (`chattr +S`) each write
returns when it is on disk, and new files inherit it.
"""

import contextlib
import fcntl
import os
import struct
from pathlib import Path

_GET, _SET = 0x80086601, 0x40086602
"""FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, from linux/fs.h."""

_SYNC = 0x00000008
"""FS_SYNC_FL."""


def write_through(folder: Path, *, on: bool = True) -> bool:
    """Give the attribute to a folder and all in it, or take it away.

    False where the file system does not know it (tmpfs, FAT, most network and layered file systems); nothing is
    changed then. Links are left alone.
    """
    try:
        _mark(folder, on=on)
    except OSError:
        return False
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            # A file may go away meanwhile; a socket has no attributes.
            with contextlib.suppress(OSError):
                _mark(Path(place, name), on=on)
    return True


def is_written_through(folder: Path) -> bool:
    """True when the folder has the attribute."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return bool(_flags(handle) & _SYNC)
    except OSError:
        return False
    finally:
        os.close(handle)


def _mark(path: Path, *, on: bool) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before = _flags(handle)
        after = before | _SYNC if on else before & ~_SYNC
        if after != before:
            if on and not path.is_dir():
                # What was written before the attribute came.
                os.fsync(handle)
            fcntl.ioctl(handle, _SET, struct.pack("l", after))
    finally:
        os.close(handle)


def _flags(handle: int) -> int:
    # The kernel reads and writes an int, whatever the number of the call says.
    return int(struct.unpack_from("i", fcntl.ioctl(handle, _GET, struct.pack("l", 0)))[0])
