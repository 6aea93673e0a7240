"""Builds the event of a reviewer's decision; pure."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from uncia import ids
from uncia.dashboard.catalogue.rows import BurstDetail
from uncia.dashboard.web.strings import TEXT, text
from uncia.events import BurstCategory, ObservationReviewed, ReviewDecision, ReviewedBox, ReviewedObservation

__all__ = ["DecidedBox", "DecidedObservation", "Decision", "review_event"]

_MOST_BOXES = 200


class DecidedBox(BaseModel):
    """A box in a frame, as shares of the photograph."""

    image_id: str = Field(max_length=100)
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)


class DecidedObservation(BaseModel):
    """What the reviewer saw."""

    category: BurstCategory
    taxon: str | None = Field(default=None, max_length=300)
    label: str | None = Field(default=None, max_length=300)
    rank: str | None = Field(default=None, max_length=50)
    count: int | None = Field(default=None, ge=1, le=10_000)
    boxes: list[DecidedBox] = Field(default=[], max_length=_MOST_BOXES)


class Decision(BaseModel):
    """A decision as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    burst_id: str = Field(max_length=100)
    revision: int = Field(ge=1, description="the revision that the reviewer saw")
    seen_review: str | None = Field(
        default=None, max_length=100, description="the review that counted when the reviewer saw the burst"
    )
    decision: ReviewDecision
    observations: list[DecidedObservation] = Field(
        default=[], max_length=50, description="for `correct`; a confirmed verdict is repeated by the server"
    )
    rejected_boxes: list[DecidedBox] = Field(default=[], max_length=_MOST_BOXES)
    marks: list[str] | None = Field(default=None, max_length=20)
    comment: str | None = Field(default=None, max_length=1000)
    supersedes: str | None = Field(
        default=None, max_length=100, description="the review that this one replaces or undoes"
    )


def review_event(
    decision: Decision, detail: BurstDetail, reviewer: str, at: datetime, newest: str | None = None
) -> ObservationReviewed:
    """The event; `newest`: the newest event of the burst, as JSON.

    Raises `ValueError` for a decision that makes no sense for this burst.
    """
    burst = detail.burst
    images = {frame.image_id for frame in detail.frames}
    observations: Sequence[ReviewedObservation] = ()
    if decision.decision is ReviewDecision.CONFIRM:
        if burst.category is None:
            raise ValueError(TEXT["review.refused.no_verdict"])
        observations = _confirmed(decision, detail, images)
    elif decision.decision is ReviewDecision.CORRECT:
        if not decision.observations:
            raise ValueError(TEXT["review.refused.empty"])
        if any(one.category is BurstCategory.BLANK for one in decision.observations):
            raise ValueError(TEXT["review.refused.blank"])
        observations = [_observation(one, images) for one in decision.observations]
    elif decision.decision is ReviewDecision.UNDO:
        undone = next((review for review in detail.reviews if review.review_id == decision.supersedes), None)
        # The catalogue may not have it yet: a reviewer undoes it a moment after.
        if undone is None and not (decision.supersedes or "").startswith("rev-"):
            raise ValueError(TEXT["review.refused.undo"])
        if undone is not None and undone.reviewer != reviewer:
            raise ValueError(text("review.refused.undo_other", reviewer=undone.reviewer))
    return ObservationReviewed(
        review_id=ids.review_id(burst.burst_id, reviewer, at, decision.decision.value),
        burst_id=burst.burst_id,
        burst_revision=decision.revision,
        station=burst.station,
        camera=burst.camera,
        reviewer=reviewer,
        decision=decision.decision,
        observations=tuple(observations),
        rejected_boxes=tuple(_box(box, images) for box in decision.rejected_boxes),
        images=tuple(frame.image_id for frame in detail.frames),
        marks=None if decision.marks is None else tuple(decision.marks),
        comment=decision.comment or None,
        supersedes=decision.supersedes,
        burst=None if decision.decision is ReviewDecision.MARK else newest,
        reviewed_at=at,
    )


def _confirmed(decision: Decision, detail: BurstDetail, images: set[str]) -> list[ReviewedObservation]:
    """The verdict as it stands, with the count and the boxes that the reviewer sets."""
    burst = detail.burst
    if burst.category == BurstCategory.BLANK.value:
        return []
    given = decision.observations[0] if decision.observations else None
    return [
        ReviewedObservation(
            category=BurstCategory(burst.category or ""),
            taxon=burst.taxon,
            label=burst.label,
            rank=burst.rank,
            count=(given.count if given and given.count else burst.count),
            boxes=tuple(_box(box, images) for box in given.boxes) if given else (),
        )
    ]


def _observation(one: DecidedObservation, images: set[str]) -> ReviewedObservation:
    return ReviewedObservation(
        category=one.category,
        taxon=one.taxon or None,
        label=one.label or None,
        rank=one.rank or None,
        count=one.count,
        boxes=tuple(_box(box, images) for box in one.boxes),
    )


def _box(box: DecidedBox, images: set[str]) -> ReviewedBox:
    if box.image_id not in images:
        raise ValueError(TEXT["review.refused.box_elsewhere"])
    width, height = min(box.width, 1 - box.x), min(box.height, 1 - box.y)
    if width <= 0 or height <= 0:
        raise ValueError(TEXT["review.refused.box_outside"])
    return ReviewedBox(image_id=box.image_id, box=(box.x, box.y, width, height))
