"""What stands in the bucket against what was announced and answered; pure.

Invariants: an object that nothing tells of is missed once it is older than the grace. What was announced by us
lately is not announced again until `again_after_s` has passed, so that a slow intake is not flooded; an object is
never forgotten, only waited for.
"""

from dataclasses import dataclass
from enum import StrEnum

from uncia.producers.reconcile.ledger import Known

_NOTHING = Known()


class State(StrEnum):
    """What became of a stored object."""

    ANSWERED = "answered"
    IN_WORK = "in-work"
    """Announced lately, not answered yet."""
    UNANSWERED = "unanswered"
    """Announced long ago, and still not answered."""
    REFUSED = "refused"
    """A dead letter, written after the object was stored and last announced."""
    RETRIED = "retried"
    """Refused because the store did not hand it out, and due to be tried again; no more missing than refused."""
    FRESH = "fresh"
    """Stored a moment ago; its notification may be under way."""
    WAITING = "waiting"
    """We announced it before, and no event tells of it yet."""
    MISSED = "missed"
    """Nobody announced it."""
    MOVED = "moved"
    """An upload whose object is gone, while its content stands under another camera; not counted among the stored."""


NAMED = (State.MISSED, State.WAITING, State.UNANSWERED)
"""Zero of these means that every photograph was, or is about to be, answered or refused."""


_FIRST_RETRY_S = 600


def is_due_again(refused_at: float, modified: float, now: float) -> bool:
    """Whether an object that could not be read is tried again: at twice the age at which it was refused last.

    So the tries become rarer and rarer (after ten minutes, twenty, ... a week, two), and nothing has to be remembered.
    """
    return now - refused_at >= max(_FIRST_RETRY_S, refused_at - modified)


@dataclass(frozen=True)
class Patience:
    """How long what is waited for; seconds, and the moment of the comparison in seconds since the epoch."""

    now: float
    fresh_s: float
    unanswered_after_s: float
    again_after_s: float


def judge(known: Known | None, refused_at: float | None, modified: float, patience: Patience) -> State:
    """The state of one object. `modified`: when it was stored, in seconds since the epoch."""
    known, now = known or _NOTHING, patience.now
    again = _stored_again(known, modified, now)
    if known.answered and not again:
        return State.ANSWERED
    # Stores tell whole seconds.
    if refused_at is not None and refused_at >= max(int(modified), known.announced):
        return State.REFUSED
    if known.announced and not again:
        waited = now - max(known.announced, known.by_us)
        return State.IN_WORK if waited < patience.unanswered_after_s else State.UNANSWERED
    if now - modified < patience.fresh_s:
        return State.FRESH
    # A claim from the future is a clock that was set back: it must not be waited for.
    return State.WAITING if 0 <= now - known.by_us < patience.again_after_s else State.MISSED


def _stored_again(known: Known, modified: float, now: float) -> bool:
    """The content is the last one of its key again, and the notification of that was lost.

    Somebody has put back what had been overwritten, deleted or moved away. A time in the future is a clock that is
    wrong, and tells nothing; listings tell whole seconds.
    """
    withdrawn = known.withdrawn > 0 and not known.answered and known.withdrawn >= known.announced
    put_back = withdrawn and modified >= int(known.announced)
    return put_back or (known.replaced > 0 and int(known.replaced) <= modified <= now)
