"""Plans the benchmark's uploads: many cameras at the same time, each firing bursts of ten. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

BURST = 10
_STATIONS = 6
_EPOCH = datetime(2026, 1, 10, 6, 0, 0)
_BETWEEN_BURSTS = timedelta(minutes=5)


@dataclass(frozen=True)
class PlannedUpload:
    """One frame of one burst. `photograph` is the number of the image that it shows."""

    camera: str
    key: str
    photograph: int
    captured_at: datetime
    sequence: int
    event: int
    frames: int = BURST
    """Frames of its burst."""


def plan_bursts(
    first_burst: int, bursts: int, cameras: int, frames: int = BURST, began: datetime = _EPOCH
) -> Iterator[PlannedUpload]:
    """Plan `bursts` bursts, `cameras` of them at a time, with their frames interleaved as they would arrive.

    Each has `frames` frames; the first ones are captured at `began` (naive). Burst b is number b // cameras of camera
    b % cameras. Pass the next `first_burst` to continue after an earlier call: no key and no capture time is then
    planned twice.
    """
    end = first_burst + bursts
    for group in range(first_burst, end, cameras):
        for sequence in range(1, frames + 1):
            for burst in range(group, min(group + cameras, end)):
                yield _planned(burst, sequence, cameras, frames, began)


def _planned(burst: int, sequence: int, cameras: int, frames: int, began: datetime) -> PlannedUpload:
    number, event = burst % cameras, burst // cameras
    camera = f"bench-{number % _STATIONS}/cam-{number // _STATIONS:02}"
    captured_at = began + event * _BETWEEN_BURSTS + timedelta(seconds=sequence - 1)
    key = f"{camera}/{captured_at:%Y/%m/%d}/{captured_at:%Y%m%dT%H%M%S}-{burst:06}-{sequence:02}.jpg"
    return PlannedUpload(camera, key, burst * frames + sequence, captured_at, sequence, event, frames)
