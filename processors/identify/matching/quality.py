"""The size-normalised crop, whether it can be matched at all, and how good it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import laplace

from uncia.processors.identify.matching.description import FINGERPRINT_BYTES, ByteArray, FloatArray, Quality, Side

LONG_SIDE = 400
"""Pixels of the longer side of a normalised crop, as the chips of HotSpotter."""
SHORTEST_SIDE = 32
"""Pixels of a crop: below, there is no room for the coarsest key points."""
_MAX_ENLARGEMENT = 2.0
_DARKEST = 0.01
_BRIGHTEST = 0.99
_LOWEST_CONTRAST = 0.01
_PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True)
class NormalisedCrop:
    """`grey`: (h, w) in [0, 1], contrast stretched; `scale`: normalised pixels for one pixel of the crop."""

    grey: FloatArray
    scale: float
    quality: Quality
    fingerprint: bytes


def normalise(image: ByteArray, side: Side) -> NormalisedCrop:
    """Scale a crop (H, W, 3) of RGB to the long side, stretch its contrast, and assess it.

    Stretching between the 1st and 99th percentiles makes the detector's contrast threshold independent of exposure, as
    infrared frames need. Raises `ValueError` if the array is no RGB image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"A crop must have shape (H, W, 3) and type uint8, not {image.shape} of {image.dtype}.")
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST_SIDE:
        too_small = f"The crop has {width} x {height} pixels; matching needs {SHORTEST_SIDE} on each side."
        return _unusable(width, height, side, too_small)
    luminance = Image.fromarray(image).convert("L")
    scale = min(LONG_SIDE / max(height, width), _MAX_ENLARGEMENT)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = np.asarray(luminance.resize(size, Image.Resampling.LANCZOS), dtype=np.float32) / 255
    exposure, contrast = float(grey.mean()), float(grey.std())
    low, high = np.percentile(grey, _PERCENTILES)
    stretched = np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    quality = Quality(
        sharpness=round(float(laplace(stretched).var()) * 1000, 3),
        exposure=round(exposure, 4),
        contrast=round(contrast, 4),
        width=width,
        height=height,
        side=side,
        reason=_reason(exposure, contrast),
    )
    return NormalisedCrop(stretched, scale, quality, fingerprint_of(luminance))


def fingerprint_of(luminance: Image.Image) -> bytes:
    """A difference hash of 256 bits: whether each of 16 x 16 cells is brighter than its left neighbour."""
    cells = np.asarray(luminance.resize((17, 16), Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes()


def _unusable(width: int, height: int, side: Side, reason: str) -> NormalisedCrop:
    quality = Quality(0.0, 0.0, 0.0, width=width, height=height, side=side, reason=reason)
    grey: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
    return NormalisedCrop(grey, 1.0, quality, bytes(FINGERPRINT_BYTES))


def _reason(exposure: float, contrast: float) -> str | None:
    if exposure < _DARKEST:
        return "The crop is black."
    if exposure > _BRIGHTEST:
        return "The crop is white."
    if contrast < _LOWEST_CONTRAST:
        return "The crop has no texture."
    return None
