"""Ranges of dates, hours and confidence as links of Browse, each with its number of bursts. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from uncia.dashboard.catalogue.rows import RangeCounts
from uncia.dashboard.web.burst_query import BurstQuery

__all__ = ["RangeChoice", "confidence_choices", "date_choices", "hour_choices"]

_MOST_MONTHS = 12
"""With bursts of more months, years are listed."""
_HOURS = 6
"""Length of the parts of a day."""


@dataclass(frozen=True)
class RangeChoice:
    """One link: it sets the filter to a range; where this range is chosen, it removes it."""

    label: str
    bursts: int
    address: str
    chosen: bool


def date_choices(query: BurstQuery, ranges: RangeCounts) -> list[RangeChoice]:
    """The months with bursts, or the years; the newest first."""
    if len(ranges.month) <= _MOST_MONTHS:
        periods = [(f"{first:%Y-%m}", first, _last_of_month(first), bursts) for first, bursts in ranges.month.items()]
    else:
        years: Counter[int] = Counter()
        for first, bursts in ranges.month.items():
            years[first.year] += bursts
        periods = [(f"{year}", date(year, 1, 1), date(year, 12, 31), bursts) for year, bursts in years.items()]
    return [
        _choice(query, label, bursts, since=first, until=last) for label, first, last, bursts in sorted(periods)[::-1]
    ]


def hour_choices(query: BurstQuery, ranges: RangeCounts) -> list[RangeChoice]:
    """The parts of a day."""
    parts = range(0, len(ranges.hour), _HOURS)
    return [
        _choice(
            query,
            f"{first:02}:00–{first + _HOURS:02}:00",
            sum(ranges.hour[first : first + _HOURS]),
            hours_from=f"{first:02}:00",
            hours_to=f"{first + _HOURS:02}:00",
        )
        for first in parts
    ]


def confidence_choices(query: BurstQuery, ranges: RangeCounts) -> list[RangeChoice]:
    """The ranges of confidence."""
    return [
        _choice(query, f"{one.least:g}–{one.most:g}", one.bursts, confidence_min=one.least, confidence_max=one.most)
        for one in ranges.confidence
    ]


def _choice(query: BurstQuery, label: str, bursts: int, **wanted: Any) -> RangeChoice:
    chosen = all(getattr(query, name) == value for name, value in wanted.items())
    changes = dict.fromkeys(wanted) if chosen else wanted
    return RangeChoice(label, bursts, query.address(after=None, **changes), chosen)


def _last_of_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
