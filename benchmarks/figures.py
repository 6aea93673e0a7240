"""Statistics of measurements. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile, without interpolation: `share` is from 0 to 1. Raises `ValueError` without values."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def growth_per_1000(counts: Sequence[float], sizes: Sequence[float], *, warm_up: float = 0.2) -> float:
    """Growth of `sizes` per 1,000 counts: slope of the regression line, without the first `warm_up` share of counts.

    `counts` must increase. Raises `ValueError` with fewer than three points after the warm-up.
    """
    begin = counts[0] + warm_up * (counts[-1] - counts[0]) if counts else 0
    points = [(count, size) for count, size in zip(counts, sizes, strict=True) if count >= begin]
    if len(points) < 3:
        raise ValueError("a line needs three points after the warm-up")
    return 1000 * statistics.linear_regression(*zip(*points, strict=True)).slope


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum."""
    return statistics.median(values), min(values), max(values)


def cpu_between(before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]]) -> dict[str, float]:
    """CPU seconds by part between two samples of `pid -> (part, CPU seconds)`.

    A process that started in between counts from its start; the CPU time of one that exited in between is unknown.
    """
    used: dict[str, float] = {}
    for pid, (part, seconds) in after.items():
        earlier = before[pid][1] if pid in before and before[pid][0] == part else 0.0
        used[part] = used.get(part, 0.0) + seconds - earlier
    return used


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median over the rounds by name; a round without a name counts as 0."""
    names = sorted({name for values in rounds for name in values})
    return {name: statistics.median(values.get(name, 0.0) for values in rounds) for name in names}
