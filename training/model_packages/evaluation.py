"""Evaluate a trained network: temperature and thresholds from held-out bursts, metrics from test bursts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import LabelClass
from uncia.training.evaluation import metrics
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.calibration import fit_calibration, fit_temperature, softmax
from uncia.training.evaluation.metric_set import calibration_error_interval
from uncia.training.evaluation.reliability import ReliabilityBin, reliability_bins
from uncia.training.evaluation.thresholds import choose_threshold, threshold_above_others
from uncia.training.model_packages.trained_model import LabelledPredictions

_BINS = 10
_CALIBRATION_RESAMPLES = 200


@dataclass(frozen=True)
class EvaluationResult:
    """Metrics of the test predictions, each with its interval over bursts."""

    figures: dict[str, Interval]
    bins: tuple[ReliabilityBin, ...]
    confusion: NDArray[np.int64]
    """(C, C): row, the true class; column, the predicted one."""
    probabilities: NDArray[np.float64]
    """(N, C)"""


def fit_held_out_temperature(held_out: LabelledPredictions) -> float:
    """The temperature that divides the logits; 1 without held-out photographs."""
    return fit_temperature(held_out.logits, held_out.truth)


def calibrate_classes(
    classes: Sequence[LabelClass],
    held_out: LabelledPredictions,
    windows: NDArray[np.float32],
    least_precision: float,
    unseen: Sequence[int] = (),
) -> tuple[LabelClass, ...]:
    """The classes with thresholds and calibrations, where the held-out bursts suffice to fit them.

    `windows` (N, C) are the scores of the best windows. `unseen` are the classes without training photographs; where no
    held-out burst shows such a class either, its threshold lies above the scores of all held-out bursts.
    """
    best, present = burst_scores(windows, held_out.truth, held_out.bursts, len(classes))
    calibrated = []
    for entry in classes:
        scores, shown = best[:, entry.index], present[:, entry.index]
        threshold = choose_threshold(scores, shown, least_precision=least_precision) if len(scores) else None
        if entry.index in unseen and not shown.any():
            threshold = threshold_above_others(scores)
        calibration = fit_calibration(scores, shown) if len(scores) else None
        calibrated.append(entry.model_copy(update={"threshold": threshold, "calibration": calibration}))
    return tuple(calibrated)


def burst_scores(
    windows: NDArray[np.floating], truth: NDArray[np.int64], bursts: NDArray[np.str_], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The best score of each class in each burst (B, C), as in the stream, and whether a frame shows the class."""
    names, burst_of = np.unique(bursts, return_inverse=True)
    best = np.zeros((len(names), classes))
    np.maximum.at(best, burst_of, windows.astype(np.float64))
    present = np.zeros((len(names), classes), bool)
    present[burst_of, truth] = True
    return best.clip(0, 1), present


def evaluate(predictions: LabelledPredictions, temperature: float, *, seed: int) -> EvaluationResult | None:
    """The evaluation of test predictions; None without any."""
    if not len(predictions.truth):
        return None
    probabilities = softmax(predictions.logits, temperature)
    truth, bursts, classes = predictions.truth, predictions.bursts, probabilities.shape[1]
    ranks = metrics.ranks(probabilities, truth)
    figures = {"top-1": bootstrap_interval(ranks <= 1, bursts, seed=seed)}
    if classes > 5:
        figures["top-5"] = bootstrap_interval(ranks <= 5, bursts, seed=seed)
    figures["mean reciprocal rank"] = bootstrap_interval(1 / ranks, bursts, seed=seed)
    figures["log loss"] = bootstrap_interval(metrics.log_loss_per_item(probabilities, truth), bursts, seed=seed)
    figures["calibration error"] = calibration_error_interval(
        probabilities, truth, bursts, seed=seed, resamples=_CALIBRATION_RESAMPLES
    )
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).clip(0, 1)
    return EvaluationResult(
        figures,
        reliability_bins(confidence, predicted == truth, _BINS),
        metrics.confusion_counts(predicted, truth, classes),
        probabilities,
    )
