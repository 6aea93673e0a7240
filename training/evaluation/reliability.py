"""Reliability: of the answers with a confidence of 80 %, are 80 % correct?

The bins of the diagram of DeGroot and Fienberg (1983), and the expected calibration error over them as Guo and others
use it ("On calibration of modern neural networks", 2017). The bins are those of scikit-learn's `calibration_curve`,
which returns neither their counts nor the empty ones; both are needed for the error and the plot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers whose confidence lies between `low` and `high`."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence; 0 in an empty bin."""
    accuracy: float
    """Share of correct answers; 0 in an empty bin."""


def reliability_bins(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> tuple[ReliabilityBin, ...]:
    """All `bins` bins of equal width from 0 to 1, in order, empty ones included.

    `confidence` (N,) probabilities, `correct` (N,) bool. A confidence on a boundary belongs to the bin below it; 0 is
    in the first. Raises `ValueError` without bins, and for shapes that differ.
    """
    if bins < 1:
        raise ValueError("at least one bin")
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} must be vectors of one length")
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    divisors = np.maximum(counts, 1)
    confidences = np.bincount(bin_of, weights=confidence.astype(np.float64), minlength=bins) / divisors
    accuracies = np.bincount(bin_of, weights=correct.astype(np.float64), minlength=bins) / divisors
    return tuple(
        ReliabilityBin(float(low), float(high), int(count), float(mean), float(accuracy))
        for low, high, count, mean, accuracy in zip(edges[:-1], edges[1:], counts, confidences, accuracies, strict=True)
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean distance between confidence and accuracy, weighted by the bins' counts; 0 without any answer."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total if total else 0.0
