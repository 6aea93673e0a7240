"""The infrared lamp compared with the sun: it is on by night and off by day. Needs the camera's position.

Cameras switch around sunset, earlier under trees; so only broad daylight and full night count as contradictions, and
a clock that is an hour off is mostly not detected. For a camera that never used its lamp (white flash, or daylight
only), an unused lamp is no evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uncia.events import ClockVerdict
from uncia.processors.clock_health.findings import Finding, format_duration
from uncia.processors.clock_health.sun import Floats, elevation

DAY, NIGHT = 10.0, -10.0
"""Elevations in degrees: above the first it is broad daylight even in a forest, below the second it is night."""

TWILIGHT = -1.0
"""Elevation in degrees at which a lamp typically switches on; only decides among shifts without contradiction."""

HOURS = np.arange(-11, 13)
"""Shifts around one day, in hours: the sun of another day is the same."""

RAISE_AT, RAISE_SHARE = 4, 0.2
CLEAR_AT, CLEAR_SHARE = 1, 0.05
USED_AT = 3
WIDEST_H = 6
"""Where shifts over more hours than this fit equally well, the offset is unknown."""


@dataclass(frozen=True)
class Light:
    """One occasion: the clock in UTC (seconds since 1970), the position (degrees), and whether the lamp was on."""

    moment: int
    latitude: float
    longitude: float
    infrared: bool


def sunlight(lights: Sequence[Light], raised: bool) -> Finding | None:
    """A finding `zone` where a shift by whole hours explains it, else `sun`; None without enough contradictions."""
    if len(lights) < RAISE_AT:
        return None
    on = np.array([light.infrared for light in lights])
    # Shape (hours, occasions): a clock that is h hours ahead shows h hours too many.
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
    side = "ahead (wrong time zone?)" if shift > 0 else "behind (wrong time zone?)"
    side = "off (AM and PM confused?)" if shift == 12 else side
    text = f"the infrared light fits the sun if the clock is about {format_duration(3600 * shift)} {side}"
    return Finding("zone", ClockVerdict.WRONG, text, now, len(lights), 3600.0 * shift)


def _best_shift(heights: Floats, on: np.ndarray, bad: np.ndarray) -> int | None:
    """Hours that the clock is ahead; None where too many shifts fit as well as the best."""
    fits = np.flatnonzero(bad == bad.min())
    # The widest gap between fitting shifts, around the clock; the rest of the day is how far they spread.
    gaps = np.diff(np.append(fits, fits[0] + len(HOURS)))
    if len(HOURS) - int(gaps.max()) >= WIDEST_H:
        return None
    misfit = np.where(on, np.clip((heights - TWILIGHT) / 10, 0, 1), np.clip((TWILIGHT - heights) / 10, 0, 1)).sum(
        axis=1
    )
    misfit[bad > bad.min()] = np.inf
    return int(HOURS[int(misfit.argmin())])
