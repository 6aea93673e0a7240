"""Boxes around what moved: the difference of a frame from the median of its burst. Pure NumPy and SciPy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncia.events.values import Box

FEWEST_FRAMES = 3
"""Of two frames nothing tells which one the animal is in."""

_NOISE_FACTOR = 5.0
"""A pixel moved when it differs by this many times the frame's median difference."""
_LEAST_DIFFERENCE = 0.35
"""And by this many standard deviations of the frame's brightness: still nights have next to no noise."""
_BLUR = 1.5
_GAP = 3
"""Pixels between two parts that are one animal."""
_LEAST_SHARE = 0.3
"""A group with less than this share of the largest group's movement is dropped."""
_LEAST_PIXELS = 12
_WIND = 0.35
"""Where more of the picture than this moved, the light changed or the camera did: nothing is proposed."""


def moving_boxes(frames: Sequence[NDArray[np.uint8]]) -> list[list[tuple[Box, float]]]:
    """For each frame of a burst the boxes around what moved, as shares of the frame, with scores up to 1, best first.

    `frames` are pixels uint8 (height, width, 3) of one size. None for a burst of fewer than three frames.
    """
    if len(frames) < FEWEST_FRAMES:
        return [[] for _ in frames]
    grey = np.stack([_normalised(frame) for frame in frames])
    background = np.median(grey, axis=0)
    return [_boxes(np.abs(one - background)) for one in grey]


def _normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = pixels.astype(np.float32).mean(axis=2)
    values: NDArray[np.float32] = (grey - grey.mean()) / (grey.std() + 4.0)
    return values


def _boxes(difference: NDArray[np.float32]) -> list[tuple[Box, float]]:
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(difference, _BLUR)
    moved = smooth > max(_LEAST_DIFFERENCE, _NOISE_FACTOR * float(np.median(smooth)))
    if not moved.any() or moved.mean() > _WIND:
        return []
    near = ndimage.binary_dilation(moved, np.ones((3, 3), bool), iterations=_GAP // 2 + 1)
    groups = np.where(moved, ndimage.label(near, np.ones((3, 3), int))[0], 0)
    numbers = [number for number in np.unique(groups) if number and (groups == number).sum() >= _LEAST_PIXELS]
    sums = {number: float(smooth[groups == number].sum()) for number in numbers}
    found = []
    for number, total in sums.items():
        if total < _LEAST_SHARE * max(sums.values()):
            continue
        rows, columns = np.nonzero(groups == number)
        height, width = difference.shape
        top, left = rows.min(), columns.min()
        box = (
            float(left / width),
            float(top / height),
            float((columns.max() + 1 - left) / width),
            float((rows.max() + 1 - top) / height),
        )
        found.append((box, total / max(sums.values())))
    return sorted(found, key=lambda one: (-one[1], one[0]))
