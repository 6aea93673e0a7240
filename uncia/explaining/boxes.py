"""Boxes around the segments that support a class: the best ones, without outliers, one box for each group of them.

The published way (80 % of the segments are dropped, one box around the rest) finds one animal only, and its box spans
everything that scored by chance. Here what is left is cleaned and grouped before boxes are drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.events.values import Box
from uncia.explaining.perturbations import Segments


@dataclass(frozen=True)
class BoxRules:
    """How boxes are drawn. Shares are of the best weight, or of the picture."""

    percentile: float = 80.0
    """Segments below this percentile of the weights are dropped, as published."""
    share_of_best: float = 0.35
    """Segments below this share of the best weight are dropped: of many segments one in five always passes a
    percentile, whether or not it supports the class."""
    gap: float = 0.03
    """Segments closer than this share of the picture's shorter side belong to one animal."""
    least_area: float = 0.001
    """Smaller groups are dropped, as a share of the picture."""
    least_group: float = 0.35
    """Groups whose summed weight is below this share of the best group's are dropped."""


@dataclass(frozen=True)
class WeightedBox:
    """A box as shares of the frame, and the summed weight of the segments in it."""

    box: Box
    weight: float


def find_boxes(
    segments: Segments, weights: NDArray[np.float64], rules: BoxRules | None = None
) -> tuple[WeightedBox, ...]:
    """Boxes around the segments with the highest weights, highest sum first; none where no weight is positive."""
    rules = rules or BoxRules()
    best = float(weights.max())
    if not best > 0 or len(weights) < 2:
        return ()
    chosen = weights >= max(float(np.percentile(weights, rules.percentile)), rules.share_of_best * best)
    groups = _group(chosen[segments], rules)
    height, width = segments.shape
    sizes = np.bincount(segments.ravel(), minlength=len(weights))
    boxes = []
    for number in range(1, int(groups.max()) + 1):
        inside = groups == number
        if inside.sum() < rules.least_area * inside.size:
            continue
        # A group holds whole segments: a segment is connected, and its pixels are chosen or not together.
        shares = np.bincount(segments[inside], minlength=len(weights)) / sizes
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        box = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        boxes.append(WeightedBox((*map(float, box),), float(shares @ weights)))  # type: ignore[arg-type]
    boxes.sort(key=lambda found: (-found.weight, found.box))
    return tuple(found for found in boxes if found.weight >= rules.least_group * boxes[0].weight)


def _group(mask: NDArray[np.bool_], rules: BoxRules) -> NDArray[np.int32]:
    """Numbers from 1 for the pixels of each group, 0 elsewhere; (height, width)."""
    from scipy import ndimage

    reach = rules.gap * min(mask.shape) / 2
    near = ndimage.distance_transform_edt(~mask) <= reach if not mask.all() else mask
    numbers, _ = ndimage.label(near, structure=np.ones((3, 3)))
    groups: NDArray[np.int32] = np.where(mask, numbers, 0).astype(np.int32)
    return groups
