"""Stacking: how much each member is worth, learnt by logistic regression on held-out bursts.

One weight for each member, shared by all classes, and one bias, over the members' log-odds: few enough numbers to be
learnt on a few dozen bursts, whatever the number of classes (Wolpert, "Stacked generalization", 1992).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.training.ensembles.rules import Floats
from uncia.training.evaluation.calibration import fit_logistic, log_odds

_MOST_PAIRS = 400_000
"""Of an item and a class that is not there; more teach nothing and take time."""


class StackingError(UnciaError):
    """Nothing can be learnt from these bursts."""


@dataclass(frozen=True)
class Stacked:
    """What was learnt."""

    bias: float
    weights: tuple[float, ...]
    """One for each member, in their order."""


def learn(members: Floats, truth: NDArray[np.integer], *, seed: int = 0) -> Stacked:
    """Weights for answers (M, N, C) whose truth (N,) is known. Raises `StackingError`.

    An item whose truth is -1 shows none of the classes. Of the pairs of an item and a class that it does not show, so
    many are drawn as memory and time allow, and the bias is set right for that (King and Zeng, 2001).
    """
    classes = members.shape[2]
    present = truth[:, None] == np.arange(classes)
    rows = log_odds(members).reshape(len(members), -1).T
    flat = present.reshape(-1)
    if not flat.any() or flat.all():
        raise StackingError("stacking is learnt on pictures that show the classes, and on others: these do not")
    absent = np.flatnonzero(~flat)
    share = min(1.0, _MOST_PAIRS / len(absent))
    if share < 1:
        absent = np.sort(np.random.default_rng(seed).choice(absent, _MOST_PAIRS, replace=False))
    chosen = np.concatenate([np.flatnonzero(flat), absent])
    fitted = fit_logistic(rows[chosen], flat[chosen], ridge=1.0)
    if fitted is None:
        raise StackingError("stacking found nothing to learn from")
    bias, weights = fitted
    return Stacked(bias + float(np.log(share)), tuple(float(each) for each in weights))
