"""Which settled bursts get a second look, and at which frames. Pure: events in, requests out.

Requests are made here, downstream of the verdicts, and not by the bursts worker: its output stays a function of its
input alone, while this one depends on the rate that was left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from uncia import ids
from uncia.camtrap.taxonomy import ROOT
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    DetectionCategory,
    FrameBox,
    SecondLookFrame,
    SecondLookReason,
    SecondLookRequested,
)

PER_SIDE = 2
SHARE = 0.6
"""Tiles of a photograph: 2 x 2, each 60 % of its width and height. What is smaller than a fifth of the photograph is in
one of them entirely, 1.7 times as large as in the first look."""

RULE = "tiles-2x2/1"
"""Bump when the same photograph gives other boxes."""


@dataclass(frozen=True)
class Inconclusive:
    """What is inconclusive: the settings of the selection."""

    threshold: float
    """Probability from which a burst shows an animal."""
    within: float
    """A probability that is this near to it is inconclusive."""
    taxa: bool
    """Whether an animal without a taxon is."""

    def reason(self, burst: BurstResolved) -> SecondLookReason | None:
        """Why a burst is inconclusive; None where it is not, or had its second look.

        Persons and vehicles are conclusive, and so is a focus taxon, which has a threshold of its own.
        """
        if burst.status not in (BurstStatus.FINAL, BurstStatus.REVISED) or burst.animal_probability is None:
            return None
        if burst.category not in (BurstCategory.ANIMAL, BurstCategory.BLANK):
            return None
        if any(frame.second_look for frame in burst.frames) or (burst.verdict is not None and burst.verdict.focus):
            return None
        if is_near_threshold(burst.animal_probability, self.threshold, self.within):
            return SecondLookReason.NEAR_THRESHOLD
        unnamed = burst.verdict is not None and burst.verdict.taxon == ROOT
        boxed = any(_has_animal_box(frame) for frame in burst.frames)
        return SecondLookReason.TAXON_UNKNOWN if self.taxa and unnamed and boxed else None


class Candidate(NamedTuple):
    """A frame that could be looked at again, as far as the choice depends on it."""

    probability: float
    """That it shows an animal; 0 where that is unknown."""
    best_score: float
    """The score of its best animal box; 0 without any."""
    image_id: str


def is_near_threshold(probability: float, threshold: float, within: float) -> bool:
    """Whether a burst's probability of an animal leaves open what it shows."""
    return abs(probability - threshold) <= within


def most_informative(frames: Sequence[Candidate], count: int) -> list[int]:
    """Indices of the frames of a burst to look at again, at most `count`: those that most probably show an animal."""
    order = sorted(range(len(frames)), key=lambda at: (-frames[at][0], -frames[at][1], frames[at][2]))
    return order[:count]


def build_request(
    burst: BurstResolved, reason: SecondLookReason, frames: int, lateness: timedelta, requested_at: datetime
) -> SecondLookRequested | None:
    """The request for a burst: its most informative frames, which are those that most probably show an animal.

    `lateness`: how long after it closed a burst can be revised. None where no frame can be looked at.
    """
    readable = [frame for frame in burst.frames if frame.rejection is None and frame.boxes is not None]
    candidates = [Candidate(frame.animal_probability or 0, _best(frame), frame.image_id) for frame in readable]
    chosen = [readable[at] for at in most_informative(candidates, frames)]
    if not chosen:
        return None
    return SecondLookRequested(
        second_look_id=ids.second_look_id([frame.image_id for frame in chosen], RULE),
        burst_id=burst.burst_id,
        station=burst.station,
        camera=burst.camera,
        frames=tuple(
            SecondLookFrame(
                image_id=frame.image_id,
                upload_id=frame.upload_id,
                bucket=frame.bucket,
                key=frame.key,
                boxes=tuple(_detections(frame)),
            )
            for frame in chosen
        ),
        reason=reason,
        rule=RULE,
        requested_at=requested_at,
        useful_until=burst.closed_at + lateness if burst.closed_at else None,
    )


def _detections(frame: BurstFrame) -> list[FrameBox]:
    """The boxes that the detector found; a second look does not take one of movement for a detection."""
    return [box for box in frame.boxes or () if box.source is None]


def _has_animal_box(frame: BurstFrame) -> bool:
    return any(box.category is DetectionCategory.ANIMAL for box in _detections(frame))


def _best(frame: BurstFrame) -> float:
    """The score of the best animal box."""
    return max((box.score for box in _detections(frame) if box.category is DetectionCategory.ANIMAL), default=0.0)
