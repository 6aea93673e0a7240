"""RootSIFT key points of a normalised crop.

Lowe, "Distinctive image features from scale-invariant keypoints", 2004; Arandjelović and Zisserman, "Three things
everyone should know to improve object retrieval", CVPR 2012.
"""

import numpy as np
from skimage.feature import SIFT

from uncia.processors.identify.matching.description import DESCRIPTOR_LENGTH, ByteArray, FloatArray
from uncia.processors.identify.matching.quality import NormalisedCrop

MAX_KEYPOINTS = 400
"""Key points of a crop, the coarsest first: bounds the time of a comparison, and fine ones are grass and noise."""
FEWEST_KEYPOINTS = 8
QUANTISATION = 512.0
"""Stored descriptors are unit vectors times this, as SIFT's own."""

_CONTRAST = 0.02
_SMALLEST_SIGMA = 1.2
"""In normalised pixels: below, key points are noise of the sensor."""


def extract(crop: NormalisedCrop) -> tuple[FloatArray, ByteArray]:
    """Key points (N, 4) in pixels of the crop, and RootSIFT descriptors (N, 128); both empty for an unusable crop."""
    if not crop.quality.usable:
        return _nothing()
    detector = SIFT(upsampling=1, c_dog=_CONTRAST)
    try:
        detector.detect_and_extract(crop.grey)
    except RuntimeError:  # scikit-image's word for "no key points"
        return _nothing()
    positions, sigmas = detector.positions, detector.sigmas
    order = np.lexsort((detector.orientations, positions[:, 1], positions[:, 0], -sigmas))
    order = order[sigmas[order] >= _SMALLEST_SIGMA][:MAX_KEYPOINTS]
    keypoints = np.column_stack(
        (
            (positions[order, 1] + 0.5) / crop.scale,
            (positions[order, 0] + 0.5) / crop.scale,
            sigmas[order] / crop.scale,
            detector.orientations[order],
        )
    ).astype(np.float32)
    return keypoints, root_sift(detector.descriptors[order])


def root_sift(sift: ByteArray) -> ByteArray:
    """Replace SIFT vectors (N, 128) by the square roots of their shares: their distance is then Hellinger's."""
    values = sift.astype(np.float32)
    sums = np.maximum(values.sum(axis=1, keepdims=True), 1.0)
    quantised = np.rint(np.sqrt(values / sums) * QUANTISATION)
    return np.asarray(np.minimum(quantised, 255), dtype=np.uint8)


def unit_descriptors(descriptors: ByteArray) -> FloatArray:
    """Stored descriptors (N, 128) as unit vectors."""
    values = descriptors.astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return np.asarray(values / np.maximum(norms, 1.0)[:, None], dtype=np.float32)


def _nothing() -> tuple[FloatArray, ByteArray]:
    return np.zeros((0, 4), dtype=np.float32), np.zeros((0, DESCRIPTOR_LENGTH), dtype=np.uint8)
