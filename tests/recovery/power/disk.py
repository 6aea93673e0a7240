"""A disk whose power can be cut: an ext4 file system in a file, which the kernel shuts down immediately.

Like xfstests, this uses `EXT4_IOC_SHUTDOWN` without a flush of the journal: from then on nothing reaches the disk.
Mounted again, the disk has everything that was synced, and of the rest only what had been written back by then; the
long commit interval keeps that small.
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

    def __init__(self, folder: Path) -> None:
        self._image, self.folder = folder / "disk.img", folder / "disk"
        self.folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it; after a power cut the journal is replayed."""
        _run("mount", "-o", f"loop,commit={_COMMIT_S}", str(self._image), str(self.folder))

    def cut(self) -> None:
        """Cut the power: reads and writes fail from now on."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(handle)

    def restore(self) -> None:
        """Restore the power. Processes that used the disk must have exited."""
        self.unmount()
        self.mount()

    def unmount(self, limit_s: float = 120) -> None:
        """Unmount it as soon as the last killed process has released it."""
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
    """A disk for one test, in a folder with a short and plain path; it is always unmounted."""
    folder = Path(tempfile.mkdtemp(prefix="uncia-power-"))
    created: Disk | None = None
    try:
        created = Disk(folder)
        yield created
    finally:
        try:
            if created is not None:
                created.unmount()
        except subprocess.CalledProcessError:
            _run("umount", "--lazy", str(folder / "disk"))
        shutil.rmtree(folder, ignore_errors=True)


def skip_reason() -> str | None:
    """Why power cuts cannot be simulated on this machine; None when they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "cutting the power of a disk needs root on Linux"
    if missing := [tool for tool in _TOOLS if not shutil.which(tool, path=_PATH)]:
        return f"cutting the power of a disk needs {', '.join(missing)}"
    try:
        with disk() as probe:
            probe.cut()
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        return f"this machine cannot mount a disk or cut its power: {reason.strip()}"
    return None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=600, env={**os.environ, "PATH": _PATH})
