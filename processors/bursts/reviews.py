"""How a reviewer's decision revises a burst; pure.

The event of a burst repeats the review that counts beside the models' verdict, which stays: readers see both. The
review is carried over to later revisions. A burst that has expired is revised from the event that the review holds.
"""

from datetime import datetime

from uncia.events import (
    BurstResolved,
    BurstReview,
    BurstStatus,
    ObservationReviewed,
    ReviewDecision,
)
from uncia.processors.bursts.changes import PendingEvent, StateChanges
from uncia.processors.bursts.lifecycle import BurstLifecycle
from uncia.processors.bursts.state import CameraState

__all__ = ["apply_review"]


def apply_review(state: CameraState, event: ObservationReviewed, lifecycle: BurstLifecycle) -> StateChanges:
    """Revise the burst of a review. A repetition, an older review and a mark change nothing.

    Raises `PermanentError` where the event that the review holds cannot be read.
    """
    changes = StateChanges()
    if event.decision is ReviewDecision.MARK:
        return changes
    known = state.bursts_by_id.get(event.burst_id)
    if known is None:
        _revise_expired(state, event, changes)
        return changes
    burst = known[1]
    if not _counts(event, burst.review):
        return changes
    burst.review = _review_of(event)
    burst.changes = (_sentence(event),)
    status = BurstStatus.PROVISIONAL if burst.open else BurstStatus.REVISED
    lifecycle.publish(state, burst, status, changes)
    return changes


def _revise_expired(state: CameraState, event: ObservationReviewed, changes: StateChanges) -> None:
    if event.burst is None:
        return
    burst = BurstResolved.from_bytes(event.burst.encode())
    if burst.burst_id != event.burst_id or burst.status is BurstStatus.SUPERSEDED:
        return
    expired = next((one for one in state.expired if one.id == event.burst_id), None)
    if expired is not None and expired.review == event.review_id:
        return
    if not _counts(event, burst.review):
        return
    revision = max(burst.revision, expired.revision if expired else 0) + 1
    if expired is not None:
        expired.revision, expired.review = revision, event.review_id
    revised: BurstResolved = burst.model_copy(
        update={
            "revision": revision,
            "status": BurstStatus.REVISED,
            "review": _review_of(event),
            "changes": (_sentence(event),),
        }
    )
    changes.pending.append(PendingEvent.of(revised))
    changes.touched = True


def _counts(event: ObservationReviewed, current: BurstReview | None) -> bool:
    """Whether a decision changes which review counts."""
    if event.decision is ReviewDecision.UNDO:
        return current is not None and current.review_id == event.supersedes
    return current is None or _order(event.reviewed_at, event.review_id) > _order(
        current.reviewed_at, current.review_id
    )


def _order(reviewed_at: datetime, review_id: str) -> tuple[datetime, str]:
    return reviewed_at, review_id


def _review_of(event: ObservationReviewed) -> BurstReview | None:
    if event.decision is ReviewDecision.UNDO:
        return event.restores
    return event.as_burst_review()


def _sentence(event: ObservationReviewed) -> str:
    if event.decision is ReviewDecision.UNDO:
        return f"review undone by {event.reviewer}"
    seen = ", ".join(
        f"{one.label or one.taxon or one.category}{f' × {one.count}' if one.count else ''}"
        for one in event.observations[:3]
    )
    return f"reviewed by {event.reviewer}: {seen or event.decision.value}"
