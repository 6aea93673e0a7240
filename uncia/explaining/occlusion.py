"""Occlusion map: how much the score falls when a patch is hidden (Zeiler and Fergus 2014)."""

import math

import numpy as np
from numpy.typing import NDArray

from uncia.explaining.perturbations import Masks, Perturbations, grid_segments
from uncia.imaging.frames import Pixels

_REACH = 1
"""A patch hides a cell and so many cells on each side of it."""


def plan_occlusion(pixels: Pixels, *, samples: int) -> Perturbations:
    """A patch over every cell of a grid, in the picture's mean colour; about `samples` of them."""
    height, width = pixels.shape[:2]
    rows = max(1, min(height, round(math.sqrt(samples * height / width))))
    columns = max(1, min(width, samples // rows))
    row, column = np.divmod(np.arange(rows * columns), columns)
    near = (abs(row[:, None] - row) <= _REACH) & (abs(column[:, None] - column) <= _REACH)
    shown: Masks = np.concatenate([np.ones((1, rows * columns), dtype=np.bool_), ~near])
    fill = np.broadcast_to(np.round(pixels.mean(axis=(0, 1))).astype(np.uint8), pixels.shape)
    return Perturbations(pixels, grid_segments(height, width, rows, columns), shown, fill)


def occlusion_weights(shown: Masks, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean fall of the score over the patches that hide each cell, (cells,)."""
    hidden = ~shown[1:]
    falls = scores[0] - scores[1:]
    weights: NDArray[np.float64] = (hidden.T @ falls) / hidden.sum(axis=0)
    return weights
