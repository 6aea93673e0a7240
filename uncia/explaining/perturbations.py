"""A picture in segments, and copies of it in which some segments are hidden: the input of the model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frames import Pixels

Segments = NDArray[np.int32]
"""(height, width): the number of the segment of each pixel, from 0 without gaps."""
Masks = NDArray[np.bool_]
"""(samples, segments): whether a sample shows a segment."""


@dataclass(frozen=True)
class Perturbations:
    """S copies of a picture; the first is the picture itself. Immutable; copies are made on demand."""

    pixels: Pixels
    """(height, width, 3)."""
    segments: Segments
    shown: Masks
    fill: Pixels
    """(height, width, 3): what replaces hidden segments."""

    def __len__(self) -> int:
        return len(self.shown)

    def images(self, start: int, stop: int) -> Pixels:
        """The samples from `start` to before `stop`: uint8, (B, height, width, 3)."""
        keep = self.shown[start:stop][:, self.segments]
        images: Pixels = np.where(keep[..., None], self.pixels, self.fill)
        return images


def mean_colours(pixels: Pixels, segments: Segments) -> Pixels:
    """The picture with every segment in its own mean colour, (height, width, 3)."""
    count = int(segments.max()) + 1
    flat = segments.ravel()
    sizes = np.bincount(flat, minlength=count)
    sums = np.stack([np.bincount(flat, pixels[..., c].ravel(), minlength=count) for c in range(3)], axis=1)
    means: Pixels = np.round(sums / sizes[:, None]).astype(np.uint8)
    return means[segments]


def grid_segments(height: int, width: int, rows: int, columns: int) -> Segments:
    """Cells of a grid as segments, row by row: (height, width)."""
    down = np.arange(height, dtype=np.int32) * rows // height
    across = np.arange(width, dtype=np.int32) * columns // width
    grid: Segments = (down[:, None] * columns + across[None, :]).astype(np.int32)
    return grid
