"""The result of an explanation, and what can be wrong with the scores that it is computed from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.events import ExplanationMethod
from uncia.explaining.boxes import WeightedBox
from uncia.explaining.perturbations import Segments
from uncia.imaging.frames import Pixels

Scores = NDArray[np.float64]
"""(B,): the class's score in each picture."""
Score = Callable[[Pixels], NDArray[np.floating]]
"""Scores pictures uint8 (B, height, width, 3): (B,)."""

LEAST_SPREAD = 1e-6
"""Scores that differ by no more than this do not depend on the picture."""


class ExplanationError(UnciaError):
    """There is no explanation, and why."""


class ScoresUnsound(ExplanationError):
    """The model returned NaN or infinite scores, or another number of them than of pictures."""


@dataclass(frozen=True)
class Explanation:
    """Which segments of a picture raise a score."""

    method: ExplanationMethod
    segments: Segments
    weights: NDArray[np.float64]
    """(segments,): how much each one raises the score; negative: lowers it."""
    score: float
    """Of the picture itself."""
    samples: int
    """Pictures that were scored."""
    boxes: tuple[WeightedBox, ...]
    """As shares of the frame, best first; empty where nothing supports the class."""
    r2: float | None = None
    """Share of the samples' variance that the linear model explains; LIME only, None where the scores are constant."""
    constant: bool = False
    """The score is the same whatever is hidden: there is nothing to explain."""

    @property
    def pixel_weights(self) -> NDArray[np.float64]:
        """The weight of each pixel's segment, (height, width)."""
        return self.weights[self.segments]


def check_scores(scores: NDArray[np.floating], expected: int) -> Scores:
    """The scores as float64 (expected,). Raises `ScoresUnsound`."""
    found = np.asarray(scores, dtype=np.float64)
    if found.shape != (expected,):
        raise ScoresUnsound(f"the model returned scores of shape {found.shape} for {expected} pictures")
    if not np.isfinite(found).all():
        raise ScoresUnsound("the model returned NaN or infinite scores: reload it with `uncia models check --reload`")
    return found
