"""Overlapping tiles of a photograph for a detector, and how the boxes of all of them become those of the photograph.

A detector scales the whole photograph to its frame. A tile is a part of the photograph scaled to the same frame, so
that what is small is larger. Known as tiled or sliced inference.

1. **Cut boxes are no boxes.** A box that ends at an inner edge of its tile is a part of something, which another tile
   or the whole photograph shows entirely: it is left out. What is smaller than the overlap of two tiles is in one of
   them entirely.
2. **One place, one box.** What overlapping tiles find twice is merged: of boxes of one category that overlap by
   `SAME_BOX_IOU`, the one with the highest score stays (non-maximum suppression).

Pure functions of arrays; boxes are x, y, width, height as shares of the photograph.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels

__all__ = [
    "SAME_BOX_IOU",
    "FoundBoxes",
    "cut_tile",
    "decode_spec",
    "merge_boxes",
    "shown_box",
    "tile_boxes",
    "tiles_of",
]

SAME_BOX_IOU = 0.5
_EDGE = 0.015
"""Share of a tile: a box that ends this near to an inner edge is cut by it. Detectors miss an edge by some pixels."""


_MIN_SIDE = 1e-6
"""Share of the photograph: a thinner box shows nothing."""


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """n boxes of one photograph."""

    boxes: NDArray[np.float64]
    """(n, 4)"""
    scores: NDArray[np.float64]
    """(n,)"""
    categories: NDArray[np.int64]
    """(n,): indices into the detector's categories."""

    @classmethod
    def of(cls, boxes: object, scores: object, categories: object) -> Self:
        """From anything that NumPy takes for arrays of these shapes."""
        return cls(
            np.asarray(boxes, dtype=np.float64).reshape(-1, 4),
            np.asarray(scores, dtype=np.float64).reshape(-1),
            np.asarray(categories, dtype=np.int64).reshape(-1),
        )

    def take(self, places: NDArray[np.bool_] | NDArray[np.intp]) -> "FoundBoxes":
        """Those at these places, or where the mask is true."""
        return FoundBoxes(self.boxes[places], self.scores[places], self.categories[places])

    def __len__(self) -> int:
        return len(self.scores)


def tiles_of(spec: FrameSpec, per_side: int, share: float) -> list[Box]:
    """`per_side` x `per_side` tiles, row by row, each `share` of what the frame shows in width and height.

    Together they cover what the frame shows; the printed strips stay out. Raises `ValueError` where they leave gaps.
    """
    if per_side < 1 or not 0 < share <= 1 or per_side * share < 1:
        raise ValueError(f"{per_side} tiles of {share:g} do not cover a side")
    kept = 1 - spec.crop_top - spec.crop_bottom
    starts = [(1 - share) * place / max(1, per_side - 1) for place in range(per_side)]
    return [(x, spec.crop_top + kept * y, share, kept * share) for y in starts for x in starts]


def decode_spec(spec: FrameSpec, share: float) -> FrameSpec:
    """The frame for which a photograph must be decoded so that a tile of this share fills the detector's frame."""
    size = {"width": math.ceil(spec.width / share), "height": math.ceil(spec.height / share)}
    return spec.model_copy(update=size)


def cut_tile(image: Image.Image, tile: Box, spec: FrameSpec) -> Pixels:
    """A tile of a decoded photograph, scaled to the frame: uint8, shape (height, width, 3), RGB."""
    x, y, width, height = tile
    plain = image if image.mode in ("RGB", "L") else image.convert("RGB")
    box = (
        x * image.width,
        y * image.height,
        min(image.width, (x + width) * image.width),
        min(image.height, (y + height) * image.height),
    )
    # As whole photographs are scaled; a tile of a small one is enlarged, and the box filter would repeat its pixels.
    shrinks = box[2] - box[0] >= spec.width and box[3] - box[1] >= spec.height
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    small = plain.resize((spec.width, spec.height), how, box=box, reducing_gap=1.0 if shrinks else None)
    return np.asarray(small.convert("RGB"))


def shown_box(spec: FrameSpec) -> Box:
    """The part of the photograph that a frame shows: without the printed strips."""
    return (0.0, spec.crop_top, 1.0, 1 - spec.crop_top - spec.crop_bottom)


def tile_boxes(found: FoundBoxes, tile: Box, shown: Box) -> FoundBoxes:
    """What was found in a tile (boxes as shares of it), as shares of the photograph; without cut and empty boxes.

    `shown`: the part of the photograph that all tiles together show; its edges cut nothing.
    """
    corners = np.concatenate([found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]], axis=1).clip(0, 1)
    cut = np.zeros(len(found), dtype=bool)
    for axis in (0, 1):
        begin, end = tile[axis], tile[axis] + tile[axis + 2]
        if begin > shown[axis] + _EDGE * tile[axis + 2]:
            cut |= corners[:, axis] < _EDGE
        if end < shown[axis] + shown[axis + 2] - _EDGE * tile[axis + 2]:
            cut |= corners[:, axis + 2] > 1 - _EDGE
    sides = corners[:, 2:] - corners[:, :2]
    usable = ~cut & (sides > 0).all(axis=1) & (found.scores > 0)
    size = np.array([tile[2], tile[3]])
    boxes = np.concatenate([corners[:, :2] * size + [tile[0], tile[1]], sides * size], axis=1)
    # Rounding must not carry a box over the edge of the photograph.
    boxes[:, :2] = boxes[:, :2].clip(0, 1)
    boxes[:, 2:] = np.minimum(boxes[:, 2:], 1 - boxes[:, :2])
    return FoundBoxes(boxes, found.scores, found.categories).take(usable)


def merge_boxes(parts: Sequence[FoundBoxes], iou: float = SAME_BOX_IOU) -> FoundBoxes:
    """All boxes with an area, best first, without those that overlap a better one of their category by `iou`.

    The order of the parts does not matter, and merging the result again changes nothing.
    """
    boxes = np.concatenate([part.boxes for part in parts]) if parts else np.zeros((0, 4))
    scores = np.concatenate([part.scores for part in parts]) if parts else np.zeros(0)
    categories = np.concatenate([part.categories for part in parts]) if parts else np.zeros(0, dtype=np.int64)
    order = np.lexsort((*boxes.T[::-1], categories, -scores))
    together = FoundBoxes(boxes, scores, categories).take(order[(boxes[order, 2:] > _MIN_SIDE).all(axis=1)])
    kept: list[int] = []
    for place in range(len(together)):
        rivals = [other for other in kept if together.categories[other] == together.categories[place]]
        if not rivals or _overlaps(together.boxes[place], together.boxes[rivals]).max() < iou:
            kept.append(place)
    return together.take(np.array(kept, dtype=np.intp))


def _overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box with n others, (n,)."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    shares: NDArray[np.float64] = shared / (box[2] * box[3] + others[:, 2:].prod(axis=1) - shared)
    return shares
