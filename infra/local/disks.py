"""How much room is left on the file systems that the stack lies on."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_GB, _MB = 1e9, 1e6


class Room(StrEnum):
    """What is left."""

    OK = "ok"
    LOW = "low"
    FULL = "full"
    """Writes fail, or will within hours: SeaweedFS takes no uploads below one percent."""


@dataclass(frozen=True)
class Limits:
    """Bytes below which a file system counts as low and as full."""

    low: float
    full: float


DATA = Limits(low=5 * _GB, full=1 * _GB)
SCRATCH = Limits(low=200 * _MB, full=20 * _MB)
"""For the temporary directory and shared memory, which are small on many machines."""

_FULL_SHARE, _LOW_SHARE = 0.015, 0.05
"""Of a file system for data, and of the inodes of any."""


@dataclass(frozen=True)
class Usage:
    """One file system, as the kernel counts it."""

    device: int
    mount: str
    total: float
    free: float
    """For us: what is reserved for root is not."""
    inodes: int = 0
    """0 where the file system does not count them."""
    free_inodes: int = 0


@dataclass(frozen=True)
class Disk:
    """One file system and what the stack keeps on it."""

    mount: str
    holds: list[str] = field(default_factory=list)
    free_gb: float = 0.0
    total_gb: float = 0.0
    state: Room = Room.OK
    detail: str = ""


def disks_of(stack: Path, models: Path, usage: Callable[[Path], Usage] | None = None) -> list[Disk]:
    """The file systems of a stack's data, of its models, and of what all programs share; each once.

    A folder that is not there yet counts where it would be made.
    """
    read = usage or usage_of
    places: Mapping[str, tuple[Path, Limits]] = {
        "data": (stack, DATA),
        "models": (models, SCRATCH),
        "temporary files": (Path(tempfile.gettempdir()), SCRATCH),
        "shared memory": (Path("/dev/shm"), SCRATCH),
    }
    found: dict[int, tuple[Usage, list[str], Limits]] = {}
    for what, (place, limits) in places.items():
        try:
            one = read(place)
        except OSError:
            continue
        if one.device in found:
            found[one.device][1].append(what)
        else:
            found[one.device] = (one, [what], limits)
    return [_judge(one, holds, limits) for one, holds, limits in found.values()]


def usage_of(place: Path) -> Usage:
    """The file system of a folder. Raises `OSError`."""
    place = place.absolute()
    while not place.exists():
        place = place.parent
    place = place.resolve()
    counted, device = os.statvfs(place), place.stat().st_dev
    mount = place
    while mount != mount.parent and mount.parent.stat().st_dev == device:
        mount = mount.parent
    size = counted.f_frsize
    return Usage(
        device, str(mount), counted.f_blocks * size, counted.f_bavail * size, counted.f_files, counted.f_favail
    )


def concerns(disks: list[Disk]) -> list[str]:
    """A sentence for each file system on which there is little room."""
    return [
        f"the disk at {disk.mount} is {disk.state.value} ({', '.join(disk.holds)}): {disk.detail}"
        for disk in disks
        if disk.state is not Room.OK
    ]


def _judge(one: Usage, holds: list[str], limits: Limits) -> Disk:
    share = one.free / one.total if one.total else 1.0
    inodes = one.free_inodes / one.inodes if one.inodes else 1.0
    # A small disk is full when a share of it is left; a large one counts by bytes.
    for_data = limits is DATA
    full = one.free < min(limits.full, 0.1 * one.total) or (for_data and share < _FULL_SHARE) or inodes < _FULL_SHARE
    low = one.free < min(limits.low, 0.2 * one.total) or (for_data and share < _LOW_SHARE) or inodes < _LOW_SHARE
    state = Room.FULL if full else Room.LOW if low else Room.OK
    detail = f"{_size(one.free)} of {_size(one.total)} free"
    if inodes < _LOW_SHARE:
        detail += f", {one.free_inodes:,} of {one.inodes:,} inodes"
    return Disk(one.mount, holds, round(one.free / _GB, 3), round(one.total / _GB, 3), state, detail)


def _size(count: float) -> str:
    return f"{count / _GB:.1f} GB" if count >= _GB else f"{count / _MB:.0f} MB"
