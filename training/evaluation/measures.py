"""All measures of one set of answers, with their intervals over bursts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.bootstrap import Interval, interval
from uncia.training.evaluation.metrics import calibration_error, log_losses, ranks
from uncia.training.evaluation.reliability import expected_error, reliability

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Measures:
    """What is told of a model."""

    items: int
    bursts: int
    top_1: Interval
    top_5: Interval
    mean_reciprocal_rank: Interval
    log_loss: Interval
    calibration_error: Interval


HEAD = ("top-1", "top-5", "mean reciprocal rank", "log loss", "calibration error")


def measured(
    probabilities: Floats, truth: NDArray[np.integer], groups: NDArray[np.str_], *, seed: int, resamples: int = 1000
) -> Measures:
    """`probabilities` (N, C), rows that sum to one; `truth` (N,); `groups` (N,), the burst of each.

    Raises as `metrics` do.
    """
    place = ranks(probabilities, truth)

    def told(values: NDArray[np.number] | NDArray[np.bool_]) -> Interval:
        return interval(values, groups, seed=seed, resamples=resamples)

    said = np.clip(probabilities.max(axis=1), 0, 1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == truth
    drawn = interval(
        np.column_stack([said, correct]), groups, statistic=_error, seed=seed, resamples=min(resamples, 300)
    )
    return Measures(
        items=len(truth),
        bursts=len(np.unique(groups)),
        top_1=told(place <= 1),
        top_5=told(place <= 5),
        mean_reciprocal_rank=told(1 / place),
        log_loss=told(log_losses(probabilities, truth)),
        calibration_error=Interval(drawn.low, calibration_error(probabilities, truth), drawn.high),
    )


def row(measures: Measures, show: Callable[[Interval], str] = str) -> tuple[str, ...]:
    """In the order of `HEAD`."""
    return tuple(
        show(each)
        for each in (
            measures.top_1,
            measures.top_5,
            measures.mean_reciprocal_rank,
            measures.log_loss,
            measures.calibration_error,
        )
    )


def _error(rows: NDArray[np.float64]) -> float:
    return expected_error(reliability(rows[:, 0], rows[:, 1] > 0))
