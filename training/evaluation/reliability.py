"""Reliability: of what was said with 80 %, did 80 % happen?

The bins of the diagram of DeGroot and Fienberg (1983), and the expected calibration error over them as Guo and others
use it ("On calibration of modern neural networks", 2017).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies between `low` and `high`."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean of what was said; 0 in an empty bin."""
    accuracy: float
    """Share of what happened; 0 in an empty bin."""


def reliability(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> tuple[Bin, ...]:
    """Bins of equal width over 0 to 1, in order; all of them, empty ones too.

    `confidence` (N,) probabilities, `correct` (N,) bool. A confidence on the border belongs to the bin below it;
    0 is in the first. Raises `ValueError` when there are no bins, or the shapes differ.
    """
    if bins < 1:
        raise ValueError("at least one bin")
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} must be vectors of one length")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    held = np.maximum(counts, 1)
    said = np.bincount(place, weights=confidence.astype(np.float64), minlength=bins) / held
    happened = np.bincount(place, weights=correct.astype(np.float64), minlength=bins) / held
    return tuple(
        Bin(float(edges[at]), float(edges[at + 1]), int(counts[at]), float(said[at]), float(happened[at]))
        for at in range(bins)
    )


def expected_error(bins: tuple[Bin, ...]) -> float:
    """Mean distance of what was said from what happened, weighted by the bins' counts; 0 without any answer."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in bins) / total if total else 0.0
