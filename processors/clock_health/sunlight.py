"""The infrared lamp against the sun: it shines by night and not by day. Needs to know where the camera stands.

Cameras switch about sunset, sooner under trees; so only broad day and full night count as contradictions, and a clock
that is an hour off is mostly not found. A camera that never used its lamp (white flash, or by day only) says nothing
by not using it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uncia.events import ClockVerdict
from uncia.processors.clock_health.findings import Finding, in_words
from uncia.processors.clock_health.sun import Floats, elevation

DAY, NIGHT = 10.0, -10.0
"""Degrees: above it is broad day also in a wood, below it is night."""

TWILIGHT = -1.0
"""Degrees at which a lamp typically comes on; only chooses the best of the shifts that contradict nothing."""

HOURS = np.arange(-11, 13)
"""A whole day around: another day's sun is the same."""

RAISE_AT, RAISE_SHARE = 4, 0.2
CLEAR_AT, CLEAR_SHARE = 1, 0.05
USED_AT = 3
WIDEST_H = 6
"""Where shifts over more hours fit equally well, the offset cannot be told."""


@dataclass(frozen=True)
class Light:
    """One occasion: what the clock says in UTC (seconds since 1970), where (degrees), and whether the lamp was on."""

    moment: int
    latitude: float
    longitude: float
    infrared: bool


def sunlight(lights: Sequence[Light], raised: bool) -> Finding | None:
    """`zone` where a shift by whole hours puts it right, else `sun`; None while nothing stands against the clock."""
    if len(lights) < RAISE_AT:
        return None
    on = np.array([light.infrared for light in lights])
    # Shape (hours, occasions): a clock that is h hours ahead shows h hours more than it is.
    true = np.array([light.moment for light in lights], dtype=np.float64) - 3600.0 * HOURS[:, None]
    heights = elevation(
        true, np.array([light.latitude for light in lights]), np.array([light.longitude for light in lights])
    )
    against = (on & (heights > DAY)) | (~on & (heights < NIGHT) & (on.sum() >= USED_AT))
    bad = against.sum(axis=1)
    now = int(bad[HOURS == 0][0])
    count, share = (CLEAR_AT + 1, CLEAR_SHARE) if raised else (RAISE_AT, RAISE_SHARE)
    if now < count or now < share * len(lights):
        return None
    shift = _best_shift(heights, on, bad)
    if shift is None or bad[shift == HOURS][0] > now / 5:
        text = f"the infrared light was on in daylight or off in the night: {now} times of {len(lights)}"
        return Finding("sun", ClockVerdict.SUSPICIOUS, text, now, len(lights))
    side = "ahead: a wrong zone?" if shift > 0 else "behind: a wrong zone?"
    side = "off: morning for evening?" if shift == 12 else side
    text = f"the infrared light fits the sun if the clock is about {in_words(3600 * shift)} {side}"
    return Finding("zone", ClockVerdict.WRONG, text, now, len(lights), 3600.0 * shift)


def _best_shift(heights: Floats, on: np.ndarray, bad: np.ndarray) -> int | None:
    """Hours that the clock is ahead; None where too many shifts do as well as the best."""
    fits = np.flatnonzero(bad == bad.min())
    # The widest gap between shifts that fit, around the clock; what is left of the day is how far they spread.
    gaps = np.diff(np.append(fits, fits[0] + len(HOURS)))
    if len(HOURS) - int(gaps.max()) >= WIDEST_H:
        return None
    doubt = np.where(on, np.clip((heights - TWILIGHT) / 10, 0, 1), np.clip((TWILIGHT - heights) / 10, 0, 1)).sum(axis=1)
    doubt[bad > bad.min()] = np.inf
    return int(HOURS[int(doubt.argmin())])
