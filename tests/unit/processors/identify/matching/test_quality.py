from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tests.unit.processors.identify.matching.crops import coat
from uncia.processors.identify.matching.description import Side
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.quality import normalise


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((200, 300, 3), np.uint8), "black"),
        (np.full((200, 300, 3), 255, np.uint8), "white"),
        (np.full((200, 300, 3), 90, np.uint8), "no texture"),
        (np.zeros((2, 2, 3), np.uint8), "2 x 2 pixels"),
        (np.zeros((0, 0, 3), np.uint8), "0 x 0 pixels"),
        (np.full((400, 31, 3), 90, np.uint8), "31 x 400 pixels"),
    ],
    ids=["black", "white", "flat", "2x2", "empty", "narrow"],
)
def test_a_crop_without_content_has_no_points_and_a_reason(image: NDArray[np.uint8], reason: str) -> None:
    description = FusedMatcher("m@1").describe(image, np.ones(4))
    assert description.keypoints.shape == (0, 4)
    assert description.descriptors.shape == (0, 128)
    assert description.embedding.size == 0
    assert reason in (description.quality.reason or "")


def test_a_gradient_has_too_few_points() -> None:
    ramp = np.repeat(np.linspace(30, 200, 300, dtype=np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    assert "key points" in (FusedMatcher().describe(ramp).quality.reason or "")


def test_blur_lowers_the_sharpness() -> None:
    blurred = gaussian_filter(coat(1), (4, 4, 0))
    assert normalise(blurred, Side.LEFT).quality.sharpness < normalise(coat(1), Side.LEFT).quality.sharpness / 2


def test_the_quality_states_the_crops_own_size_and_side() -> None:
    quality = normalise(coat(1), Side.LEFT).quality
    assert (quality.width, quality.height, quality.side, quality.usable) == (300, 200, Side.LEFT, True)


@pytest.mark.parametrize("image", [np.zeros((50, 50), np.uint8), np.zeros((50, 50, 3), np.float32)])
def test_an_array_that_is_no_rgb_image_is_refused(image: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        normalise(image, Side.UNKNOWN)
