"""Metrics of predictions whose truth is known.

Everywhere `probabilities` is (N, C), one row per item, and `truth` (N,) the index of the true class. Each metric has a
form per item, (N,), from which intervals over bursts are computed (`bootstrap_interval`), and a mean over all items.
They raise `ValueError` for shapes that do not fit, and without items.

scikit-learn's `log_loss` and `top_k_accuracy_score` return means only, and count a tie in favour of the true class.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix

from uncia.training.evaluation.reliability import expected_calibration_error, reliability_bins

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

MIN_PROBABILITY = 1e-7
"""Bounds the logarithm of 0: one certain and wrong answer costs 16.1, not infinity."""


def ranks(probabilities: Floats, truth: Integers) -> NDArray[np.intp]:
    """The rank of the true class among all, 1 is best, int (N,).

    Of equal scores the true class ranks last: a model that scores all classes alike has found nothing.
    """
    _check(probabilities, truth)
    own = probabilities[np.arange(len(truth)), truth]
    # Counted by the scores that are lower, so that NaN never ranks first.
    return np.asarray(probabilities.shape[1] - (probabilities < own[:, None]).sum(axis=1))


def top_k(probabilities: Floats, truth: Integers, k: int) -> float:
    """Share of the items whose true class is among the best `k`."""
    return float((ranks(probabilities, truth) <= k).mean())


def mean_reciprocal_rank(probabilities: Floats, truth: Integers) -> float:
    """Mean of 1 / rank of the true class: 1 when it is always first, 0.5 when always second."""
    return float((1 / ranks(probabilities, truth)).mean())


def log_loss_per_item(probabilities: Floats, truth: Integers) -> NDArray[np.float64]:
    """Minus the natural logarithm of the true class's probability, (N,); at most 16.1."""
    _check(probabilities, truth)
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(own, MIN_PROBABILITY, 1))
    return losses


def log_loss(probabilities: Floats, truth: Integers) -> float:
    """Mean of `log_loss_per_item`."""
    return float(log_loss_per_item(probabilities, truth).mean())


def calibration_error(probabilities: Floats, truth: Integers, bins: int = 15) -> float:
    """Expected calibration error of the best class: mean distance between confidence and accuracy."""
    _check(probabilities, truth)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    return expected_calibration_error(reliability_bins(np.clip(confidence, 0, 1), correct, bins))


def confusion_counts(predicted: Integers, truth: Integers, classes: int) -> NDArray[np.int64]:
    """How often a class (row) was predicted as which class (column), int (C, C). `predicted` and `truth` are (N,)."""
    if predicted.shape != truth.shape or predicted.ndim != 1:
        raise ValueError(f"predicted {predicted.shape} and truth {truth.shape} must be vectors of one length")
    for name, values in (("predicted", predicted), ("truth", truth)):
        if len(values) and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(f"{name} has a class outside 0 to {classes - 1}")
    if not len(truth) or classes == 1:
        # scikit-learn raises without items, and warns of a single class.
        return np.full((classes, classes), len(truth), np.int64)
    return np.asarray(confusion_matrix(truth, predicted, labels=np.arange(classes)), dtype=np.int64)


def area_under_curve(rows: NDArray[np.float64]) -> float:
    """Area under the ROC curve of rows (truth, score), (N, 2); ties count a half.

    0.5 where all rows are animals or all are blank: a bootstrap draw of few bursts may be. scikit-learn's
    `roc_auc_score` refuses it.
    """
    truth = rows[:, 0] > 0
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return 0.5
    ranks = rankdata(rows[:, 1])
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _check(probabilities: Floats, truth: Integers) -> None:
    if probabilities.ndim != 2 or truth.shape != probabilities.shape[:1]:
        raise ValueError(f"probabilities {probabilities.shape} need one true class per row; truth is {truth.shape}")
    if not len(truth):
        raise ValueError("no items to evaluate")
    if not (truth.min() >= 0 and truth.max() < probabilities.shape[1]):
        raise ValueError(f"truth has a class outside 0 to {probabilities.shape[1] - 1}")
