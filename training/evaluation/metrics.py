"""What is counted of a model's answers whose truth is known.

Everywhere `probabilities` is (N, C), a row for each item, and `truth` (N,) the index of the class that it is. Each
measure has a form for each item, (N,), so that intervals can be taken over bursts (`bootstrap.interval`), and the mean
over all. They raise `ValueError` for shapes that do not fit, and for no items at all.
"""

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.reliability import expected_error, reliability

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

LEAST_PROBABILITY = 1e-7
"""The logarithm of 0 is bounded so: one sure and wrong answer costs 16.1, not everything."""


def ranks(probabilities: Floats, truth: Integers) -> NDArray[np.intp]:
    """The place of the true class among all, 1 is best, int (N,).

    Of equals the true one counts as the last: a model that says the same of everything has found nothing.
    """
    _check(probabilities, truth)
    own = probabilities[np.arange(len(truth)), truth]
    # Counted by those that are less, so that what is not a number never passes for a hit.
    return np.asarray(probabilities.shape[1] - (probabilities < own[:, None]).sum(axis=1))


def top_k(probabilities: Floats, truth: Integers, k: int) -> float:
    """Share of the items whose true class is among the best `k`."""
    return float((ranks(probabilities, truth) <= k).mean())


def mean_reciprocal_rank(probabilities: Floats, truth: Integers) -> float:
    """Mean of 1 / rank of the true class: 1 when it is always first, 0.5 when always second."""
    return float((1 / ranks(probabilities, truth)).mean())


def log_losses(probabilities: Floats, truth: Integers) -> NDArray[np.float64]:
    """Minus the natural logarithm of the true class's probability, (N,); at most 16.1."""
    _check(probabilities, truth)
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(own, LEAST_PROBABILITY, 1))
    return losses


def log_loss(probabilities: Floats, truth: Integers) -> float:
    """Mean of `log_losses`."""
    return float(log_losses(probabilities, truth).mean())


def calibration_error(probabilities: Floats, truth: Integers, bins: int = 15) -> float:
    """Expected calibration error of the best class: how far what is said lies from what happens, on average."""
    _check(probabilities, truth)
    said, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    return expected_error(reliability(np.clip(said, 0, 1), correct, bins))


def confusion(predicted: Integers, truth: Integers, classes: int) -> NDArray[np.int64]:
    """How often which class (row) was called which (column), int (C, C). `predicted` and `truth` are (N,)."""
    if predicted.shape != truth.shape or predicted.ndim != 1:
        raise ValueError(f"predicted {predicted.shape} and truth {truth.shape} must be vectors of one length")
    for name, values in (("predicted", predicted), ("truth", truth)):
        if len(values) and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(f"{name} names a class that is not among 0 to {classes - 1}")
    cells = truth.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def _check(probabilities: Floats, truth: Integers) -> None:
    if probabilities.ndim != 2 or truth.shape != probabilities.shape[:1]:
        raise ValueError(f"probabilities {probabilities.shape} need a truth for each row, not {truth.shape}")
    if not len(truth):
        raise ValueError("nothing was judged: no items")
    if not (truth.min() >= 0 and truth.max() < probabilities.shape[1]):
        raise ValueError(f"the truth names a class that is not among 0 to {probabilities.shape[1] - 1}")
