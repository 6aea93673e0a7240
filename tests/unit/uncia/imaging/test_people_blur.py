"""Nothing of a person is left but a few mean values, and nothing else of the picture changes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.events.values import Box
from uncia.imaging.people_blur import BLOCKS, Pixels, blur_people, blurred_regions

shares = st.floats(-0.5, 1.5, allow_nan=False)
boxes = st.tuples(shares, shares, st.floats(0, 1.5), st.floats(0, 1.5))


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, max_size=4), st.integers(1, 90), st.integers(1, 90))
def test_every_pixel_outside_of_the_regions_is_as_it_was(found: list[Box], width: int, height: int) -> None:
    before = noise(width, height)
    after = blur_people(before, found)
    outside = np.ones((height, width), dtype=bool)
    for region in blurred_regions(found, width, height):
        outside[region.top : region.bottom, region.left : region.right] = False
    assert after.shape == before.shape
    assert (after[outside] == before[outside]).all()


@settings(max_examples=60, deadline=None)
@given(boxes)
def test_a_region_contains_its_box_as_far_as_the_picture_goes(box: Box) -> None:
    (region,) = blurred_regions([box], 200, 100)
    left, top = max(0.0, box[0]) * 200, max(0.0, box[1]) * 100
    right, bottom = min(1.0, box[0] + box[2]) * 200, min(1.0, box[1] + box[3]) * 100
    if left < right and top < bottom:
        assert region.left <= left + 1 and region.top <= top + 1
        assert region.right >= right - 1 and region.bottom >= bottom - 1


@pytest.mark.parametrize("seed", range(5))
def test_pixels_in_another_order_within_their_blocks_give_the_same_picture_but_for_rounding(seed: int) -> None:
    # The whole picture is the region: 6 x 6 blocks of 20 x 20 pixels.
    before = noise(120, 120, seed)
    shuffled = before.copy()
    rng = np.random.default_rng(seed + 100)
    for row in range(BLOCKS):
        for column in range(BLOCKS):
            block = shuffled[row * 20 : row * 20 + 20, column * 20 : column * 20 + 20].reshape(-1, 3)
            shuffled[row * 20 : row * 20 + 20, column * 20 : column * 20 + 20] = rng.permutation(block).reshape(
                20, 20, 3
            )
    whole = [(0.0, 0.0, 1.0, 1.0)]
    difference = blur_people(shuffled, whole).astype(int) - blur_people(before, whole)
    # The mean is rounded after each direction.
    assert np.abs(difference).max() <= 1
    assert (shuffled != before).any()


def test_a_person_far_away_is_no_less_hidden() -> None:
    before = noise(400, 300)
    box = (0.5, 0.5, 0.03, 0.06)
    (region,) = blurred_regions([box], 400, 300)
    after = blur_people(before, [box])
    inside = after[region.top : region.bottom, region.left : region.right]
    # Noise has a standard deviation of 74 grey values; the mean of 16 pixels less than 20.
    assert inside.std() < 20


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_box_that_is_no_number_hides_the_whole_picture(bad: float) -> None:
    (region,) = blurred_regions([(bad, 0.1, 0.2, 0.2)], 40, 30)
    assert (region.width, region.height) == (40, 30)
