"""Boxes become regions of whole pixels within the picture, whatever the box."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uncia.imaging.crops import crop_region, cut

shares = st.floats(-2, 3)
sizes = st.integers(1, 5000)


@given(st.tuples(shares, shares, shares, shares), sizes, sizes, st.floats(0, 1), st.none() | st.floats(0.2, 5))
def test_a_region_is_within_the_picture_and_not_empty(
    box: tuple[float, float, float, float], width: int, height: int, margin: float, aspect: float | None
) -> None:
    region = crop_region(box, width, height, margin=margin, aspect=aspect)
    assert 0 <= region.left < region.right <= width
    assert 0 <= region.top < region.bottom <= height
    assert all(0 <= value <= 1 for value in region.box)


@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.1), st.floats(0.01, 0.1), st.floats(0.5, 2))
def test_a_region_contains_its_box_and_has_the_wanted_shape(
    x: float, y: float, width: float, height: float, aspect: float
) -> None:
    region = crop_region((x, y, width, height), 1000, 1000, margin=0.1, aspect=aspect)
    assert region.left - 1 <= 1000 * x and 1000 * (x + width) <= region.right + 1
    assert region.top - 1 <= 1000 * y and 1000 * (y + height) <= region.bottom + 1
    assert math.isclose(region.width / region.height, aspect, rel_tol=0.15)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        crop_region((0.1, math.nan, 0.1, 0.1), 10, 10, margin=0)


def test_a_region_of_another_picture_is_refused() -> None:
    region = crop_region((0, 0, 1, 1), 10, 10, margin=0)
    with pytest.raises(ValueError, match="another size"):
        cut(Image.new("L", (20, 10)), region)
