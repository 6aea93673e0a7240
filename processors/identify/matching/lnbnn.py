"""One-vs-many scores by local naive Bayes nearest neighbours, as HotSpotter ranks individuals.

McCann and Lowe, "Local naive Bayes nearest neighbor for image classification", CVPR 2012; Crall et al., "HotSpotter -
patterned species instance recognition", WACV 2013. Each query descriptor votes for the individuals of its nearest
neighbours, each with its distance to the normaliser, the next individual's neighbour, minus its own: what all coats
have in common is as near in the normaliser, and counts nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import FloatArray

NEIGHBOURS = 4
"""Individuals that a query descriptor may vote for; the next one is the normaliser."""

_BLOCK = 256
"""References that are compared at once."""


class LnbnnScores(NamedTuple):
    """`of_references`: (R,), at least 0; `normalisers`: (Q,), for each query descriptor its distance to the second-best
    individual, infinite where there is none."""

    of_references: NDArray[np.float64]
    normalisers: FloatArray


def lnbnn_scores(
    query: FloatArray, weights: FloatArray, references: Iterable[FloatArray], individuals: Sequence[int]
) -> LnbnnScores:
    """Score references for one query crop. Memory grows with the number of references, not with their points.

    Args:
        query: unit descriptors (Q, 128).
        weights: (Q,), how much each counts.
        references: unit descriptors (M, 128) of each of R references, none empty.
        individuals: (R,), the individual of each as a number from 0 on.

    A single individual has no normaliser and scores 0.
    """
    count = max(individuals, default=-1) + 1
    if count < 2 or len(query) == 0:
        return LnbnnScores(np.zeros(len(individuals)), np.full(len(query), np.inf, dtype=np.float32))
    distance = _distances(query, references)
    order = np.argsort(np.asarray(individuals), kind="stable")
    first_of = np.searchsorted(np.asarray(individuals)[order], np.arange(count))
    of_individual = np.minimum.reduceat(distance[:, order], first_of, axis=1)
    normaliser_rank = min(NEIGHBOURS, count - 1)
    nearest = np.partition(of_individual, (1, normaliser_rank), axis=1)
    votes = np.maximum(nearest[:, normaliser_rank][:, None] - distance, 0)
    return LnbnnScores(np.asarray((votes * weights[:, None]).sum(axis=0), dtype=np.float64), nearest[:, 1])


def _distances(query: FloatArray, references: Iterable[FloatArray]) -> FloatArray:
    """(Q, R): the distance of each query descriptor to the nearest one of each reference."""
    found = []
    remaining = iter(references)
    while block := list(islice(remaining, _BLOCK)):
        starts = np.cumsum([0, *(len(each) for each in block[:-1])])
        cosine = np.maximum.reduceat(query @ np.concatenate(block).T, starts, axis=1)
        found.append(np.sqrt(np.maximum(2 - 2 * cosine, 0)))
    return np.concatenate(found, axis=1).astype(np.float32)
