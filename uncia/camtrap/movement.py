"""Grids of cells over a photograph: how much of a box moved, and the box around what moved.

Pure functions of arrays; `presence` computes the change of each cell against the other frames of a burst.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncia.events.values import Box

__all__ = [
    "LUMINANCE_BOX",
    "box_movement",
    "cell_shares",
    "intersection_over_union",
    "moved_regions",
    "region_box",
    "still_change",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LUMINANCE_BOX: Box = (0.0, 0.04, 1.0, 0.89)
"""What the luminance grid shows: the frame of the default `FrameSpec`, without the printed strips."""

_STILL_QUANTILE = 0.75
"""Most of a picture does not show the animal: this quantile of its change is that of the scene."""
_LEAST_CHANGE = 0.03
"""Change, as a share of the frame's contrast, that is noise whatever the rest of the picture does."""
_PEAK_OVER_LEAST = 2.0
"""A region has a cell that changed by this many times of what its edge must have."""


def moved_regions(
    changes: Floats, still: Floats, over_still: float, peak_share: float, without: Bools | None = None
) -> tuple[Bools, Bools]:
    """The cells around the most changed cell of each of N grids that changed with it, and which grids have such.

    `changes` (N, rows, columns), `still` (N,), as `still_change` computes it. A cell belongs to the region where it
    changed by `over_still` times the still scene's change and by `peak_share` of the most changed cell, and is
    connected to that over gaps of two cells at most. `without` (N, rows, columns): cells that cannot be the most
    changed one. Returns (N, rows, columns) and (N,).
    """
    count, rows, columns = changes.shape
    candidates = changes if without is None else np.where(without, 0.0, changes)
    flat = candidates.reshape(count, -1)
    peaks = flat.argmax(axis=1)
    height = flat[np.arange(count), peaks]
    least = np.maximum(over_still * still, _LEAST_CHANGE)
    moved = changes >= np.maximum(least, peak_share * height)[:, None, None]
    near = _dilated(moved)
    region = np.zeros((count, rows * columns), dtype=bool)
    region[np.arange(count), peaks] = True
    region = region.reshape(count, rows, columns)
    size = -1
    while (grown := int(region.sum())) != size:
        size = grown
        region = _dilated(region) & near
    return region & moved, height >= _PEAK_OVER_LEAST * least


def still_change(changes: Floats) -> Floats:
    """The change of the still scene in each of N grids (N, rows, columns): (N,)."""
    still: Floats = np.quantile(changes.reshape(len(changes), -1), _STILL_QUANTILE, axis=1)
    return still


def region_box(region: Bools, shown: Box) -> Box:
    """The box around the cells (rows, columns) of a region, which has some; `shown` is what the cells cover."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    height, width = region.shape
    top, bottom = rows[0] / height, (rows[-1] + 1) / height
    left, right = columns[0] / width, (columns[-1] + 1) / width
    place = (
        shown[0] + left * shown[2],
        shown[1] + top * shown[3],
        (right - left) * shown[2],
        (bottom - top) * shown[3],
    )
    x, y, box_width, box_height = (round(float(share), 6) for share in place)
    return x, y, box_width, box_height


def box_movement(cells: Floats, box: Sequence[float] | Floats, shown: Box = LUMINANCE_BOX) -> float:
    """Mean of `cells` (rows, columns) over a box, 0 to 1, each cell by the area that the box covers.

    `shown` is the part of the photograph that the cells cover.
    """
    row_share, column_share = cell_shares(box, shown, cells.shape)
    area = row_share.sum() * column_share.sum()
    return float(np.clip(row_share @ cells @ column_share / area, 0, 1)) if area > 1e-9 else 0.0


def cell_shares(box: Sequence[float] | Floats, shown: Box, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """How much of each row and of each column of a grid a box covers, (rows,) and (columns,).

    Of m boxes, given as (4, m), (m, rows) and (m, columns).
    """
    x, y, width, height = np.asarray(box, dtype=np.float64)
    return (
        _coverage((y - shown[1]) / shown[3], (y + height - shown[1]) / shown[3], shape[0]),
        _coverage((x - shown[0]) / shown[2], (x + width - shown[0]) / shown[2], shape[1]),
    )


def intersection_over_union(first: Floats, second: Floats) -> Floats:
    """Of every box of `first` (n, 4) with every box of `second` (m, 4): (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    overlap: Floats = (high - low).clip(0).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - overlap
    shares: Floats = overlap / np.maximum(union, 1e-12)
    return shares


def _coverage(begin: Floats, end: Floats, count: int) -> Floats:
    """How much of each of `count` cells of 0 to 1 the stretch from `begin` to `end` covers, in cells."""
    low = np.arange(count)
    covered: Floats = np.minimum(end[..., None] * count, low + 1) - np.maximum(begin[..., None] * count, low)
    return covered.clip(0)


def _dilated(cells: Bools) -> Bools:
    """The cells (N, rows, columns) and the eight around each."""
    tall = cells.copy()
    tall[:, 1:] |= cells[:, :-1]
    tall[:, :-1] |= cells[:, 1:]
    wide = tall.copy()
    wide[:, :, 1:] |= tall[:, :, :-1]
    wide[:, :, :-1] |= tall[:, :, 1:]
    return wide
