"""How long cameras stood, when they were silent meanwhile, and how long a silence is usual; pure.

A night belongs to the day on which it begins: a deployment from 1 to 4 May has three nights.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

__all__ = ["EffortGap", "SilenceLimit", "SilenceSource", "Span", "effort_gaps", "nights_within", "silence_limit"]

_SILENT_FACTOR = 3
"""A camera is silent when it has sent nothing for this many of its usual intervals."""
_LEAST_SILENCE = timedelta(days=2)
_UNKNOWN_SILENCE = timedelta(days=3)
"""Of a camera that has sent on one day only."""


@dataclass(frozen=True)
class Span:
    """The days of a deployment, in local time."""

    first: date
    end: date
    """The day on which it ends; its night does not count."""


@dataclass(frozen=True)
class EffortGap:
    """Days in a row without a photograph while the camera was deployed."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Number of days, first and last included."""
        return (self.last - self.first).days + 1


class SilenceSource(StrEnum):
    """Where the limit of a camera's silence comes from."""

    DEPLOYMENT = "deployment"
    SETTING = "setting"
    USUAL = "usual"
    """Three times the median of the days between two contacts, at least two days."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SilenceLimit:
    """After how long without a contact a camera counts as silent."""

    after: timedelta
    source: SilenceSource
    usual_days: float | None
    """Median of the days between two days with a contact; None with fewer than two such days."""


def nights_within(spans: Iterable[Span], since: date | None = None, until: date | None = None) -> int:
    """Trap nights of spans, within days (both included); nights of spans that overlap count once."""
    nights: set[int] = set()
    for span in spans:
        first = max(span.first, since) if since else span.first
        end = min(span.end, until + timedelta(days=1)) if until and until < date.max else span.end
        nights.update(range(first.toordinal(), end.toordinal()))
    return len(nights)


def effort_gaps(spans: Iterable[Span], active: Iterable[date], least: int) -> list[EffortGap]:
    """Runs of at least so many days without a photograph, within each span, from its first day to that of its end."""
    # As numbers, which are a tenth of the work: the page of health has tens of thousands of days.
    seen = sorted({day.toordinal() for day in active})
    found: set[tuple[int, int]] = set()
    for span in spans:
        first, end = span.first.toordinal(), span.end.toordinal()
        before = first - 1
        # The day after the span stands for a photograph, so that the run before it is found, too.
        for day in [*seen[bisect_left(seen, first) : bisect_right(seen, end)], end + 1]:
            if day - before > max(least, 1):
                found.add((before + 1, day - 1))
            before = day
    return [EffortGap(date.fromordinal(first), date.fromordinal(last)) for first, last in sorted(found)]


def silence_limit(own_s: float | None, setting_h: float, contacts: Sequence[date]) -> SilenceLimit:
    """The limit of a camera: its deployment's, else that of the setting (0: none), else by its days with a contact."""
    usual = _usual_days(tuple(contacts))
    if own_s is not None:
        return SilenceLimit(timedelta(seconds=own_s), SilenceSource.DEPLOYMENT, usual)
    if setting_h > 0:
        return SilenceLimit(timedelta(hours=setting_h), SilenceSource.SETTING, usual)
    if usual is None:
        return SilenceLimit(_UNKNOWN_SILENCE, SilenceSource.UNKNOWN, None)
    return SilenceLimit(max(_SILENT_FACTOR * timedelta(days=usual), _LEAST_SILENCE), SilenceSource.USUAL, usual)


@lru_cache(maxsize=10_000)
def _usual_days(contacts: tuple[date, ...]) -> float | None:
    """Median of the days between days with a contact. Cached: the page of health needs it of all cameras."""
    days = sorted(set(contacts))
    return statistics.median((later - day).days for day, later in pairwise(days)) if len(days) > 1 else None
