"""Free space and inodes on the file systems that the stack uses."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_GB, _MB = 1e9, 1e6


class DiskState(StrEnum):
    """Assessment of a file system's free space."""

    OK = "ok"
    LOW = "low"
    FULL = "full"
    """Writes fail, or will within hours: SeaweedFS refuses uploads below one percent."""


@dataclass(frozen=True)
class Limits:
    """Free bytes below which a file system is low and full."""

    low: float
    full: float


DATA = Limits(low=5 * _GB, full=1 * _GB)
_SCRATCH = Limits(low=200 * _MB, full=20 * _MB)
"""Limits of the temporary directory and of shared memory, which are small on many machines."""

_FULL_SHARE, _LOW_SHARE = 0.015, 0.05
"""Free share below which a data file system, or the inodes of any file system, are full and low."""


@dataclass(frozen=True)
class Usage:
    """Usage of one file system as the operating system reports it; sizes in bytes."""

    device: int
    mount: str
    total: float
    free: float
    """Available to an unprivileged user, without the blocks reserved for root."""
    inodes: int = 0
    """0 when the file system has no inode limit."""
    free_inodes: int = 0


@dataclass(frozen=True)
class Disk:
    """One file system and the kinds of data that the stack stores on it; part of the JSON of `uncia status`."""

    mount: str
    holds: list[str] = field(default_factory=list)
    free_gb: float = 0.0
    total_gb: float = 0.0
    state: DiskState = DiskState.OK
    detail: str = ""


def inspect_disks(stack: Path, models: Path, usage: Callable[[Path], Usage] | None = None) -> list[Disk]:
    """Assess the file systems of a stack's data, its models, the temporary directory and shared memory, each once.

    A folder that does not exist yet is attributed to the file system on which it would be created. `usage` reads one
    folder's file system; tests replace it.
    """
    read = usage or usage_of
    folders: Mapping[str, tuple[Path, Limits]] = {
        "data": (stack, DATA),
        "models": (models, _SCRATCH),
        "temporary files": (Path(tempfile.gettempdir()), _SCRATCH),
        "shared memory": (Path("/dev/shm"), _SCRATCH),
    }
    found: dict[int, tuple[Usage, list[str], Limits]] = {}
    for kind, (folder, limits) in folders.items():
        try:
            file_system = read(folder)
        except OSError:
            continue
        if file_system.device in found:
            found[file_system.device][1].append(kind)
        else:
            found[file_system.device] = (file_system, [kind], limits)
    return [_assess(file_system, holds, limits) for file_system, holds, limits in found.values()]


def usage_of(folder: Path) -> Usage:
    """Usage of the file system that `folder` is on, or would be created on. Raises `OSError`."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    mount = folder = folder.resolve()
    while not mount.is_mount():
        mount = mount.parent
    # Not psutil.disk_usage, which reports no inodes.
    stat = os.statvfs(folder)
    total, free = stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
    return Usage(folder.stat().st_dev, str(mount), total, free, stat.f_files, stat.f_favail)


def disk_warnings(disks: list[Disk]) -> list[str]:
    """One sentence per file system that is low or full."""
    return [
        f"the disk at {disk.mount} is {disk.state.value} ({', '.join(disk.holds)}): {disk.detail}"
        for disk in disks
        if disk.state is not DiskState.OK
    ]


def _assess(usage: Usage, holds: list[str], limits: Limits) -> Disk:
    share = usage.free / usage.total if usage.total else 1.0
    inodes = usage.free_inodes / usage.inodes if usage.inodes else 1.0
    # The byte limits are capped at a share of the disk, so that a small disk is not low from the start.
    full_bytes, low_bytes = min(limits.full, 0.1 * usage.total), min(limits.low, 0.2 * usage.total)
    data = limits is DATA
    full = usage.free < full_bytes or (data and share < _FULL_SHARE) or inodes < _FULL_SHARE
    low = usage.free < low_bytes or (data and share < _LOW_SHARE) or inodes < _LOW_SHARE
    state = DiskState.FULL if full else DiskState.LOW if low else DiskState.OK
    detail = f"{_size(usage.free)} of {_size(usage.total)} free"
    if inodes < _LOW_SHARE:
        detail += f", {usage.free_inodes:,} of {usage.inodes:,} inodes"
    return Disk(usage.mount, holds, round(usage.free / _GB, 3), round(usage.total / _GB, 3), state, detail)


def _size(count: float) -> str:
    return f"{count / _GB:.1f} GB" if count >= _GB else f"{count / _MB:.0f} MB"
