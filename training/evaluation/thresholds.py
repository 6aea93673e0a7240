"""Thresholds: from which score a class counts as found, chosen on bursts whose truth is known."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import confusion_matrix_at_thresholds

from uncia.training.evaluation.calibration import log_odds

Floats = NDArray[np.floating]

MIN_OTHER_BURSTS = 10
"""The maximum of fewer bursts says little about the next one."""
_MIN_ABOVE_OTHERS = 0.01
"""However low these bursts score, those of the next camera may score higher."""


def choose_threshold(
    scores: Floats,
    present: NDArray[np.bool_],
    *,
    least_precision: float | None = None,
    at_most_false_alarms: int | None = None,
) -> float | None:
    """The threshold that finds most bursts while it meets the target: `score >= threshold` counts as found.

    `scores` (N,) from 0 to 1, one per burst; `present` (N,), whether the class was there. Exactly one target:
    `least_precision`, the minimum share of found bursts that do show the class; or `at_most_false_alarms`, a count. The
    threshold lies halfway, in log-odds, between the lowest score that passes and the highest that does not, so that it
    depends on neither alone.

    None where no threshold meets the target and finds anything, and where all or no bursts show the class: without
    other bursts nothing is known about false alarms. Raises `ValueError` for arguments that do not fit.
    """
    if (least_precision is None) == (at_most_false_alarms is None):
        raise ValueError("exactly one of least_precision and at_most_false_alarms")
    if scores.shape != present.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and present {present.shape} must be vectors of one length")
    if len(scores) and not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        raise ValueError("scores must lie between 0 and 1")
    if not present.any() or present.all():
        return None
    # One entry per distinct score, from the highest: what `score >= candidate` would count.
    _, false_alarms, _, hits, candidates = confusion_matrix_at_thresholds(present, scores.astype(np.float64))
    if at_most_false_alarms is not None:
        meets_target = false_alarms <= at_most_false_alarms
    else:
        meets_target = hits >= (least_precision or 0.0) * (hits + false_alarms)
    possible = np.flatnonzero(meets_target & (hits > 0) & (candidates > 0))
    if not len(possible):
        return None
    # `argmax` returns the highest of those that find as many: a lower one would only admit false alarms.
    chosen = int(possible[np.argmax(hits[possible])])
    below = candidates[chosen + 1] if chosen + 1 < len(candidates) else 0.0
    return _between(float(below), float(candidates[chosen]))


def threshold_above_others(scores: Floats) -> float | None:
    """A threshold for a class that no burst shows: above all bursts, by one standard deviation of their log-odds.

    `scores` (N,) from 0 to 1, one per burst of other classes. It limits false alarms and says nothing about what it
    finds. At least 0.01. None for fewer than `MIN_OTHER_BURSTS` bursts, and where one of them scores 1.
    """
    if len(scores) < MIN_OTHER_BURSTS:
        return None
    odds, greatest = log_odds(scores), float(scores.max())
    wanted = max(float(expit(odds.max() + odds.std())), _MIN_ABOVE_OTHERS)
    # Rounded for readers. Where all bursts score the same, only the next floating-point number is above them.
    for threshold in (float(f"{wanted:.3g}"), wanted, float(np.nextafter(greatest, 1))):
        if greatest < threshold < 1:
            return threshold
    return None


def _between(below: float, lowest: float) -> float:
    """A number in (below, lowest], halfway in log-odds as far as floating point allows."""
    middle = float(expit(log_odds(np.array([below, lowest])).mean()))
    # Rounded for readers, unless rounding leaves the gap; failing both, the lowest score itself.
    for threshold in (float(f"{middle:.3g}"), middle):
        if below < threshold <= lowest:
            return threshold
    return lowest
