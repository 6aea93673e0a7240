"""Orders vectors so that similar ones are adjacent, and finds those that are unlike the rest; pure.

Average-linkage clustering with optimal leaf ordering (Bar-Joseph and others 2001), as SciPy implements it. A vector is
odd where even its nearest neighbours are far away, compared with those of the other vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

__all__ = ["NEAR_DUPLICATE", "SimilarityOrder", "order_by_similarity"]

NEAR_DUPLICATE = 0.25
"""Distance of unit vectors up to which two are near duplicates: a cosine of 0.97."""

_FEWEST = 8
"""Of fewer vectors none is odd."""
_LEAST_ODD = 0.4
"""Distance of unit vectors below which a neighbour is near, however close all others are: a cosine of 0.92."""
_DEVIATIONS = 3.5
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class SimilarityOrder:
    """The result. Both refer to positions in the input."""

    order: tuple[int, ...]
    """All positions: the odd ones first, the oddest at the front; similar ones adjacent."""
    odd: frozenset[int]


def order_by_similarity(vectors: NDArray[np.float64], keys: Sequence[str]) -> SimilarityOrder:
    """Order unit vectors of shape (n, dimensions), of which each has a key.

    The result does not depend on the order of the input where keys are unique. Groups of near duplicates that are
    farther from all others than from each other are not torn apart. Takes memory of n² and time of about n³ at worst:
    a few hundred vectors at once.
    """
    count = len(keys)
    if vectors.shape[0] != count:
        raise ValueError(f"{vectors.shape[0]} vectors have {count} keys")
    if count < 3:
        return SimilarityOrder(tuple(sorted(range(count), key=lambda at: keys[at])), frozenset())
    canonical = sorted(range(count), key=lambda at: (keys[at], vectors[at].tobytes()))
    distances = pdist(vectors[canonical])
    place = np.empty(count, dtype=np.int64)
    place[leaves_list(linkage(distances, "average", optimal_ordering=True))] = np.arange(count)
    oddness = _oddness(distances, count)
    odd = oddness > _threshold(oddness) if count >= _FEWEST else np.zeros(count, dtype=bool)
    ordered = sorted(range(count), key=lambda at: (not odd[at], -oddness[at] if odd[at] else 0.0, place[at]))
    return SimilarityOrder(
        tuple(canonical[at] for at in ordered), frozenset(canonical[at] for at in range(count) if odd[at])
    )


def _oddness(distances: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Distance to the k-th neighbour, k about sqrt(n): a few vectors that are alike can be odd together.

    Near duplicates share the lowest of their distances, so that none of them is odd alone.
    """
    neighbour = min(count - 1, max(3, isqrt(count)))
    nearest = np.partition(squareform(distances), neighbour, axis=1)[:, neighbour]
    groups = fcluster(linkage(distances, "single"), NEAR_DUPLICATE, "distance") - 1
    lowest = np.full(groups.max() + 1, np.inf)
    np.minimum.at(lowest, groups, nearest)
    return np.asarray(lowest[groups])


def _threshold(oddness: NDArray[np.float64]) -> float:
    middle = float(np.median(oddness))
    deviation = _MAD_TO_SIGMA * float(np.median(np.abs(oddness - middle)))
    return max(_LEAST_ODD, middle + _DEVIATIONS * deviation)
