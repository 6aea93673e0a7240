"""LIME on images: a linear model of the score near the picture, over which of its superpixels are shown.

Ribeiro, Singh and Guestrin, "Why Should I Trust You?" (2016), with its kernel: cosine distance, width 0.25.
"""

import numpy as np
from numpy.typing import NDArray

from uncia.explaining.perturbations import Masks, Perturbations, mean_colours
from uncia.explaining.superpixels import find_superpixels
from uncia.imaging.frames import Pixels

_KERNEL_WIDTH = 0.25
_RIDGE = 1.0


def plan_lime(pixels: Pixels, *, superpixels: int, samples: int, seed: int, shown: float) -> Perturbations:
    """Superpixels, and samples that show each with the probability `shown`; the first sample shows all."""
    segments = find_superpixels(pixels, superpixels)
    count = int(segments.max()) + 1
    masks: Masks = np.random.default_rng(seed).random((max(samples, 1), count)) < shown
    masks[0] = True
    return Perturbations(pixels, segments, masks, mean_colours(pixels, segments))


def fit_lime(shown: Masks, scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Fit a weighted ridge regression: weights (segments,), and its weighted R² on the samples."""
    from sklearn.linear_model import Ridge

    distances = 1 - np.sqrt(shown.mean(axis=1))
    nearness = np.sqrt(np.exp(-((distances / _KERNEL_WIDTH) ** 2)))
    design = shown.astype(np.float64)
    model = Ridge(alpha=_RIDGE).fit(design, scores, sample_weight=nearness)
    return np.asarray(model.coef_, dtype=np.float64), float(model.score(design, scores, sample_weight=nearness))
