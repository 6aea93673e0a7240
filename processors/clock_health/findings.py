"""The result of one kind of evidence, and how much of it raises a finding."""

from dataclasses import dataclass
from datetime import timedelta

from uncia.events import ClockVerdict

RAISE_AT, WITHIN = 3, 8
"""A finding is raised by three bad occasions among the last eight, and cleared when eight in a row are good."""


@dataclass(frozen=True)
class Finding:
    """One fault of a clock.

    `bad` of `of` occasions show it. `offset_s`: how far the clock is ahead, in seconds, where this evidence shows that.
    """

    code: str
    weight: ClockVerdict
    text: str
    bad: int
    of: int
    offset_s: float | None = None


def is_raised(bad: list[bool], raised_before: bool) -> bool:
    """Whether a finding is raised. `bad`: whether each occasion shows the fault, in order of arrival.

    Two thresholds, so that one odd frame neither raises nor clears anything.
    """
    if raised_before:
        return any(bad[-WITHIN:])
    return sum(bad[-WITHIN:]) >= RAISE_AT


def format_duration(seconds: float) -> str:
    """An approximate duration without sign: `44 years`, `6 hours`, `5 h 45 min`."""
    length = timedelta(seconds=abs(round(seconds)))
    if length >= timedelta(days=730):
        return f"{length.days / 365.2425:.0f} years"
    if length >= timedelta(days=2):
        return f"{length.days} days"
    minutes = round(length.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} hour{'s' if hours > 1 else ''}"
