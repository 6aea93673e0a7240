"""Which transfer is next on a thin link, and when requests are looked up. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from uncia.producers.gateway.thin.budget import DailyBudget

THUMBNAIL_SHARE = 0.5
"""So much of a day's budget is kept for thumbnails, also for those of photographs that are taken later that day."""

POLL_SHARE = 0.1
"""At most so much of a day's budget is spent on looking up requests, but for the first time: enough for it is kept."""


class Urgency(IntEnum):
    """Kinds of transfers, the most urgent first."""

    THUMBNAIL = 0
    PERSON = 1
    """A whole photograph that a person requested."""
    RULE = 2
    """A whole photograph that a rule requested."""
    WHOLE = 3
    """A photograph without a thumbnail."""


@dataclass(frozen=True)
class Transfer:
    """One file that waits."""

    file: int
    """Id of its row in the spool: in the order in which the files were found."""
    urgency: Urgency
    cost: int
    """Bytes on the link, if nothing goes wrong."""


@dataclass(frozen=True)
class Spent:
    """The bytes of this day that were used or leased."""

    total: int = 0
    thumbnails: int = 0
    polls: int = 0


def most_for_thumbnail(budget: DailyBudget, kept_for_poll: int) -> int:
    """The cost of the largest thumbnail that can ever be sent."""
    return budget.left(kept_for_poll)


def most_for_photograph(budget: DailyBudget, kept_for_poll: int) -> int:
    """The cost of the largest whole photograph that can ever be sent: it needs a day without other ones."""
    return budget.left(int(budget.limit * THUMBNAIL_SHARE) + kept_for_poll)


def next_transfer(
    waiting: Iterable[Transfer], budget: DailyBudget, spent: Spent, kept_for_poll: int
) -> Transfer | None:
    """The transfer to begin now; None where the budget of this day permits none.

    Thumbnails come first, then what a person requested, what a rule requested, and the rest, each in the order of the
    files. A whole photograph leaves to thumbnails what they have not used of their share, and all leave the
    `kept_for_poll` bytes that it costs to look up requests once a day. One that does not fit today lets a smaller one
    pass; the next day begins with it again, so that it is not passed for ever.
    """
    left = budget.left(spent.total + (0 if spent.polls else kept_for_poll))
    kept = max(0, int(budget.limit * THUMBNAIL_SHARE) - spent.thumbnails)
    for transfer in sorted(waiting, key=lambda one: (one.urgency, one.file)):
        if transfer.urgency is Urgency.THUMBNAIL:
            # All thumbnails are about as small: behind one that does not fit, nothing larger is sent either.
            return transfer if transfer.cost <= left else None
        if transfer.cost <= left - kept:
            return transfer
    return None


def is_poll_due(now: float, last: float | None, every_s: float, cost: int, budget: DailyBudget, spent: Spent) -> bool:
    """Whether requests are to be looked up at `now`; `last`: the previous time, None for never. Unix times."""
    if cost > budget.left(spent.total) or (spent.polls and spent.polls + cost > budget.limit * POLL_SHARE):
        return False
    # A clock that was set back does not end the polls.
    return last is None or now >= last + every_s or now < last
