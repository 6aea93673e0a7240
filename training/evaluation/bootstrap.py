"""Intervals by bootstrap over bursts.

Frames of one burst are nearly one picture, so that a frame more is hardly a fact more: bursts are drawn with
replacement, each with all its frames (the cluster bootstrap of Davison and Hinkley, "Bootstrap methods", 1997, 3.8).
The interval is that of the percentiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, and between what it would lie most times if other bursts of the same kind had been drawn."""

    low: float
    value: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def mean(values: NDArray[np.float64]) -> float:
    """The mean over the items."""
    return float(values.mean())


def interval(
    values: NDArray[np.number] | NDArray[np.bool_],
    groups: NDArray[np.str_] | Sequence[str],
    *,
    statistic: Statistic = mean,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The statistic of all items, with its interval.

    `values` (N,) or (N, K), a row for each item; `groups` (N,), the burst of each. `statistic` is asked with rows of
    them. The same seed gives the same interval, whatever the order of the bursts' names. Raises `ValueError` without
    items, for shapes that differ, and for a level that is none.
    """
    rows = np.asarray(values, dtype=np.float64)
    names = np.asarray(groups, dtype=np.str_)
    if not len(rows) or names.shape != rows.shape[:1]:
        raise ValueError(f"{len(rows)} items need as many groups, and at least one; there are {len(names)} groups")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError("the level lies between 0 and 1, and at least one sample is drawn")
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
        drawn = np.array([statistic(rows[np.concatenate([members[at] for at in draw])]) for draw in draws])
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(statistic(rows)), float(high))


def difference(
    values: NDArray[np.number] | NDArray[np.bool_],
    others: NDArray[np.number] | NDArray[np.bool_],
    groups: NDArray[np.str_] | Sequence[str],
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """By how much the mean of `values` exceeds that of `others`, on the same items: paired, so the bursts' own
    difficulty drops out. Shapes (N,). Above 0 as a whole, the first helps; around 0, nobody can tell.
    """
    first, second = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"paired values must be of one length, not {first.shape} and {second.shape}")
    return interval(first - second, groups, seed=seed, resamples=resamples, level=level)
