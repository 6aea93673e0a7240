"""The Linux file attribute `S` (`chattr +S`), which makes every write to a folder's files synchronous.

SeaweedFS can be configured to sync an object's bytes, but not the index of its volume or the filer's database, which
has the object's name. In a folder with this attribute every write returns only when the data is on disk, and new files
inherit the attribute.
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


def set_sync_attribute(folder: Path, *, on: bool = True) -> bool:
    """Set the attribute on a folder and everything below it, or clear it. Links are not followed.

    Returns False, with nothing changed, on a file system without this attribute (tmpfs, FAT, most network and overlay
    file systems).
    """
    try:
        _set(folder, on=on)
    except OSError:
        return False
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            # A file may be deleted meanwhile, and a socket has no attributes.
            with contextlib.suppress(OSError):
                _set(Path(parent, name), on=on)
    return True


def has_sync_attribute(folder: Path) -> bool:
    """True when the file or folder has the attribute; False also for links and missing paths."""
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


def _set(path: Path, *, on: bool) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before = _flags(handle)
        after = before | _SYNC if on else before & ~_SYNC
        if after != before:
            if on and not path.is_dir():
                # Data written before the attribute was set may still be in the page cache.
                os.fsync(handle)
            fcntl.ioctl(handle, _SET, struct.pack("l", after))
    finally:
        os.close(handle)


def _flags(handle: int) -> int:
    # The ioctl number declares a long, but the kernel reads and writes an int.
    return int(struct.unpack_from("i", fcntl.ioctl(handle, _GET, struct.pack("l", 0)))[0])
