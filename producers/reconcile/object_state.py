"""Compares a stored object with what was announced and predicted; pure.

Invariants: an object without any event is missed once it is older than the grace period. An object that reconcile has
announced is not announced again before `again_after_s` seconds, so that a slow intake is not flooded; no object is ever
given up.
"""

from dataclasses import dataclass
from enum import StrEnum

from uncia.producers.reconcile.ledger import UploadRecord

_UNKNOWN = UploadRecord()


class ObjectState(StrEnum):
    """The state of a stored object. The values are keys of the JSON output."""

    ANSWERED = "answered"
    IN_WORK = "in-work"
    """Announced recently, without a prediction yet."""
    UNANSWERED = "unanswered"
    """Announced long ago, and still without a prediction."""
    REFUSED = "refused"
    """A dead letter was written after the object was stored and last announced."""
    RETRIED = "retried"
    """Refused because the store did not return it, and due for a retry; counts as refused, not as missing."""
    FRESH = "fresh"
    """Stored a moment ago; its notification may be on its way."""
    WAITING = "waiting"
    """Announced by reconcile, and without an event yet."""
    MISSED = "missed"
    """Never announced."""
    MOVED = "moved"
    """An upload whose object was removed, while its content is stored under another camera; not counted as stored."""
    VANISHED = "vanished"
    """A predicted upload whose content is stored nowhere in the bucket any more; not counted as stored."""


UNRESOLVED = (ObjectState.MISSED, ObjectState.WAITING, ObjectState.UNANSWERED)
"""States of missing photographs. Without any of them, every photograph is predicted or refused, or will be soon."""

NOT_STORED = (ObjectState.MOVED, ObjectState.VANISHED)
"""States of uploads that have no object."""


_FIRST_RETRY_S = 600


def is_retry_due(refused_at: float, modified: float, now: float) -> bool:
    """Return whether an object that could not be read is due for a retry: at twice the age of its last refusal.

    This is an exponential backoff (ten minutes, twenty, ..., a week, two) without stored state. Arguments are in
    seconds since the epoch.
    """
    return now - refused_at >= max(_FIRST_RETRY_S, refused_at - modified)


@dataclass(frozen=True)
class TimeLimits:
    """Waiting times in seconds, and the time of the comparison in seconds since the epoch."""

    now: float
    fresh_s: float
    unanswered_after_s: float
    again_after_s: float


def state_of(known: UploadRecord | None, refused_at: float | None, modified: float, limits: TimeLimits) -> ObjectState:
    """The state of one object. `modified`: when it was stored, in seconds since the epoch."""
    known, now = known or _UNKNOWN, limits.now
    stored_again = _is_stored_again(known, modified, now)
    if known.answered and not stored_again:
        return ObjectState.ANSWERED
    # Stores return whole seconds.
    if refused_at is not None and refused_at >= max(int(modified), known.announced):
        return ObjectState.REFUSED
    if known.announced and not stored_again:
        waited = now - max(known.announced, known.by_us)
        return ObjectState.IN_WORK if waited < limits.unanswered_after_s else ObjectState.UNANSWERED
    if now - modified < limits.fresh_s:
        return ObjectState.FRESH
    # A claim in the future means that the clock was set back; do not wait for it.
    return ObjectState.WAITING if 0 <= now - known.by_us < limits.again_after_s else ObjectState.MISSED


def _is_stored_again(known: UploadRecord, modified: float, now: float) -> bool:
    """True where an earlier content of a key was stored again, and that notification was lost.

    It had been overwritten, deleted or moved away, and was restored. A time in the future means a wrong clock and is
    ignored; listings return whole seconds.
    """
    withdrawn = known.withdrawn > 0 and not known.answered and known.withdrawn >= known.announced
    restored = withdrawn and modified >= int(known.announced)
    return restored or (known.replaced > 0 and int(known.replaced) <= modified <= now)
