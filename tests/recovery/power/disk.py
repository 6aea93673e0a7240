"""A disk whose power can be cut: an ext4 file system in a file, which the kernel shuts down on the spot.

`EXT4_IOC_SHUTDOWN` without a flush of the journal is what xfstests uses for it: from that moment nothing reaches the
disk any more. Mounted again, it holds what was synced, and of the rest what had been written out by then, which the
long commit interval keeps little.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSH = 2
"""EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH of linux/fs.h and ext4.h."""

_SIZE = 4 * 1024**3
"""Bytes; the file is sparse."""

_COMMIT_S = 300
_TOOLS = ("mkfs.ext4", "mount", "umount")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Disk:
    """The mounted file system. `folder` is its root."""

    def __init__(self, place: Path) -> None:
        self._image, self.folder = place / "disk.img", place / "disk"
        self.folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it; the journal of a cut one is replayed."""
        _run("mount", "-o", f"loop,commit={_COMMIT_S}", str(self._image), str(self.folder))

    def cut(self) -> None:
        """Cut the power: reads and writes fail from here on."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(handle)

    def restore(self) -> None:
        """Power comes back. Whoever used the disk must have ended."""
        self.unmount()
        self.mount()

    def unmount(self, limit_s: float = 20) -> None:
        """Unmount it, once the last process that was killed has let go of it."""
        deadline = time.monotonic() + limit_s
        while self.folder.is_mount():
            try:
                _run("umount", str(self.folder))
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


@contextmanager
def disk() -> Iterator[Disk]:
    """A disk for one test; nothing stays mounted. In a folder whose path is short and plain."""
    place = Path(tempfile.mkdtemp(prefix="uncia-power-"))
    made: Disk | None = None
    try:
        made = Disk(place)
        yield made
    finally:
        try:
            if made is not None:
                made.unmount()
        except subprocess.CalledProcessError:
            _run("umount", "--lazy", str(place / "disk"))
        shutil.rmtree(place, ignore_errors=True)


def why_not() -> str | None:
    """Why power cannot be cut on this machine; None where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "cutting the power of a disk needs root on Linux"
    if missing := [tool for tool in _TOOLS if not shutil.which(tool, path=_PATH)]:
        return f"cutting the power of a disk needs {', '.join(missing)}"
    try:
        with disk() as tried:
            tried.cut()
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        return f"no disk can be mounted here, or its power not cut: {told.strip()}"
    return None


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": _PATH})
