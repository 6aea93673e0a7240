"""The camera's own numbers: triggers that it counted, and who it is."""

from itertools import pairwise

from processors.clocks.findings import Finding
from processors.clocks.history import History
from uncia.events import ClockVerdict

BACK_AT, BACK_CLEAR = 3, 1
"""Occasions in `recent` at which time ran backwards: as many raise it, fewer than that clear it."""

ALTERNATE_AT, ALTERNATE_CLEAR = 4, 2
DAYS_AT, DAYS_CLEAR = 3, 2


def backwards(history: History, raised: bool) -> Finding | None:
    """Later triggers with earlier times: the clock began anew, or somebody set it back."""
    compared = [each.back for each in history.recent if each.back is not None]
    if sum(compared) < (BACK_CLEAR if raised else BACK_AT):
        return None
    text = "time ran backwards against the camera's own numbers: the clock began anew or was set back"
    return Finding("backwards", ClockVerdict.SUSPICIOUS, text, sum(compared), len(compared))


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
