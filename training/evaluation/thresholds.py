"""Thresholds: from which score a class counts as seen, chosen on bursts whose truth is known."""

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.calibration import log_odds

Floats = NDArray[np.floating]

FEWEST_OTHERS = 10
"""Of fewer bursts the greatest says little about the next."""
_LEAST_CLEAR = 0.01
"""However little these others score, those of the next camera may score more."""


def choose_threshold(
    scores: Floats,
    present: NDArray[np.bool_],
    *,
    least_precision: float | None = None,
    at_most_false_alarms: int | None = None,
) -> float | None:
    """The threshold that finds most bursts while it keeps the promise: `score >= threshold` counts as seen.

    `scores` (N,) of 0 to 1, one for each burst; `present` (N,), whether the class was there. Exactly one promise:
    `least_precision`, the share of what it calls so that is so; or `at_most_false_alarms`, a count. It lies halfway, in
    log-odds, between the least score that it lets pass and the greatest that it does not, so that it hangs on neither.
    None where no threshold keeps the promise and finds anything, and where either side is missing: without any burst
    that is something else nothing is known of false alarms. Raises `ValueError`.
    """
    if (least_precision is None) == (at_most_false_alarms is None):
        raise ValueError("exactly one of least_precision and at_most_false_alarms")
    if scores.shape != present.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and present {present.shape} must be vectors of one length")
    if len(scores) and not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        raise ValueError("scores lie between 0 and 1")
    if not present.any() or present.all():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, there = scores[order].astype(np.float64), present[order]
    # A cut is possible only where the score changes: after the last of equals.
    last = np.append(ranked[1:] < ranked[:-1], True)
    hits, alarms = np.cumsum(there), np.cumsum(~there)
    if at_most_false_alarms is not None:
        kept = alarms <= at_most_false_alarms
    else:
        kept = hits >= (least_precision or 0.0) * (hits + alarms)
    possible = np.flatnonzero(last & kept & (hits > 0) & (ranked > 0))
    if not len(possible):
        return None
    # Of those that find as many, the highest: to let in a false alarm for nothing would be odd.
    cut = int(possible[np.argmax(hits[possible])])
    least = ranked[cut]
    below = ranked[cut + 1] if cut + 1 < len(ranked) else 0.0
    return _between(float(below), float(least))


def clear_of_others(scores: Floats) -> float | None:
    """A threshold for a class that no burst shows: above all of them, by one standard deviation of their log-odds.

    `scores` (N,) of 0 to 1, one for each burst of other things. It promises few false alarms, and nothing about what it
    finds. At least 0.01. None where there are fewer than `FEWEST_OTHERS`, and where one of them scores 1.
    """
    if len(scores) < FEWEST_OTHERS:
        return None
    odds, greatest = log_odds(scores), float(scores.max())
    far = max(float(1 / (1 + np.exp(-(odds.max() + odds.std())))), _LEAST_CLEAR)
    # Rounded, as a person reads it; where all score the same nothing but the next number lies above.
    for number in (float(f"{far:.3g}"), far, float(np.nextafter(greatest, 1))):
        if greatest < number < 1:
            return number
    return None


def _between(below: float, least: float) -> float:
    """A number of (below, least], halfway in log-odds as far as floats go."""
    middle = float(1 / (1 + np.exp(-log_odds(np.array([below, least])).mean())))
    # Rounded, as a person reads it; where rounding would leave the gap the least score itself is the threshold.
    for number in (float(f"{middle:.3g}"), middle):
        if below < number <= least:
            return number
    return least
