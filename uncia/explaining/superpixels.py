"""Superpixels: parts of a picture of similar colour, which an animal's outline mostly follows."""

import numpy as np

from uncia.explaining.perturbations import Segments
from uncia.imaging.frames import Pixels

_LEAST_PIXELS = 16
"""Pixels of a superpixel, at least, on average: smaller ones are noise."""
_COMPACTNESS = 10.0
_BLUR = 1.0
"""Standard deviation in pixels of the blur before clustering, against the grain of infrared frames."""


def find_superpixels(pixels: Pixels, count: int) -> Segments:
    """About `count` superpixels (SLIC; Achanta et al. 2012) of a picture uint8 (height, width, 3).

    One superpixel for a picture that is too small for two. The same picture always gives the same superpixels.
    """
    from skimage.segmentation import relabel_sequential, slic

    height, width = pixels.shape[:2]
    count = min(count, height * width // _LEAST_PIXELS)
    if count < 2:
        return np.zeros((height, width), dtype=np.int32)
    found = slic(pixels, n_segments=count, compactness=_COMPACTNESS, sigma=_BLUR, start_label=1)
    numbered: Segments = (relabel_sequential(found)[0] - 1).astype(np.int32)
    return numbered
