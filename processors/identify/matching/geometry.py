"""Points that agree in one affine map between two crops.

HotSpotter's verification: the position, scale and orientation of every matched pair propose a similarity; the one that
most pairs agree with is refined to an affine map by least squares. All of them are tried, in one product of arrays: no
random numbers are drawn, where RANSAC over triples needs a seed and hundreds of trials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import FloatArray

_RATIO = 0.88
"""Nearest over second-nearest distance within the reference (Lowe 2004)."""
_MAX_DISTANCE = 0.85
_TOLERANCE = 0.07
"""Of the reference crop's diagonal: animals bend, and HotSpotter allows 0.1."""
_MAX_SCALE_RATIO = 2.0
_MAX_TURN = np.pi / 4
_MAX_ZOOM = 4.0
_MAX_ANISOTROPY = 3.0
_REFINEMENTS = 2
_FEWEST_FOR_AFFINE = 5
_FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Verification:
    """`pairs`: (n, 2) rows of query and reference key points that agree, best first. `weight`: the sum of their
    weights; of `verify` one minus each pair's ratio: pairs that could as well be others count little."""

    pairs: NDArray[np.intp]
    weight: float

    @property
    def count(self) -> int:
        return len(self.pairs)


NOTHING = Verification(np.zeros((0, 2), dtype=np.intp), 0.0)


def verify(
    query_points: FloatArray, query: FloatArray, reference_points: FloatArray, reference: FloatArray
) -> Verification:
    """Match two crops one to one, and keep the pairs that agree in one affine map.

    Key points are (N, 4) in pixels of their crop, descriptors (N, 128) unit vectors.
    """
    if len(query) < 2 or len(reference) < 2:
        return NOTHING
    pairs, ratios = _distinctive_pairs(query, reference)
    return _agreement(query_points, reference_points, pairs, 1 - ratios)


def verify_votes(
    query_points: FloatArray,
    query: FloatArray,
    reference_points: FloatArray,
    reference: FloatArray,
    normalisers: FloatArray,
    weights: FloatArray,
) -> float:
    """The LNBNN votes of the points that agree in one affine map: HotSpotter's score after its verification.

    A point votes for its nearest neighbour in the reference with `normalisers`, its distance to the second-best
    individual, minus the distance, times `weights`; all are (Q,). What another individual has as well counts nothing,
    where `verify` looks at one reference alone.
    """
    if len(query) == 0 or len(reference) == 0:
        return 0.0
    cosine = query @ reference.T
    nearest = cosine.argmax(axis=1)
    distance = np.sqrt(np.maximum(2 - 2 * cosine[np.arange(len(query)), nearest], 0))
    votes = np.maximum(normalisers - distance, 0) * weights
    voting = np.flatnonzero(votes > 0)
    pairs = np.column_stack((voting, nearest[voting]))
    return _agreement(query_points, reference_points, pairs, votes[voting].astype(np.float64)).weight


def _agreement(
    query_points: FloatArray, reference_points: FloatArray, pairs: NDArray[np.intp], weights: NDArray[np.float64]
) -> Verification:
    """The pairs that agree in one affine map, the heaviest first."""
    if len(pairs) < _FEWEST_PAIRS:
        return NOTHING
    source, target = query_points[pairs[:, 0]].astype(np.float64), reference_points[pairs[:, 1]].astype(np.float64)
    tolerance = _TOLERANCE * float(np.hypot(*np.ptp(reference_points[:, :2], axis=0)))
    agreeing = _largest_agreement(source, target, tolerance, weights)
    for _ in range(_REFINEMENTS):
        agreeing = _refine(source, target, tolerance, agreeing)
    # Several orientations of one point are one point.
    kept = np.flatnonzero(agreeing)
    kept = kept[np.argsort(-weights[kept], kind="stable")]
    kept = _distinct(kept, source, target)
    if len(kept) < _FEWEST_PAIRS:
        return NOTHING
    return Verification(pairs[kept], float(weights[kept].sum()))


