"""Confidence intervals by bootstrap over bursts.

Frames of one burst show nearly the same picture, so another frame is hardly another observation: bursts are drawn with
replacement, each with all its frames (the cluster bootstrap of Davison and Hinkley, "Bootstrap methods", 1997, 3.8).
The interval is the percentile interval.

Written by hand because `scipy.stats.bootstrap` and scikit-learn's `resample` draw single items: they cannot draw
clusters of unequal size, and intervals over frames would be several times too narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its confidence interval: the range it would mostly have with other bursts of the same kind."""

    low: float
    value: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    def as_dict(self) -> dict[str, float]:
        """`low`, `value` and `high`, for JSON."""
        return {"low": self.low, "value": self.value, "high": self.high}


def mean(values: NDArray[np.float64]) -> float:
    """The mean over the items."""
    return float(values.mean())


def bootstrap_interval(
    values: NDArray[np.number] | NDArray[np.bool_],
    groups: NDArray[np.str_] | Sequence[str],
    *,
    statistic: Statistic = mean,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The statistic of all items, with its interval.

    `values` (N,) or (N, K), one row per item; `groups` (N,), the burst of each item. `statistic` receives rows of
    `values`. The same seed gives the same interval, whatever the order of the bursts' names. Raises `ValueError`
    without items, for shapes that differ, and for a level outside 0 to 1.
    """
    rows = np.asarray(values, dtype=np.float64)
    names = np.asarray(groups, dtype=np.str_)
    if not len(rows) or names.shape != rows.shape[:1]:
        raise ValueError(f"at least one item and a group for each: {len(rows)} items and {len(names)} groups")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError("the level must be between 0 and 1, and resamples at least 1")
    _, group_of = np.unique(names, return_inverse=True)
    count = int(group_of.max()) + 1
    draws = np.random.default_rng(seed).integers(count, size=(resamples, count))
    if statistic is mean and rows.ndim == 1:
        # Sums and sizes of the groups are enough: a hundred times as fast.
        sums, sizes = np.bincount(group_of, weights=rows), np.bincount(group_of)
        drawn = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    else:
        order = np.argsort(group_of, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(group_of))[:-1])
        drawn = np.array([statistic(rows[np.concatenate([members[group] for group in draw])]) for draw in draws])
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(statistic(rows)), float(high))


def bootstrap_difference(
    values: NDArray[np.number] | NDArray[np.bool_],
    others: NDArray[np.number] | NDArray[np.bool_],
    groups: NDArray[np.str_] | Sequence[str],
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """By how much the mean of `values` (N,) exceeds that of `others` (N,) on the same items.

    The comparison is paired, so the difficulty of the bursts cancels out. An interval above 0 means that the first is
    better; one that contains 0 means that the data do not decide. Raises as `bootstrap_interval` does.
    """
    first, second = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"paired values must have one length, not {first.shape} and {second.shape}")
    return bootstrap_interval(first - second, groups, seed=seed, resamples=resamples, level=level)
