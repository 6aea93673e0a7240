"""Makes persons in a picture unrecognisable, for those who may not see them.

A region is reduced to a few mean values and these are smoothed, so that nothing finer is left to restore: a Gaussian
blur alone can be inverted as far as its rounding permits, a mean of many pixels cannot.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from uncia.events.values import Box
from uncia.imaging.crops import CropRegion, crop_region

__all__ = ["BLOCKS", "MARGIN", "blur_people", "blurred_regions"]

BLOCKS = 6
"""Mean values along the longer side of a region: of a standing person, the head is less than one of them."""

MARGIN = 0.15
"""Share of a box's longer side that is added at each side: detectors cut off feet, hands and shadows."""

_SMALLEST = 4
"""Pixels of the smallest block in each direction, for persons far away."""

Pixels = NDArray[np.uint8]


def blurred_regions(boxes: Iterable[Box], width: int, height: int) -> list[CropRegion]:
    """The regions of a picture of this size in pixels that are blurred for these boxes.

    A box that is not finite numbers covers the whole picture, rather than nothing.
    """
    return [
        crop_region(box if all(map(math.isfinite, box)) else (0.0, 0.0, 1.0, 1.0), width, height, margin=MARGIN)
        for box in boxes
    ]


def blur_people(pixels: Pixels, boxes: Iterable[Box]) -> Pixels:
    """A copy of a picture, uint8 of shape (height, width, 3), in which the regions of these boxes are blurred.

    Outside of the regions every pixel is as it was. Inside, the result depends on at most `BLOCKS` x `BLOCKS` mean
    values of each region.
    """
    height, width = pixels.shape[:2]
    blurred = Image.fromarray(pixels)
    for region in blurred_regions(boxes, width, height):
        place = (region.left, region.top, region.right, region.bottom)
        # Of the result so far: where two regions overlap, the second must not bring back what the first has hidden.
        part = blurred.crop(place)
        longer = max(part.size)
        columns, rows = (max(1, min(round(BLOCKS * length / longer), length // _SMALLEST)) for length in part.size)
        coarse = part.resize((columns, rows), Image.Resampling.BOX)
        blocks = coarse.resize(part.size, Image.Resampling.NEAREST)
        blurred.paste(blocks.filter(ImageFilter.GaussianBlur(longer / BLOCKS / 3)), place)
    return np.asarray(blurred)
