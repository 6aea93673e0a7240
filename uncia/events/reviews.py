"""Reviews: what a person saw in a burst."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, PositiveInt

from uncia.events.base import BoundedTuple, Event, FreeText, Name, UtcTime, WireModel
from uncia.events.bursts import MAX_FURTHER, BurstCategory, BurstReview, FurtherObservation
from uncia.events.values import Box


class ReviewDecision(StrEnum):
    """What a reviewer decided."""

    CONFIRM = "confirm"
    """The verdict is right; `observations` repeats it, so that a later revision by a model does not change it."""
    CORRECT = "correct"
    """The burst shows `observations`."""
    BLANK = "blank"
    """No animal, person or vehicle is in the burst."""
    UNKNOWN = "unknown"
    """The reviewer cannot tell."""
    MARK = "mark"
    """Only the marks change, not what the burst shows."""
    UNDO = "undo"
    """The review that `supersedes` names no longer counts."""


class ReviewedBox(WireModel):
    """A box in one photograph of the burst."""

    image_id: Name
    box: Box


class ReviewedObservation(WireModel):
    """One category or taxon that the reviewer saw."""

    category: BurstCategory
    taxon: Name | None = Field(default=None, description="scientific name; None: no more than the category")
    label: Name | None = Field(default=None, description="the name that the reviewer chose it by")
    rank: Name | None = None
    count: PositiveInt | None = Field(default=None, description="individuals; None: not counted")
    boxes: BoundedTuple[ReviewedBox] = Field(default=(), description="boxes that the reviewer drew or accepted")


class ObservationReviewed(Event):
    """A reviewer's decision on a burst. Key: `burst_id`; partition: its camera's.

    Of several reviews of one burst, the one with the latest `reviewed_at` counts (then the higher id); a review that
    another one names in `supersedes` does not count any more.
    """

    topic: ClassVar[str] = "camera.observation.reviewed.v1"

    review_id: Name = Field(description="derived from burst, reviewer, time and decision: a repetition is the same")
    burst_id: Name
    burst_revision: PositiveInt | None = Field(default=None, description="the revision that the reviewer saw")
    station: Name
    camera: Name
    reviewer: Name = Field(description="name of the account")
    decision: ReviewDecision
    observations: BoundedTuple[ReviewedObservation] = Field(
        default=(), description="what the burst shows, the main one first; empty for `blank`, `unknown`, `mark`, `undo`"
    )
    rejected_boxes: BoundedTuple[ReviewedBox] = Field(default=(), description="detections that are wrong")
    images: BoundedTuple[Name] = Field(
        default=(), description="ids of the photographs that the reviewer saw, so that a regrouped burst can be matched"
    )
    marks: tuple[Name, ...] | None = Field(
        default=None,
        max_length=100,
        description="all marks of the burst from now on, e.g. `favourite`; None: unchanged",
    )
    comment: FreeText | None = None
    supersedes: Name | None = Field(default=None, description="id of the review that this one replaces or undoes")
    burst: str | None = Field(
        default=None,
        max_length=950_000,
        description="the newest `camera.burst.resolved.v1` of the burst that the sender knows, as its JSON: by it the "
        "bursts worker revises a burst that it no longer holds; None: only one that it holds is revised",
    )
    restores: BurstReview | None = Field(
        default=None, description="for `undo`: the earlier review that counts again; None: none does"
    )
    reviewed_at: UtcTime

    def as_burst_review(self) -> BurstReview:
        """The review as the events of its burst repeat it."""
        main = self.observations[0] if self.observations else None
        further = dict.fromkeys(
            FurtherObservation(category=one.category, taxon=one.taxon, label=one.label) for one in self.observations[1:]
        )
        # Persons and vehicles are never those that are left out.
        kept = set(sorted(further, key=lambda one: one.category is BurstCategory.ANIMAL)[:MAX_FURTHER])
        return BurstReview(
            review_id=self.review_id,
            reviewer=self.reviewer,
            decision=self.decision.value,
            category=main.category if main else None,
            taxon=main.taxon if main else None,
            label=main.label if main else None,
            rank=main.rank if main else None,
            count=main.count if main else None,
            further=tuple(one for one in further if one in kept) or None,
            reviewed_at=self.reviewed_at,
        )
