"""What a trained network is worth: temperature and thresholds from held-out bursts, figures from the test's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import LabelClass
from uncia.training.evaluation import metrics
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.calibration import fit_calibration, fit_temperature, softmax
from uncia.training.evaluation.reliability import ReliabilityBin, expected_calibration_error, reliability_bins
from uncia.training.evaluation.thresholds import choose_threshold, threshold_above_others
from uncia.training.model_packages.trained_model import LabelledPredictions

_BINS = 10


@dataclass(frozen=True)
class TestEvaluation:
    """Figures of one set of answers, each with its interval over bursts."""

    figures: dict[str, Interval]
    bins: tuple[ReliabilityBin, ...]
    confusion: NDArray[np.int64]
    """(C, C): row, what it is; column, what it was called."""
    probabilities: NDArray[np.float64]
    """(N, C)"""


def fit_held_out_temperature(held_out: LabelledPredictions) -> float:
    """By which the logits are divided; 1 where nothing is held out."""
    return fit_temperature(held_out.logits, held_out.truth)


def calibrate_classes(
    classes: Sequence[LabelClass],
    held_out: LabelledPredictions,
    windows: NDArray[np.float32],
    least_precision: float,
    unseen: Sequence[int] = (),
) -> tuple[LabelClass, ...]:
    """The classes with thresholds and curves, as far as the held-out bursts can tell.

    `unseen`: those that are known without any photograph; where no held-out burst shows one either, its threshold is
    clear of them all.
    """
    best, present = burst_scores(windows, held_out.truth, held_out.bursts, len(classes))
    found = []
    for entry in classes:
        own, there = best[:, entry.index], present[:, entry.index]
        threshold = choose_threshold(own, there, least_precision=least_precision) if len(own) else None
        if entry.index in unseen and not there.any():
            threshold = threshold_above_others(own)
        calibration = fit_calibration(own, there) if len(own) else None
        found.append(entry.model_copy(update={"threshold": threshold, "calibration": calibration}))
    return tuple(found)


def burst_scores(
    windows: NDArray[np.floating], truth: NDArray[np.int64], bursts: NDArray[np.str_], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Best score of each class over each burst (B, C), as the stream compares it, and whether a frame shows it."""
    names, of = np.unique(bursts, return_inverse=True)
    best = np.zeros((len(names), classes))
    np.maximum.at(best, of, windows.astype(np.float64))
    present = np.zeros((len(names), classes), bool)
    present[of, truth] = True
    return best.clip(0, 1), present


def evaluate(answers: LabelledPredictions, temperature: float, *, seed: int) -> TestEvaluation | None:
    """None where there is nothing to judge."""
    if not len(answers.truth):
        return None
    probabilities = softmax(answers.logits, temperature)
    truth, bursts, classes = answers.truth, answers.bursts, probabilities.shape[1]
    ranks = metrics.ranks(probabilities, truth)
    best = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    figures = {"top-1": bootstrap_interval(ranks <= 1, bursts, seed=seed)}
    if classes > 5:
        figures["top-5"] = bootstrap_interval(ranks <= 5, bursts, seed=seed)
    figures["mean reciprocal rank"] = bootstrap_interval(1 / ranks, bursts, seed=seed)
    figures["log loss"] = bootstrap_interval(metrics.log_loss_per_item(probabilities, truth), bursts, seed=seed)
    told = np.column_stack([best.clip(0, 1), right])
    figures["calibration error"] = bootstrap_interval(
        told,
        bursts,
        statistic=lambda rows: expected_calibration_error(reliability_bins(rows[:, 0], rows[:, 1] > 0.5)),
        seed=seed,
        resamples=200,
    )
    return TestEvaluation(
        figures,
        reliability_bins(best.clip(0, 1), right, _BINS),
        metrics.confusion_counts(probabilities.argmax(axis=1), truth, classes),
        probabilities,
    )