def _distinctive_pairs(query: FloatArray, reference: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Mutual nearest neighbours that pass the ratio test, (n, 2), and their ratios."""
    cosine = query @ reference.T
    rows = np.arange(len(query))
    two = np.argpartition(-cosine, 1, axis=1)[:, :2]
    swap = cosine[rows, two[:, 0]] < cosine[rows, two[:, 1]]
    two[swap] = two[swap][:, ::-1]
    near, second = (np.sqrt(np.maximum(2 - 2 * cosine[rows, two[:, rank]], 1e-6)) for rank in (0, 1))
    ratio = near / second
    mutual = cosine.argmax(axis=0)[two[:, 0]] == rows
    kept = mutual & (ratio < _RATIO) & (near < _MAX_DISTANCE)
    return np.column_stack((rows[kept], two[kept, 0])).astype(np.intp), ratio[kept].astype(np.float64)


def _largest_agreement(
    source: NDArray[np.float64], target: NDArray[np.float64], tolerance: float, weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The pairs that agree with the best of the similarities that the pairs propose."""
    scale = target[:, 2] / source[:, 2]
    turn = target[:, 3] - source[:, 3]
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    # scikit-image measures orientations from the rows' axis towards the columns' axis: with x right and y down, an
    # increase turns (x, y) anticlockwise as seen on the screen.
    x, y = source[:, 0], source[:, 1]
    moved_x = cosine[:, None] * (x - x[:, None]) + sine[:, None] * (y - y[:, None]) + target[:, 0][:, None]
    moved_y = -sine[:, None] * (x - x[:, None]) + cosine[:, None] * (y - y[:, None]) + target[:, 1][:, None]
    close = np.hypot(moved_x - target[:, 0], moved_y - target[:, 1]) < tolerance
    close &= np.abs(np.log(scale / scale[:, None])) < np.log(_MAX_SCALE_RATIO)
    close &= np.abs(_wrapped(turn - turn[:, None])) < _MAX_TURN
    close[np.abs(np.log(scale)) > np.log(_MAX_ZOOM) + np.log(_MAX_SCALE_RATIO)] = False
    return np.asarray(close[int(np.argmax(close @ weights))], dtype=np.bool_)


def _refine(
    source: NDArray[np.float64], target: NDArray[np.float64], tolerance: float, agreeing: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Fit an affine map to the agreeing pairs, and take those that agree with it; unchanged if it is implausible."""
    if int(agreeing.sum()) < _FEWEST_FOR_AFFINE:
        return agreeing
    design = np.column_stack((source[:, :2], np.ones(len(source))))
    solution, _, rank, _ = np.linalg.lstsq(design[agreeing], target[agreeing, :2], rcond=None)
    if rank < 3:
        return agreeing
    stretches = np.linalg.svd(solution[:2], compute_uv=False)
    plausible = (
        np.linalg.det(solution[:2]) > 0
        and stretches[1] > 1 / _MAX_ZOOM
        and stretches[0] < _MAX_ZOOM
        and stretches[0] < _MAX_ANISOTROPY * stretches[1]
    )
    if not plausible:
        return agreeing
    close = np.hypot(*(design @ solution - target[:, :2]).T) < tolerance
    turn = _wrapped(target[:, 3] - source[:, 3])
    zoom = np.log(target[:, 2] / source[:, 2])
    mean_turn = np.arctan2(np.sin(turn[agreeing]).mean(), np.cos(turn[agreeing]).mean())
    close &= np.abs(_wrapped(turn - mean_turn)) < _MAX_TURN
    close &= np.abs(zoom - np.median(zoom[agreeing])) < np.log(_MAX_SCALE_RATIO)
    return close if int(close.sum()) >= _FEWEST_PAIRS else agreeing


def _distinct(kept: NDArray[np.intp], source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.intp]:
    chosen: list[int] = []
    seen: set[tuple[int, int]] = set()
    for index in kept:
        places = [(0, *np.rint(source[index, :2]).astype(int)), (1, *np.rint(target[index, :2]).astype(int))]
        if not any(place in seen for place in places):
            seen.update(places)
            chosen.append(int(index))
    return np.array(chosen, dtype=np.intp)


def _wrapped(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi, dtype=np.float64)
