"""Individuals: which known animal a burst may show, and what people decided. Internal: no public topic holds them."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, FreeText, LocalTime, Name, UtcTime, WireModel

__all__ = [
    "AnimalSide",
    "IndividualCandidate",
    "IndividualCrop",
    "IndividualDecided",
    "IndividualDecision",
    "IndividualSighted",
    "MatchedPoints",
    "SightingStatus",
]


class AnimalSide(StrEnum):
    """The side of the animal that a crop shows."""

    LEFT = "left"
    RIGHT = "right"
    HEAD = "head"
    UNKNOWN = "unknown"


class SightingStatus(StrEnum):
    """State of a sighting."""

    PROPOSED = "proposed"
    """The machine's candidates; nobody has decided, or a person was unsure."""
    CONFIRMED = "confirmed"
    """A person named the individuals."""
    REJECTED = "rejected"
    """A person decided that the burst cannot tell who it is."""
    WITHDRAWN = "withdrawn"
    """No crop of the burst is left, or a person is in it, or its taxon is no longer marked."""


class IndividualDecision(StrEnum):
    """What a person decided about individuals."""

    SAME = "same"
    """The crops of the burst show `individual_id`."""
    NEW = "new"
    """The crops of the burst show an individual that was unknown: `individual_id` from now on."""
    DIFFERENT = "different"
    """The crops of the burst do not show `individual_id`: it is no candidate any more."""
    UNSURE = "unsure"
    """The reviewer cannot tell."""
    REJECT = "reject"
    """The crops cannot tell who it is: too blurred, another taxon, no animal."""
    MERGE = "merge"
    """`individual_id` and `other_id` are one animal, which is `other_id` from now on."""
    LINK = "link"
    """As `merge`, where one was known from its left and the other from its right side."""
    SPLIT = "split"
    """`individual_id` is a new individual, with the sightings `bursts` of `other_id`."""
    RENAME = "rename"
    """`individual_id` has this `code` and `name`."""
    UNDO = "undo"
    """The decision that `undoes` names does not count."""


class IndividualCrop(WireModel):
    """A crop that shows the animal."""

    crop_id: Name
    bucket: Name
    key: Name = Field(description="object key of the JPEG, below `crops/`")
    side: AnimalSide = AnimalSide.UNKNOWN


class MatchedPoints(WireModel):
    """One point of the query crop and the point of the reference crop that it matches, in pixels of each."""

    query_x: float
    query_y: float
    reference_x: float
    reference_y: float


class IndividualCandidate(WireModel):
    """A known individual that the burst may show."""

    individual_id: Name
    score: float = Field(ge=0, le=1, description="a probability where `calibrated` is true")
    matches: NonNegativeInt = Field(description="points that agree in geometry")
    crop_id: Name = Field(description="crop of the burst that matched best")
    reference_crop_id: Name = Field(description="crop of the individual that it matched")
    reference_bucket: Name
    reference_key: Name
    points: tuple[MatchedPoints, ...] = Field(default=(), max_length=100, description="best first")


class IndividualSighted(Event):
    """Who a burst may show, or shows as a person decided. Key: `burst_id`; partition: its camera's.

    Consumers keep the highest `revision`, and of two with the same one the later one.
    """

    topic: ClassVar[str] = "camera.individual.sighted.v1"

    burst_id: Name
    revision: PositiveInt
    station: Name
    camera: Name
    started_at: LocalTime = Field(description="start of the burst, by the camera's clock")
    taxon: Name
    status: SightingStatus
    crops: BoundedTuple[IndividualCrop] = Field(default=(), description="best first; empty when withdrawn")
    candidates: BoundedTuple[IndividualCandidate] = Field(default=(), description="best first")
    new_score: float | None = Field(
        default=None, ge=0, le=1, description="that it is none of the known individuals; None: nothing was compared"
    )
    calibrated: bool = Field(default=False, description="true: the scores are probabilities")
    matcher: Name | None = Field(default=None, description="embedder and its version")
    reason: FreeText | None = Field(default=None, description="why nothing was compared, or why it was withdrawn")
    individuals: BoundedTuple[Name] = Field(
        default=(), description="ids of the individuals that a person saw, mergers applied as of this revision"
    )
    decision_id: Name | None = Field(default=None, description="the latest decision on the burst that counts")
    decision: IndividualDecision | None = None
    reviewer: Name | None = Field(default=None, description="name of the account that decided")
    decided_at: UtcTime | None = None
    sighted_at: UtcTime = Field(description="when this revision was published")


class IndividualDecided(Event):
    """A person's decision about individuals. Key: the burst's id, or else the individual's.

    The registry is a fold of all decisions in the order of `decided_at`, then of `decision_id`: the order in which they
    arrive, and repetitions, do not matter. A decision that an `undo` names does not count, unless that one is undone.
    """

    topic: ClassVar[str] = "camera.individual.decided.v1"

    decision_id: Name = Field(description="derived from its content: a repetition is the same decision")
    decision: IndividualDecision
    reviewer: Name = Field(description="name of the account")
    decided_at: UtcTime
    individual_id: Name | None = Field(default=None, description="the individual that the decision is about")
    other_id: Name | None = Field(
        default=None, description="`merge`, `link`: the one that it becomes; `split`: the one that it was part of"
    )
    code: Name | None = Field(default=None, description="short name, e.g. `F07`; `new`, `split`, `rename`")
    name: Name | None = None
    taxon: Name | None = Field(default=None, description="scientific name; `new` and `split`")
    burst_id: Name | None = Field(default=None, description="`same`, `new`, `different`, `unsure`, `reject`: the burst")
    station: Name | None = None
    camera: Name | None = None
    captured_at: LocalTime | None = Field(default=None, description="start of the burst, by the camera's clock")
    crops: BoundedTuple[IndividualCrop] = Field(
        default=(), description="the crops that the decision is about; empty: the burst as a whole"
    )
    bursts: BoundedTuple[Name] = Field(default=(), description="`split`: the bursts of the new individual")
    undoes: Name | None = Field(default=None, description="`undo`: id of the decision that does not count")
    source: Name | None = Field(default=None, description="where an imported decision is from, e.g. `wildbook`")
    comment: FreeText | None = None

    @property
    def message_key(self) -> bytes:
        """The message key: the burst's id, or the individual's, or that of the decision which is undone."""
        return (self.burst_id or self.individual_id or self.undoes or self.decision_id).encode()

    @property
    def partition_key(self) -> str:
        """What determines the partition: the camera, or the message key."""
        return self.camera or self.message_key.decode()
