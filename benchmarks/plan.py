"""Which photographs are uploaded, in which order: many cameras at once, each firing bursts of ten. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

BURST = 10
_STATIONS = 6
_EPOCH = datetime(2026, 1, 10, 6, 0, 0)
_BETWEEN_BURSTS = timedelta(minutes=5)


@dataclass(frozen=True)
class Shot:
    """One frame of one burst. `picture` numbers the photograph that it shows."""

    camera: str
    key: str
    picture: int
    taken: datetime
    sequence: int
    event: int


def shots(first_burst: int, bursts: int, cameras: int) -> Iterator[Shot]:
    """`bursts` bursts, `cameras` of them at a time, their frames interleaved as they would arrive.

    `first_burst` goes on where an earlier call ended, so that no key and no capture time comes twice: burst b is the
    b // cameras-th of camera b % cameras.
    """
    end = first_burst + bursts
    for group in range(first_burst, end, cameras):
        for sequence in range(1, BURST + 1):
            for burst in range(group, min(group + cameras, end)):
                yield _shot(burst, sequence, cameras)


def _shot(burst: int, sequence: int, cameras: int) -> Shot:
    number, event = burst % cameras, burst // cameras
    camera = f"bench-{number % _STATIONS}/cam-{number // _STATIONS:02}"
    taken = _EPOCH + event * _BETWEEN_BURSTS + timedelta(seconds=sequence - 1)
    key = f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{burst:06}-{sequence:02}.jpg"
    return Shot(camera, key, burst * BURST + sequence, taken, sequence, event)
