"""Stacking: the weight of each member, fitted by logistic regression on held-out bursts.

One weight per member, shared by all classes, and one bias, over the members' log-odds: few enough parameters to fit on
a few dozen bursts, whatever the number of classes (Wolpert, "Stacked generalization", 1992).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.training.ensembles.rules import Floats
from uncia.training.evaluation.calibration import fit_logistic_curve, log_odds

_MAX_NEGATIVES = 400_000
"""Pairs of an item and a class that it does not show; more of them change nothing and take time."""


class StackingError(UnciaError):
    """These bursts allow no fit of stacking weights."""


@dataclass(frozen=True)
class StackingWeights:
    """The fitted parameters."""

    bias: float
    weights: tuple[float, ...]
    """One per member, in their order."""


def fit_stacking(members: Floats, truth: NDArray[np.integer], *, seed: int = 0) -> StackingWeights:
    """Weights for predictions `members` (M, N, C) whose true class `truth` (N,) is known.

    An item whose truth is -1 shows none of the classes. Pairs of an item and a class that it does not show are sampled
    down to 400,000, and the bias is corrected for that (King and Zeng, 2001). Raises `StackingError` where all pairs
    or none are positive.
    """
    classes = members.shape[2]
    present = (truth[:, None] == np.arange(classes)).reshape(-1)
    rows = log_odds(members).reshape(len(members), -1).T
    if not present.any() or present.all():
        raise StackingError("stacking needs pictures that show the model's classes and pictures that do not")
    negatives = np.flatnonzero(~present)
    share = min(1.0, _MAX_NEGATIVES / len(negatives))
    if share < 1:
        negatives = np.sort(np.random.default_rng(seed).choice(negatives, _MAX_NEGATIVES, replace=False))
    chosen = np.concatenate([np.flatnonzero(present), negatives])
    fitted = fit_logistic_curve(rows[chosen], present[chosen], ridge=1.0)
    assert fitted is not None  # both kinds are there
    bias, weights = fitted
    return StackingWeights(bias + float(np.log(share)), tuple(float(weight) for weight in weights))
