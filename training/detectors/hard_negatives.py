"""Hard negatives: of the blank frames, those in which the detector sees most are trained on, and count more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_WEIGHT, _MOST_WEIGHT = 0.5, 2.0


@dataclass(frozen=True)
class HardNegatives:
    """Blank frames chosen for an epoch."""

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    """How much each one counts; an annotated frame counts 1."""


def mine_hard_negatives(scores: NDArray[np.floating], count: int) -> HardNegatives:
    """The `count` blanks with the highest best score, highest first.

    `scores` (N,) are the best scores of blank frames, each a false positive's. The weight rises from 0.5 at score 0 to
    2 at score 1.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:count]
    weights = _LEAST_WEIGHT + (_MOST_WEIGHT - _LEAST_WEIGHT) * np.asarray(scores, np.float64)[order]
    return HardNegatives(order.astype(np.int64), weights)
