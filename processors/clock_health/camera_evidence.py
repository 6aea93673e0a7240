"""Evidence from the camera itself: its trigger numbers, identity, first clock times, and deployments."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from uncia.events import ClockVerdict
from uncia.processors.clock_health.arrival import RESET_BEFORE
from uncia.processors.clock_health.findings import Finding, format_duration, is_raised
from uncia.processors.clock_health.history import History, Occasion, camera_time
from uncia.processors.clock_health.resets import FACTORY_AT, LATE_S, LEAST_DROP_S

BACK_AT, BACK_CLEAR = 3, 1
"""Occasions in `recent` at which time ran backwards: this many raise the finding, fewer than the second clear it."""

ALTERNATE_AT, ALTERNATE_CLEAR = 4, 2
DAYS_AT, DAYS_CLEAR = 3, 2

_UTC_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def backwards(history: History, raised: bool) -> Finding | None:
    """Later triggers with earlier times: the clock was reset, or set back."""
    compared = [occasion.back for occasion in history.recent if occasion.back is not None]
    if sum(compared) < (BACK_CLEAR if raised else BACK_AT):
        return None
    text = "capture times decrease while the camera's frame numbers increase: the clock was reset or set back"
    return Finding("backwards", ClockVerdict.SUSPICIOUS, text, sum(compared), len(compared))


def set_back(history: History) -> Finding | None:
    """A jump back within one upload or live, detected without the camera's own numbers."""
    jump = history.jump
    if jump is None or not jump.confirmed:
        return None
    bad = sum(occasion.captured < jump.high - LEAST_DROP_S for occasion in history.recent)
    text = (
        f"the clock jumped back by {format_duration(jump.high - jump.low)}, "
        f"from {camera_time(jump.high):%Y-%m-%d %H:%M} to {camera_time(jump.low):%Y-%m-%d %H:%M}: "
        "it was reset or set wrongly, or two cards were mixed"
    )
    return Finding("set-back", ClockVerdict.SUSPICIOUS, text, bad, len(history.recent))


def factory_time(history: History) -> Finding | None:
    """Times that start at the factory default of a clock that was never set."""
    factory = history.factory
    if factory is None or factory.bad < FACTORY_AT:
        return None
    text = (
        f"capture times start at {camera_time(factory.begin):%Y-%m-%d %H:%M}, like those of a clock that was never set"
    )
    bad = sum(factory.begin <= occasion.captured <= factory.end for occasion in history.recent)
    return Finding("factory-time", ClockVerdict.SUSPICIOUS, text, bad, len(history.recent))


def outside_deployments(
    history: History, deployed: Callable[[datetime], object | None], raised: bool
) -> Finding | None:
    """Times outside all deployments, of photographs that were uploaded during one."""
    bad = [
        RESET_BEFORE <= occasion.captured < occasion.uploaded - LATE_S
        and deployed(camera_time(occasion.captured)) is None
        and deployed(_UTC_EPOCH + timedelta(seconds=occasion.uploaded)) is not None
        for occasion in history.recent
    ]
    if not is_raised(bad, raised):
        return None
    text = (
        "capture times are outside all deployments of this camera, uploads within one: "
        "the clock is wrong, or a deployment is missing"
    )
    return Finding("outside-deployments", ClockVerdict.SUSPICIOUS, text, sum(bad), len(bad))


def stated_zone(history: History, zone: Callable[[Occasion], int | None], raised: bool) -> Finding | None:
    """EXIF states another time zone than the deployment; `zone` returns the UTC offset in seconds."""
    bad = [
        occasion.stated_minutes is not None and zone(occasion) not in (None, 60 * occasion.stated_minutes)
        for occasion in history.recent
    ]
    if not is_raised(bad, raised):
        return None
    text = (
        "EXIF states another UTC offset than the deployment: "
        "the clock is set to another time zone, or the deployment table is wrong"
    )
    return Finding("stated-zone", ClockVerdict.SUSPICIOUS, text, sum(bad), len(bad))


def two_cameras(history: History, raised: bool) -> Finding | None:
    """Two alternating serial numbers. A camera that replaced another changes the number once, which is no fault."""
    named = [occasion for occasion in history.recent if occasion.serial is not None]
    turns = sum(a.serial != b.serial for a, b in pairwise(sorted(named, key=lambda occasion: occasion.captured)))
    days = [set(days) for days in history.days.values()]
    common = max((len(a & b) for at, a in enumerate(days) for b in days[at + 1 :]), default=0)
    if turns < (ALTERNATE_CLEAR if raised else ALTERNATE_AT) and common < (DAYS_CLEAR if raised else DAYS_AT):
        return None
    # Without the numbers: the assessment is published, and serial numbers stay in the private tier.
    text = (
        f"{len(history.days)} cameras, by their serial numbers, alternate under this id: "
        "give each its own folder or --camera at the gateway"
    )
    return Finding("two-cameras", ClockVerdict.SUSPICIOUS, text, turns, max(len(named) - 1, 0))
