"""What one kind of evidence says, and when enough of it is enough."""

from dataclasses import dataclass
from datetime import timedelta

from uncia.events import ClockVerdict

RAISE_AT, WITHIN = 3, 8
"""A fault stands from three bad ones among the last eight occasions until eight in a row are good."""


@dataclass(frozen=True)
class Finding:
    """One fault as it stands now. `offset_s`: the clock is so far ahead, where this evidence can tell."""

    code: str
    weight: ClockVerdict
    text: str
    bad: int
    of: int
    offset_s: float | None = None


def stands(bad: list[bool], raised: bool) -> bool:
    """Whether a fault stands, given each occasion's word on it in order of arrival, and whether it stood before.

    Two thresholds, so that one odd frame neither raises nor clears anything.
    """
    if raised:
        return any(bad[-WITHIN:])
    return sum(bad[-WITHIN:]) >= RAISE_AT


def in_words(seconds: float) -> str:
    """`44 years`, `6 hours`, `5 h 45 min`: about as long as that, without sign."""
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
