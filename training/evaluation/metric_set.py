"""All metrics of one set of predictions, with their intervals over bursts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.metrics import calibration_error, log_loss_per_item, ranks
from uncia.training.evaluation.reliability import expected_calibration_error, reliability_bins

Floats = NDArray[np.floating]

_MAX_RESAMPLES_OF_CALIBRATION = 300
"""Each resample bins all items again, which takes a hundred times as long as a mean."""


@dataclass(frozen=True, slots=True)
class MetricSet:
    """The metrics that are reported of a model."""

    items: int
    bursts: int
    top_1: Interval
    top_5: Interval
    mean_reciprocal_rank: Interval
    log_loss: Interval
    calibration_error: Interval


METRIC_NAMES = ("top-1", "top-5", "mean reciprocal rank", "log loss", "calibration error")


def compute_metrics(
    probabilities: Floats, truth: NDArray[np.integer], groups: NDArray[np.str_], *, seed: int, resamples: int = 1000
) -> MetricSet:
    """`probabilities` (N, C), rows that sum to one; `truth` (N,), the true class; `groups` (N,), the burst of each.

    Raises as `metrics` does.
    """
    rank = ranks(probabilities, truth)

    def with_interval(values: NDArray[np.number] | NDArray[np.bool_]) -> Interval:
        return bootstrap_interval(values, groups, seed=seed, resamples=resamples)

    error = calibration_error_interval(
        probabilities, truth, groups, seed=seed, resamples=min(resamples, _MAX_RESAMPLES_OF_CALIBRATION)
    )
    return MetricSet(
        items=len(truth),
        bursts=len(np.unique(groups)),
        top_1=with_interval(rank <= 1),
        top_5=with_interval(rank <= 5),
        mean_reciprocal_rank=with_interval(1 / rank),
        log_loss=with_interval(log_loss_per_item(probabilities, truth)),
        calibration_error=Interval(error.low, calibration_error(probabilities, truth), error.high),
    )


def calibration_error_interval(
    probabilities: Floats, truth: NDArray[np.integer], groups: NDArray[np.str_], *, seed: int, resamples: int
) -> Interval:
    """The expected calibration error of the best class, with its interval over bursts. Arguments as above."""
    confidence = np.clip(probabilities.max(axis=1), 0, 1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == truth
    return bootstrap_interval(
        np.column_stack([confidence, correct]),
        groups,
        statistic=lambda rows: expected_calibration_error(reliability_bins(rows[:, 0], rows[:, 1] > 0.5)),
        seed=seed,
        resamples=resamples,
    )


def metric_cells(metrics: MetricSet, show: Callable[[Interval], str] = str) -> tuple[str, ...]:
    """The metrics as text, in the order of `METRIC_NAMES`."""
    intervals = (
        metrics.top_1,
        metrics.top_5,
        metrics.mean_reciprocal_rank,
        metrics.log_loss,
        metrics.calibration_error,
    )
    return tuple(show(interval) for interval in intervals)
