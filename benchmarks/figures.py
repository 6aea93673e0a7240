"""From measurements to figures. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed: the nearest rank, no invention.

    Raises `ValueError` without values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def growth_per_1000(counts: Sequence[float], sizes: Sequence[float], *, warm_up: float = 0.2) -> float:
    """How much a size grows per 1,000 counted things: slope of a straight line, the first `warm_up` share left out.

    `counts` rise. Raises `ValueError` with fewer than three points after the warm-up.
    """
    begin = counts[0] + warm_up * (counts[-1] - counts[0]) if counts else 0
    points = [(count, size) for count, size in zip(counts, sizes, strict=True) if count >= begin]
    if len(points) < 3:
        raise ValueError("a line needs three points after the warm-up")
    return 1000 * statistics.linear_regression(*zip(*points, strict=True)).slope


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least, largest."""
    return statistics.median(values), min(values), max(values)


def cpu_between(before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]]) -> dict[str, float]:
    """CPU seconds by part between two samples of `pid -> (part, CPU seconds)`.

    A process that began in between counts from its start; what one that ended in between used is not known.
    """
    used: dict[str, float] = {}
    for pid, (part, seconds) in after.items():
        begun_at = before[pid][1] if pid in before and before[pid][0] == part else 0.0
        used[part] = used.get(part, 0.0) + seconds - begun_at
    return used


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """For each name the median over the rounds; a round that does not have it counts as 0."""
    names = sorted({name for each in rounds for name in each})
    return {name: statistics.median(each.get(name, 0.0) for each in rounds) for name in names}
