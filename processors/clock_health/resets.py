"""A clock that began anew or was set wrongly, seen without the camera's own numbers.

Two kinds of evidence. A jump: within one upload, or live, three occasions and more show times weeks before those that
came in just before them. A factory time: a camera's times begin in the first hour of a year, long before the upload,
and nothing precedes them. A card that holds an old season shows neither: its times are in order, and begin anywhere.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Protocol, TypeVar

DAY_S = 86400
LEAST_DROP_S = 20 * DAY_S
"""A month is the least by which a clock is set wrongly; triggers of one card may come in disorder by some days."""

AROUND = 3
"""Occasions that must agree on either side of a jump."""
GOOD_AGAIN = 8
"""Occasions in a row that must be back at the old level."""
DISORDER, MOST_FALLS = 4, 2
"""Places by which parallel uploads may change the order, and falls of a clock after its jump."""
NEW = AROUND + DISORDER
"""Occasions among which a jump is looked for each time."""

SAME_UPLOAD_S, SAME_UPLOAD_TIMES = 2, 5
"""Two occasions belong to one upload when they came in within 2 s, or five times the usual distance."""
AT_ONCE = 0.2
"""Share of the time that passed by the camera's clock within which a card is uploaded; live takes all of it."""

AHEAD_S = 26 * 3600
"""No clock that is this far ahead of the upload is the right one to compare with."""

FACTORY_AT = 3
"""Occasions that make it a fault."""
FACTORY_WITHIN_S = 3600
FACTORY_DAYS = frozenset({(2002, 12, 8)})
"""Dates other than 1 January that cameras begin with."""
LATE_S = 30 * DAY_S
CHAIN_S = 60 * DAY_S
FIRST_FACTORY_YEAR = 2001
"""Earlier ones are `year-reset`."""

_EPOCH = datetime(1970, 1, 1)


class Seen(Protocol):
    """An occasion: when by the camera's clock, and when uploaded; seconds since 1970."""

    captured: int
    uploaded: int


AnySeen = TypeVar("AnySeen", bound=Seen)


@dataclass
class Jump:
    """A clock that jumped back and was not seen to be put right. All but the counts are seconds since 1970."""

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
    """Further falls: with some, there is no order in what is uploaded."""

    @property
    def stands(self) -> bool:
        """Not while its times lead up to the earliest ones before: those are the first half of a card, read last."""
        return not 0 <= self.floor - self.top < LEAST_DROP_S

    def after(self, occasion: Seen) -> "Jump | None":
        """What is left of it after one more occasion; None when the clock is right again, or there is no order."""
        shown = occasion.captured
        if shown >= (self.high - LEAST_DROP_S if self.good else max(self.high - LEAST_DROP_S, self._rise())):
            return replace(self, good=self.good + 1) if self.good + 1 < GOOD_AGAIN else None
        falls = self.falls + (shown <= self.last - LEAST_DROP_S)
        if falls > MOST_FALLS:
            return None
        return replace(self, good=0, falls=falls, last=shown, top=max(self.top, shown))

    def _rise(self) -> int:
        """A clock that is a month behind reaches its old level by itself; put right, it jumps up."""
        return self.last + (self.high - self.low) // 2


@dataclass
class FactoryTime:
    """Times that begin where a clock begins that was never set."""

    begin: int
    """Midnight of that day."""
    end: int
    """The last time that goes on from there without a gap of two months."""
    bad: int
    """Occasions from there on."""
    good: int = 0
    """Others in a row since."""

    def after(self, occasion: Seen) -> "FactoryTime | None":
        """What is known after one more occasion; None when the camera was running before, or its clock was set."""
        if self.begin - LEAST_DROP_S <= occasion.captured < self.begin:
            return None  # it was a New Year's night
        if self.begin <= occasion.captured <= self.end + CHAIN_S:
            return replace(self, end=max(self.end, occasion.captured), bad=self.bad + 1, good=0)
        return replace(self, good=self.good + 1) if self.good + 1 < GOOD_AGAIN else None


def find_jump(recent: list[AnySeen], lowest: int | None) -> Jump | None:
    """A jump back among the `NEW` last occasions, in order of arrival; `lowest` is the earliest time before these."""
    order = sorted(recent, key=lambda each: each.uploaded)
    falls = [
        at for at, (one, two) in enumerate(pairwise(order), start=1) if one.captured - two.captured >= LEAST_DROP_S
    ]
    if not falls or falls[-1] - falls[0] > DISORDER:
        return None  # no order at all: nothing can be said of it
    for at in reversed(falls):
        before, after = order[max(0, at - AROUND) : at], order[at : at + AROUND]
        if at >= len(order) - NEW and len(before) == len(after) == AROUND and _is_jump(order, at, before, after):
            times = [each.captured for each in order[at:]]
            floor = min(each.captured for each in order[:at])
            floor = floor if lowest is None else min(floor, lowest)
            return Jump(max(each.captured for each in before), min(times), floor, max(times), times[-1])
    return None


def _is_jump(order: list[AnySeen], at: int, before: list[AnySeen], after: list[AnySeen]) -> bool:
    if min(each.captured for each in before) - max(each.captured for each in after) < LEAST_DROP_S:
        return False
    if any(each.captured > each.uploaded + AHEAD_S for each in before):
        return False  # it was ahead, and is right now
    old = order[at:]
    uploading = old[-1].uploaded - old[0].uploaded
    live = uploading > AT_ONCE * (max(each.captured for each in old) - min(each.captured for each in old))
    return live or _one_upload(order, at)


def _one_upload(order: list[AnySeen], at: int) -> bool:
    """Whether the occasions on either side were uploaded in one go, so that they are not of two cards."""
    steps = [two.uploaded - one.uploaded for one, two in pairwise(order[at:])]
    return order[at].uploaded - order[at - 1].uploaded <= max(SAME_UPLOAD_S, SAME_UPLOAD_TIMES * median(steps))


def find_factory_time(recent: list[AnySeen]) -> FactoryTime | None:
    """Whether the newest occasion is of a clock that was never set, and which others are of the same."""
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
