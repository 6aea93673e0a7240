"""The camera's clock compared with the store's: a photograph is taken before it is uploaded.

In the other direction there is little evidence: cards are uploaded weeks later. Only a delay that stays the same from
occasion to occasion indicates a wrong clock instead of a late upload. Where no deployment states the time zone of the
camera's clock, only what no zone explains counts.
"""

from collections.abc import Callable, Sequence
from statistics import median

from uncia.events import ClockVerdict
from uncia.processors.clock_health.findings import Finding, format_duration, is_raised
from uncia.processors.clock_health.history import DAY_S, History, Occasion, camera_time

ZoneLookup = Callable[[Occasion], int | None]
"""From an occasion to the UTC offset of the camera's clock by its deployment, in seconds; None where unknown."""

EAST_S, WEST_S = 14 * 3600, 12 * 3600
"""Time zones range from UTC-12 to UTC+14."""

AHEAD_S = 120
"""Tolerated difference between the store's clock and the camera's, in seconds."""

RESET_BEFORE = 978307200
"""2001-01-01. Camera traps are newer; a clock that lost its battery restarts in 1970, 1980, 1999 or 2000."""

STEADY, STEADY_S, STEADY_SPAN_S = 8, 150, 3600
"""A delay is steady when most of the last eight occasions, over an hour or more, are within 150 s of their median."""
STEADY_RAISE, STEADY_CLEAR = 7, 3
OFF_S = 900

LONG_AGO_S = 400 * DAY_S
SURE_S = 30 * DAY_S
"""An offset larger than this, in seconds, is reported without knowing the time zone."""


def year_reset(history: History, raised: bool) -> Finding | None:
    """A clock that was never set."""
    bad = [occasion.captured < RESET_BEFORE for occasion in history.recent]
    if not is_raised(bad, raised):
        return None
    reset = [occasion for occasion, is_bad in zip(history.recent, bad, strict=True) if is_bad]
    years = sorted({camera_time(occasion.captured).year for occasion in reset})
    leads = [occasion.captured - occasion.uploaded for occasion in reset]
    return Finding(
        "year-reset",
        ClockVerdict.WRONG,
        f"the clock shows {', '.join(map(str, years[:3]))}: it was reset and not set again",
        sum(bad),
        len(bad),
        float(max(leads)),
    )


def ahead(history: History, zone: ZoneLookup, raised: bool) -> Finding | None:
    """Photographs from the future."""
    bad = [_lead(occasion, zone(occasion), EAST_S) > AHEAD_S for occasion in history.recent]
    if not is_raised(bad, raised):
        return None
    most = max(history.recent, key=lambda occasion: _lead(occasion, zone(occasion), EAST_S))
    known = zone(most)
    least = _lead(most, known, EAST_S)
    year = f", it shows {camera_time(most.captured).year}" if least > 365 * DAY_S else ""
    return Finding(
        "ahead",
        ClockVerdict.WRONG,
        f"photographs are uploaded before they were taken: the clock is at least {format_duration(least)} ahead{year}",
        sum(bad),
        len(bad),
        float(_lead(most, known or 0, 0)) if known is not None or least > SURE_S else None,
    )


def steady(history: History, zone: ZoneLookup, raised: bool) -> Finding | None:
    """A constant delay. Gives the offset to the minute, and detects clocks that are behind."""
    last = history.spread[-STEADY:]
    if len(last) < STEADY or _span(last) < STEADY_SPAN_S:
        return None
    zones = [zone(occasion) for occasion in last]
    known = None not in zones
    leads = [_lead(occasion, offset if known else 0, 0) for occasion, offset in zip(last, zones, strict=True)]
    middle = median(leads)
    near = sum(abs(lead - middle) <= STEADY_S for lead in leads)
    off = abs(middle) > OFF_S if known else not -WEST_S - OFF_S <= middle <= EAST_S + OFF_S
    if not off or near < (STEADY_CLEAR if raised else STEADY_RAISE):
        return None
    side, when = ("ahead", "after") if middle > 0 else ("behind", "before")
    text = f"by its clock, every photograph was taken {format_duration(middle)} {when} its upload: the clock is {side}"
    if known and abs(middle) <= EAST_S and abs(middle - 900 * round(middle / 900)) <= STEADY_S:
        side, text = "zone", f"{text} by a difference of time zones; is it set to the zone of its deployment?"
    offset = float(middle) if known or abs(middle) > SURE_S else None
    return Finding(side, ClockVerdict.WRONG, text, near, len(last), offset)


def long_ago(history: History, raised: bool) -> Finding | None:
    """A hint, not a fault: cards are uploaded late, but seldom by more than a year."""
    bad = [RESET_BEFORE <= occasion.captured < occasion.uploaded - LONG_AGO_S for occasion in history.recent]
    if not is_raised(bad, raised):
        return None
    return Finding(
        "long-ago",
        ClockVerdict.OK,
        "photographs are uploaded more than a year after their time: an old card, or a clock that is behind",
        sum(bad),
        len(bad),
    )


def _span(occasions: Sequence[Occasion]) -> int:
    """Seconds between the first and the last upload."""
    uploads = [occasion.uploaded for occasion in occasions]
    return max(uploads) - min(uploads)


def _lead(occasion: Occasion, zone: int | None, otherwise: int) -> int:
    """Seconds by which the capture seems to follow its upload; `otherwise` is the UTC offset where no zone is known."""
    return occasion.captured - (otherwise if zone is None else zone) - occasion.uploaded
