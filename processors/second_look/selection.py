"""Which settled bursts get a second look, and at which frames. Pure: events in, requests out.

Requests are made here, downstream of the verdicts, and not by the bursts worker: its output stays a function of its
input alone, while this one depends on the rate that was left.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from uncia import ids
from uncia.camtrap.taxonomy import ROOT
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    DetectionCategory,
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
        if abs(burst.animal_probability - self.threshold) <= self.within:
            return SecondLookReason.NEAR_THRESHOLD
        unnamed = burst.verdict is not None and burst.verdict.taxon == ROOT
        boxed = any(_has_animal_box(frame) for frame in burst.frames)
        return SecondLookReason.TAXON_UNKNOWN if self.taxa and unnamed and boxed else None


def build_request(
    burst: BurstResolved, reason: SecondLookReason, frames: int, lateness: timedelta, requested_at: datetime
) -> SecondLookRequested | None:
    """The request for a burst: its most informative frames, which are those that most probably show an animal.

    `lateness`: how long after it closed a burst can be revised. None where no frame can be looked at.
    """
    readable = [frame for frame in burst.frames if frame.rejection is None and frame.boxes is not None]
    chosen = sorted(readable, key=lambda frame: (-(frame.animal_probability or 0), -_best(frame), frame.image_id))
    if not chosen:
        return None
    return SecondLookRequested(
        second_look_id=ids.second_look_id([frame.image_id for frame in chosen[:frames]], RULE),
        burst_id=burst.burst_id,
        station=burst.station,
        camera=burst.camera,
        frames=tuple(
            SecondLookFrame(
                image_id=frame.image_id,
                upload_id=frame.upload_id,
                bucket=frame.bucket,
                key=frame.key,
                boxes=frame.boxes or (),
            )
            for frame in chosen[:frames]
        ),
        reason=reason,
        rule=RULE,
        requested_at=requested_at,
        useful_until=burst.closed_at + lateness if burst.closed_at else None,
    )


def _has_animal_box(frame: BurstFrame) -> bool:
    return any(box.category is DetectionCategory.ANIMAL for box in frame.boxes or ())


def _best(frame: BurstFrame) -> float:
    """The score of the best animal box."""
    return max((box.score for box in frame.boxes or () if box.category is DetectionCategory.ANIMAL), default=0.0)
