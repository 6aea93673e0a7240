"""The camera's clock against the store's: a photograph is taken before it is uploaded.

The other way round little can be said: cards come weeks late. Only a delay that stays the same from occasion to
occasion is no delay but a wrong clock. Where no deployment tells the zone of the camera's clock, only what no zone
explains counts.
"""

from collections.abc import Callable
from statistics import median

from uncia.events import ClockVerdict
from uncia.processors.clock_health.findings import Finding, in_words, stands
from uncia.processors.clock_health.history import DAY_S, History, Occasion, camera_time

Zone = Callable[[Occasion], int | None]
"""Seconds that the camera's clock is ahead of UTC by its deployment; None where none is known."""

EAST_S, WEST_S = 14 * 3600, 12 * 3600
"""The zones of the world reach from UTC-12 to UTC+14."""

AHEAD_S = 120
"""The store's clock and the camera's may differ by so much, and nobody minds."""

RESET_BEFORE = 978307200
"""2001-01-01. Camera traps are younger; a clock that lost its battery begins again in 1970, 1980, 1999 or 2000."""

STEADY, STEADY_S, STEADY_SPAN_S = 8, 150, 3600
"""A delay is steady when most of the last eight occasions, over an hour or more, are within 150 s of their median."""
STEADY_RAISE, STEADY_CLEAR = 7, 3
OFF_S = 900

LONG_AGO_S = 400 * DAY_S
SURE_S = 30 * DAY_S
"""An offset larger than this may be told without knowing the zone."""


def year_reset(history: History, raised: bool) -> Finding | None:
    """A clock that was never set."""
    bad = [each.captured < RESET_BEFORE for each in history.recent]
    if not stands(bad, raised):
        return None
    years = sorted(
        {camera_time(each.captured).year for each, is_bad in zip(history.recent, bad, strict=True) if is_bad}
    )
    leads = [each.captured - each.uploaded for each, is_bad in zip(history.recent, bad, strict=True) if is_bad]
    return Finding(
        "year-reset",
        ClockVerdict.WRONG,
        f"the clock says {', '.join(map(str, years[:3]))}: it began anew and was never set",
        sum(bad),
        len(bad),
        float(max(leads)),
    )


def ahead(history: History, zone: Zone, raised: bool) -> Finding | None:
    """Photographs from the future."""
    leads = [_lead(each, zone(each), EAST_S) for each in history.recent]
    bad = [lead > AHEAD_S for lead in leads]
    if not stands(bad, raised):
        return None
    most = max(history.recent, key=lambda each: _lead(each, zone(each), EAST_S))
    known = zone(most)
    least = _lead(most, known, EAST_S)
    said = f", it says {camera_time(most.captured).year}" if least > 365 * DAY_S else ""
    return Finding(
        "ahead",
        ClockVerdict.WRONG,
        f"photographs are uploaded before they were taken: the clock is at least {in_words(least)} ahead{said}",
        sum(bad),
        len(bad),
        float(_lead(most, known or 0, 0)) if known is not None or least > SURE_S else None,
    )


def steady(history: History, zone: Zone, raised: bool) -> Finding | None:
    """A delay that never changes. Tells the offset to the minute, and finds clocks that are behind."""
    last = history.spread[-STEADY:]
    if len(last) < STEADY or max(e.uploaded for e in last) - min(e.uploaded for e in last) < STEADY_SPAN_S:
        return None
    zones = [zone(each) for each in last]
    known = None not in zones
    leads = [_lead(each, offset if known else 0, 0) for each, offset in zip(last, zones, strict=True)]
    middle = median(leads)
    near = sum(abs(lead - middle) <= STEADY_S for lead in leads)
    off = abs(middle) > OFF_S if known else not -WEST_S - OFF_S <= middle <= EAST_S + OFF_S
    if not off or near < (STEADY_CLEAR if raised else STEADY_RAISE):
        return None
    side, when = ("ahead", "after") if middle > 0 else ("behind", "before")
    text = f"every photograph arrives as if it were taken {in_words(middle)} {when} its upload: the clock is {side}"
    if known and abs(middle) <= EAST_S and abs(middle - 900 * round(middle / 900)) <= STEADY_S:
        side, text = "zone", f"{text} by a difference of time zones; is it set to the zone that its deployment says?"
    offset = float(middle) if known or abs(middle) > SURE_S else None
    return Finding(side, ClockVerdict.WRONG, text, near, len(last), offset)


def long_ago(history: History, raised: bool) -> Finding | None:
    """A hint, no fault: cards come late, but seldom by more than a year."""
    bad = [RESET_BEFORE <= each.captured < each.uploaded - LONG_AGO_S for each in history.recent]
    if not stands(bad, raised):
        return None
    return Finding(
        "long-ago",
        ClockVerdict.OK,
        "photographs are uploaded more than a year after their time: an old card, or a clock that is behind",
        sum(bad),
        len(bad),
    )


def _lead(occasion: Occasion, zone: int | None, otherwise: int) -> int:
    """Seconds by which the capture seems to follow its upload; without a zone, at the least."""
    return occasion.captured - (otherwise if zone is None else zone) - occasion.uploaded
