"""Builds the event of a reviewer's decision; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from uncia import ids
from uncia.dashboard.catalogue.rows import BurstDetail
from uncia.dashboard.catalogue.verdicts import Shown, counting_review, shown_by_review
from uncia.dashboard.web.strings import TEXT, text
from uncia.events import (
    BurstCategory,
    BurstReview,
    ObservationReviewed,
    ReviewDecision,
    ReviewedBox,
    ReviewedObservation,
)

__all__ = ["DecidedBox", "DecidedObservation", "Decision", "review_event", "seen_verdict"]

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


def seen_verdict(decision: Decision, detail: BurstDetail) -> Shown | None:
    """The verdict that the reviewer saw: of the review that counted then, else of the models.

    None where the models have decided otherwise since, or the catalogue holds no such revision or review any more. The
    number of the revision alone proves nothing: it also rises when the review itself revises the burst, and a redo
    repeats the old one.
    """
    if decision.seen_review is not None:
        seen = next((one for one in detail.reviews if one.review_id == decision.seen_review), None)
        if seen is None:
            return None
        return shown_by_review({"decision": seen.decision, "observations": seen.observations})
    revision = next((one for one in detail.revisions if one.revision == decision.revision), None)
    now = detail.model_category, detail.model_taxon, detail.model_count
    if revision is None or (revision.category, revision.taxon, revision.count) != now:
        return None
    return Shown(revision.category, revision.taxon, revision.label, revision.rank, revision.count, None)


def review_event(
    decision: Decision, detail: BurstDetail, reviewer: str, at: datetime, newest: str | None = None
) -> ObservationReviewed:
    """The event; `newest`: the newest event of the burst, as JSON. A confirmed blank becomes a decision `blank`.

    Raises `ValueError` for a decision that makes no sense for this burst.
    """
    burst = detail.burst
    images = {frame.image_id for frame in detail.frames}
    observations: Sequence[ReviewedObservation] = ()
    decided = decision.decision
    if decision.decision is ReviewDecision.CONFIRM:
        seen = seen_verdict(decision, detail)
        if seen is None or seen.category is None:
            raise ValueError(TEXT["review.refused.no_verdict"])
        if seen.category == BurstCategory.BLANK.value:
            # As if the reviewer had chosen it: a review without observations says by its decision what it means.
            decided = ReviewDecision.BLANK
        else:
            observations = [_confirmed(decision, seen, images)]
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
        review_id=ids.review_id(burst.burst_id, reviewer, at, decided.value),
        burst_id=burst.burst_id,
        burst_revision=decision.revision,
        station=burst.station,
        camera=burst.camera,
        reviewer=reviewer,
        decision=decided,
        observations=tuple(observations),
        rejected_boxes=tuple(_box(box, images) for box in decision.rejected_boxes),
        images=tuple(frame.image_id for frame in detail.frames),
        marks=None if decision.marks is None else tuple(decision.marks),
        comment=decision.comment or None,
        supersedes=decision.supersedes,
        restores=_restored(decision, detail, at) if decided is ReviewDecision.UNDO else None,
        burst=None if decision.decision is ReviewDecision.MARK else newest,
        reviewed_at=at,
    )


def _restored(decision: Decision, detail: BurstDetail, at: datetime) -> BurstReview | None:
    """The earlier review that counts again after an undo: as pages show it, so the events of the burst must."""
    undo = {
        "review_id": "",
        "decision": ReviewDecision.UNDO.value,
        "supersedes": decision.supersedes,
        "reviewed_at": at,
    }
    found = counting_review([*map(asdict, detail.reviews), undo])
    if found is None:
        return None
    return ObservationReviewed(
        review_id=found["review_id"],
        burst_id=detail.burst.burst_id,
        station=detail.burst.station,
        camera=detail.burst.camera,
        reviewer=found["reviewer"],
        decision=found["decision"],
        observations=found["observations"],
        reviewed_at=found["reviewed_at"],
    ).as_burst_review()


def _confirmed(decision: Decision, seen: Shown, images: set[str]) -> ReviewedObservation:
    """The verdict that the reviewer saw, with the count and the boxes that the reviewer sets."""
    given = decision.observations[0] if decision.observations else None
    return ReviewedObservation(
        category=BurstCategory(seen.category or ""),
        taxon=seen.taxon,
        label=seen.label,
        rank=seen.rank,
        count=(given.count if given and given.count else seen.count),
        boxes=tuple(_box(box, images) for box in given.boxes) if given else (),
    )


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
