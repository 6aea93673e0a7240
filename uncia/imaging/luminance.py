"""The luminance grid of a photograph: mean grey values in a few cells, from which movement within a burst is seen."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.imaging.frames import Pixels

__all__ = ["COLUMNS", "ROWS", "luminance_grid"]

ROWS, COLUMNS = 36, 48
"""Size of the default grid: 1,728 bytes."""


def luminance_grid(pixels: Pixels, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Mean luma (ITU-R 601) of a frame in `rows` x `columns` cells of equal size: uint8 (rows, columns).

    `pixels` is uint8 (H, W, 3), RGB, of any size: cells are averaged over the exact area, so frames of different size
    give comparable grids. Thread-safe.
    """
    small = Image.fromarray(pixels).convert("L").resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small)
