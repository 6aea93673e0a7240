"""A clock that was reset or set wrongly, detected without the camera's own numbers.

Two kinds of evidence. A jump: within one upload, or live, three or more occasions show times weeks before those that
arrived just before them. A factory time: a camera's times start in the first hour of a year, long before the upload,
and nothing precedes them. A card with an old season shows neither: its times are in order, and start anywhere.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Protocol, TypeVar

DAY_S = 86400
LEAST_DROP_S = 20 * DAY_S
"""Clocks are set wrongly by a month at least; triggers of one card may arrive out of order by some days."""

AROUND = 3
"""Occasions that must agree on each side of a jump."""
GOOD_AGAIN = 8
"""Occasions in a row that must be back at the old level to clear a jump."""
DISORDER, MOST_FALLS = 4, 2
"""Positions by which parallel uploads may change the order, and tolerated falls of a clock after its jump."""
NEW = AROUND + DISORDER
"""The last occasions, among which a jump is searched each time."""

SAME_UPLOAD_S, SAME_UPLOAD_TIMES = 2, 5
"""Two occasions belong to one upload when they arrived within 2 s, or within five times the median interval."""
AT_ONCE = 0.2
"""A card is uploaded within this share of the time that it covers; live uploads take all of that time."""

AHEAD_S = 26 * 3600
"""A clock that is this far ahead of the upload cannot serve as the reference."""

FACTORY_AT = 3
"""Occasions that make it a finding."""
FACTORY_WITHIN_S = 3600
FACTORY_DAYS = frozenset({(2002, 12, 8)})
"""Factory default dates of cameras other than 1 January."""
LATE_S = 30 * DAY_S
CHAIN_S = 60 * DAY_S
FIRST_FACTORY_YEAR = 2001
"""Earlier years are reported as `year-reset`."""

_EPOCH = datetime(1970, 1, 1)


class TimedOccasion(Protocol):
    """An occasion: capture time by the camera's clock, and upload time; seconds since 1970."""

    captured: int
    uploaded: int


AnyOccasion = TypeVar("AnyOccasion", bound=TimedOccasion)


@dataclass
class Jump:
    """A clock that jumped back and was not corrected; field names are stored.

    All fields but the counts are seconds since 1970.
    """

    high: int
    """The clock before it jumped."""
    low: int
    """The first time after it."""
    floor: int
    """The earliest time before it."""
    top: int
    """The latest time since."""
    last: int
    """The last time since."""
    good: int = 0
    """Occasions in a row that are back at the old level."""
    falls: int = 0
    """Further falls: with several, the uploads are in no order at all."""

    @property
    def confirmed(self) -> bool:
        """False while its times lead up to the earliest times before: a card whose first half was read last."""
        return not 0 <= self.floor - self.top < LEAST_DROP_S

    def after(self, occasion: TimedOccasion) -> "Jump | None":
        """The jump after one more occasion; None when the clock is correct again, or the uploads are in no order."""
        shown = occasion.captured
        if shown >= (self.high - LEAST_DROP_S if self.good else max(self.high - LEAST_DROP_S, self._rise())):
            return replace(self, good=self.good + 1) if self.good + 1 < GOOD_AGAIN else None
        falls = self.falls + (shown <= self.last - LEAST_DROP_S)
        if falls > MOST_FALLS:
            return None
        return replace(self, good=0, falls=falls, last=shown, top=max(self.top, shown))

    def _rise(self) -> int:
        """The time from which a clock counts as corrected: a month behind, it reaches its old level by itself."""
        return self.last + (self.high - self.low) // 2


@dataclass
class FactoryTime:
    """Times that start at the factory default of a clock that was never set. Field names are stored."""

    begin: int
    """Midnight of that day."""
    end: int
    """The last time that continues from there without a gap of two months."""
    bad: int
    """Occasions in that time."""
    good: int = 0
    """Other occasions in a row since."""

    def after(self, occasion: TimedOccasion) -> "FactoryTime | None":
        """The factory time after one more occasion; None when the camera was running before, or its clock was set."""
        if self.begin - LEAST_DROP_S <= occasion.captured < self.begin:
            return None  # It was a real New Year's night.
        if self.begin <= occasion.captured <= self.end + CHAIN_S:
            return replace(self, end=max(self.end, occasion.captured), bad=self.bad + 1, good=0)
        return replace(self, good=self.good + 1) if self.good + 1 < GOOD_AGAIN else None


def find_jump(recent: list[AnyOccasion], lowest: int | None) -> Jump | None:
    """A jump back among the `NEW` last occasions, in order of arrival; `lowest` is the earliest time before these."""
    order = sorted(recent, key=lambda occasion: occasion.uploaded)
    falls = [
        at for at, (one, two) in enumerate(pairwise(order), start=1) if one.captured - two.captured >= LEAST_DROP_S
    ]
    if not falls or falls[-1] - falls[0] > DISORDER:
        return None  # No order at all: no evidence.
    for at in reversed(falls):
        before, after = order[max(0, at - AROUND) : at], order[at : at + AROUND]
        if at >= len(order) - NEW and len(before) == len(after) == AROUND and _is_jump(order, at, before, after):
            times = [occasion.captured for occasion in order[at:]]
            floor = min(occasion.captured for occasion in order[:at])
            floor = floor if lowest is None else min(floor, lowest)
            return Jump(max(occasion.captured for occasion in before), min(times), floor, max(times), times[-1])
    return None


def _is_jump(order: list[AnyOccasion], at: int, before: list[AnyOccasion], after: list[AnyOccasion]) -> bool:
    if min(occasion.captured for occasion in before) - max(occasion.captured for occasion in after) < LEAST_DROP_S:
        return False
    if any(occasion.captured > occasion.uploaded + AHEAD_S for occasion in before):
        return False  # It was ahead, and is correct now.
    old = order[at:]
    uploading = old[-1].uploaded - old[0].uploaded
    captures = [occasion.captured for occasion in old]
    live = uploading > AT_ONCE * (max(captures) - min(captures))
    return live or _one_upload(order, at)


def _one_upload(order: list[AnyOccasion], at: int) -> bool:
    """Whether the occasions on both sides were uploaded together, so that they are not from two cards."""
    steps = [two.uploaded - one.uploaded for one, two in pairwise(order[at:])]
    return order[at].uploaded - order[at - 1].uploaded <= max(SAME_UPLOAD_S, SAME_UPLOAD_TIMES * median(steps))


def find_factory_time(recent: list[AnyOccasion]) -> FactoryTime | None:
    """The factory time at which the newest occasion starts; None where its clock was set."""
    newest = recent[-1]
    begin = newest.captured - newest.captured % DAY_S
    shown = _EPOCH + timedelta(seconds=newest.captured)
    new_year = (shown.month, shown.day) == (1, 1) and newest.captured - begin < FACTORY_WITHIN_S
    if shown.year < FIRST_FACTORY_YEAR or not (new_year or (shown.year, shown.month, shown.day) in FACTORY_DAYS):
        return None
    if newest.uploaded - newest.captured < LATE_S:
        return None
    if any(begin - LEAST_DROP_S <= other.captured < begin for other in recent):
        return None
    end, bad = newest.captured, 0
    for captured in sorted(other.captured for other in recent if other.captured >= begin):
        if captured <= end + CHAIN_S:
            end, bad = max(end, captured), bad + 1
    return FactoryTime(begin, end, bad)
