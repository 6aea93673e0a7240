"""Cuts boxes out of a decoded picture, with a margin: for the classifier, and for the crops that people see."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from uncia.events.values import Box


@dataclass(frozen=True)
class CropRegion:
    """A rectangle of whole pixels, within a picture of this size."""

    left: int
    top: int
    right: int
    bottom: int
    picture_width: int
    picture_height: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def box(self) -> Box:
        """x, y, width, height as shares of the picture, to six digits."""
        return (
            round(self.left / self.picture_width, 6),
            round(self.top / self.picture_height, 6),
            round(self.width / self.picture_width, 6),
            round(self.height / self.picture_height, 6),
        )


def crop_region(
    box: Box, picture_width: int, picture_height: int, *, margin: float, aspect: float | None = None
) -> CropRegion:
    """The pixels of a box (shares of the picture) and a margin around it.

    `margin` is a share of the box's longer side, added at each side. With `aspect` (width / height in pixels) the
    shorter side is widened to it, as far as the picture goes; the region is moved into the picture before it is cut.
    Always within the picture, at least one pixel in size. Raises `ValueError` for a box with NaN or infinite numbers.
    """
    if not np.isfinite(box).all():
        raise ValueError(f"a box must be finite numbers, not {box}")
    x, y, width, height = (
        box[0] * picture_width,
        box[1] * picture_height,
        max(0.0, box[2] * picture_width),
        max(0.0, box[3] * picture_height),
    )
    around = margin * max(width, height)
    wide, high = width + 2 * around, height + 2 * around
    if aspect is not None:
        wide, high = max(wide, high * aspect), max(high, wide / aspect)
    left, right = _within(x + width / 2, wide, picture_width)
    top, bottom = _within(y + height / 2, high, picture_height)
    return CropRegion(left, top, right, bottom, picture_width, picture_height)


def cut(image: Image.Image, region: CropRegion) -> Image.Image:
    """The pixels of a region of this picture, RGB or grey. Raises `ValueError` for a region of another picture."""
    if image.size != (region.picture_width, region.picture_height):
        raise ValueError(f"the region is of a picture of another size than {image.size}")
    cropped = image.crop((region.left, region.top, region.right, region.bottom))
    return cropped if cropped.mode in ("RGB", "L") else cropped.convert("RGB")


def _within(centre: float, length: float, size: int) -> tuple[int, int]:
    """A stretch of whole pixels of about this length around a centre, moved into 0 .. size; at least one pixel."""
    pixels = min(size, max(1, round(length)))
    begin = min(max(0, round(centre - length / 2)), size - pixels)
    return begin, begin + pixels
