"""Bursts whose truth is known, as the fusion of presence learns from them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.presence import (
    FEATURES,
    BurstFeatures,
    EvidenceKind,
    FrameEvidence,
    burst_evidence_features,
)

__all__ = ["LabelledBurst", "LabelledFrame", "PreparedBurst", "blank_parts", "prepare_bursts"]

_MOVEMENT = ("moved", "scene_moved", "peak_moved")
"""Features that a burst without luminance lacks."""


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """One frame: its evidence and what it shows."""

    evidence: FrameEvidence
    animal: bool | None
    """Whether this very frame shows an animal; None where only the burst is labelled."""
    true_boxes: NDArray[np.float64] | None = None
    """(k, 4), shares of the photograph; None where the data have no boxes."""
    name: str = ""


@dataclass(frozen=True, eq=False)
class LabelledBurst:
    """A burst of frames in capture order."""

    name: str
    """Unique among the bursts that are learnt from."""
    dataset: str
    camera: str
    """Empty where it is unknown."""
    frames: tuple[LabelledFrame, ...]
    animal: bool
    """Whether any frame shows an animal."""
    part: bool = False
    """Whether these are the blank frames of a burst that shows an animal (`blank_parts`)."""

    @property
    def evidence(self) -> tuple[FrameEvidence, ...]:
        """The evidence of all frames, in capture order."""
        return tuple(frame.evidence for frame in self.frames)

    @property
    def place(self) -> str:
        """The camera, or the data set where the camera is unknown: what a split must not separate."""
        return f"{self.dataset}/{self.camera}" if self.camera else self.dataset


@dataclass(frozen=True, eq=False)
class PreparedBurst:
    """A burst with its features, which do not depend on the weights and are computed once for all fits."""

    burst: LabelledBurst
    moving: BurstFeatures | None
    """None where the movement of no frame is known."""
    still: BurstFeatures | None
    """As if no movement were known; None for a single frame."""
    single: tuple[BurstFeatures, ...]
    """Each frame as if it were a burst of its own."""

    @property
    def best(self) -> BurstFeatures:
        """The features that the stream would use."""
        return self.moving or self.still or self.single[0]


def prepare_bursts(bursts: Iterable[LabelledBurst], movement_threshold: float) -> list[PreparedBurst]:
    """Compute the features of bursts, sorted by name."""
    return [_prepare(burst, movement_threshold) for burst in sorted(bursts, key=lambda burst: burst.name)]


def blank_parts(bursts: Iterable[LabelledBurst]) -> list[LabelledBurst]:
    """The blank frames of bursts that show an animal in other frames, as blank bursts of their own.

    Many data sets have blank frames and no blank burst. Only bursts with at least two blank frames give one.
    """
    parts = []
    for burst in bursts:
        blank = tuple(frame for frame in burst.frames if frame.animal is False)
        if burst.animal and len(blank) > 1:
            parts.append(replace(burst, name=f"{burst.name}#blank", frames=blank, animal=False, part=True))
    return parts


def _prepare(burst: LabelledBurst, movement_threshold: float) -> PreparedBurst:
    features = burst_evidence_features(burst.evidence, (), movement_threshold)
    still = _without(features, "still", _MOVEMENT)
    alone = _without(features, "single", (*_MOVEMENT, "recurrence"))
    singles = tuple(
        BurstFeatures("single", (alone.frames[number],), (alone.boxes[number],), alone.focus[[number]])
        for number in range(len(burst.frames))
    )
    several = len(burst.frames) > 1
    return PreparedBurst(burst, features if features.kind == "moving" else None, still if several else None, singles)


def _without(features: BurstFeatures, kind: EvidenceKind, names: tuple[str, ...]) -> BurstFeatures:
    columns = [FEATURES.index(name) for name in names]

    def strip(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        copy = rows.copy()
        copy[:, columns] = 0
        return copy

    return replace(features, kind=kind, frames=tuple(map(strip, features.frames)))
