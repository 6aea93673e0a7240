"""Bursts whose truth is known, as the fusion of presence learns from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.presence import FrameEvidence

__all__ = ["LabelledBurst", "LabelledFrame", "single_frames", "without_luminance"]


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

    @property
    def evidence(self) -> tuple[FrameEvidence, ...]:
        """The evidence of all frames, in capture order."""
        return tuple(frame.evidence for frame in self.frames)

    @property
    def place(self) -> str:
        """The camera, or the data set where the camera is unknown: what a split must not separate."""
        return f"{self.dataset}/{self.camera}" if self.camera else self.dataset


def without_luminance(bursts: Iterable[LabelledBurst]) -> list[LabelledBurst]:
    """The same bursts as if no movement were known."""

    def strip(frame: LabelledFrame) -> LabelledFrame:
        return replace(frame, evidence=replace(frame.evidence, luminance=None))

    return [replace(burst, frames=tuple(map(strip, burst.frames))) for burst in bursts]


def single_frames(bursts: Sequence[LabelledBurst]) -> list[LabelledBurst]:
    """Each labelled frame as a burst of its own; all keep the name of their burst."""
    return [
        replace(burst, frames=(frame,), animal=frame.animal)
        for burst in bursts
        for frame in burst.frames
        if frame.animal is not None
    ]
