"""The camera itself: the triggers that it counted, who it is, where its clock began, and where it was deployed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from uncia.events import ClockVerdict
from uncia.processors.clock_health.arrival import RESET_BEFORE
from uncia.processors.clock_health.findings import Finding, in_words, stands
from uncia.processors.clock_health.history import History, Occasion, camera_time
from uncia.processors.clock_health.resets import FACTORY_AT, LATE_S, LEAST_DROP_S

BACK_AT, BACK_CLEAR = 3, 1
"""Occasions in `recent` at which time ran backwards: as many raise it, fewer than that clear it."""

ALTERNATE_AT, ALTERNATE_CLEAR = 4, 2
DAYS_AT, DAYS_CLEAR = 3, 2

_UTC_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def backwards(history: History, raised: bool) -> Finding | None:
    """Later triggers with earlier times: the clock began anew, or somebody set it back."""
    compared = [each.back for each in history.recent if each.back is not None]
    if sum(compared) < (BACK_CLEAR if raised else BACK_AT):
        return None
    text = "time ran backwards against the camera's own numbers: the clock began anew or was set back"
    return Finding("backwards", ClockVerdict.SUSPICIOUS, text, sum(compared), len(compared))


def set_back(history: History) -> Finding | None:
    """A jump back in what was uploaded in one go or live, without the camera's own numbers."""
    jump = history.jump
    if jump is None or not jump.stands:
        return None
    bad = sum(each.captured < jump.high - LEAST_DROP_S for each in history.recent)
    text = (
        f"the clock jumped back by {in_words(jump.high - jump.low)}, from {camera_time(jump.high):%Y-%m-%d %H:%M} "
        f"to {camera_time(jump.low):%Y-%m-%d %H:%M}: it began anew or was set wrongly, or two cards were mixed"
    )
    return Finding("set-back", ClockVerdict.SUSPICIOUS, text, bad, len(history.recent))


def factory_time(history: History) -> Finding | None:
    """Times that begin where a clock begins that was never set."""
    factory = history.factory
    if factory is None or factory.bad < FACTORY_AT:
        return None
    text = f"its times begin at {camera_time(factory.begin):%Y-%m-%d %H:%M}, as those of a clock that was never set"
    bad = sum(factory.begin <= each.captured <= factory.end for each in history.recent)
    return Finding("factory-time", ClockVerdict.SUSPICIOUS, text, bad, len(history.recent))


def outside_deployments(
    history: History, deployed: Callable[[datetime], object | None], raised: bool
) -> Finding | None:
    """Times at which no deployment has the camera, of photographs that were uploaded while one has it."""
    bad = [
        RESET_BEFORE <= each.captured < each.uploaded - LATE_S
        and deployed(camera_time(each.captured)) is None
        and deployed(_UTC_EPOCH + timedelta(seconds=each.uploaded)) is not None
        for each in history.recent
    ]
    if not stands(bad, raised):
        return None
    text = (
        "it shows times at which no deployment has this camera, and was uploaded while one has it: "
        "the clock is wrong, or a deployment is missing"
    )
    return Finding("outside-deployments", ClockVerdict.SUSPICIOUS, text, sum(bad), len(bad))


def stated_zone(history: History, zone: Callable[[Occasion], int | None], raised: bool) -> Finding | None:
    """EXIF states another zone for the clock than its deployment says; `zone` gives seconds ahead of UTC."""
    bad = [
        each.stated_minutes is not None and zone(each) not in (None, 60 * each.stated_minutes)
        for each in history.recent
    ]
    if not stands(bad, raised):
        return None
    text = (
        "EXIF states another offset from UTC than the deployment has: "
        "the clock is set to another zone, or the table is wrong"
    )
    return Finding("stated-zone", ClockVerdict.SUSPICIOUS, text, sum(bad), len(bad))


def two_cameras(history: History, raised: bool) -> Finding | None:
    """Two serial numbers by turns. One camera that replaced another changes once, and is none of our business."""
    named = [each for each in history.recent if each.serial is not None]
    turns = sum(a.serial != b.serial for a, b in pairwise(sorted(named, key=lambda each: each.captured)))
    days = [set(days) for days in history.days.values()]
    common = max((len(a & b) for at, a in enumerate(days) for b in days[at + 1 :]), default=0)
    if turns < (ALTERNATE_CLEAR if raised else ALTERNATE_AT) and common < (DAYS_CLEAR if raised else DAYS_AT):
        return None
    serials = sorted(history.days)
    text = (
        f"{len(serials)} cameras use this one id by turns (serial numbers {', '.join(serials)}): "
        "give each its own folder or --camera at the gateway"
    )
    return Finding("two-cameras", ClockVerdict.SUSPICIOUS, text, turns, max(len(named) - 1, 0))
