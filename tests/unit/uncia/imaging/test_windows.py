"""A window's place says where in the stored photograph it lies."""

import pytest
from pydantic import ValidationError

from uncia.imaging.frame_spec import FrameSpec

SPEC = FrameSpec()


def test_the_frame_holds_two_rows_of_four_windows() -> None:
    assert SPEC.grid == (2, 4)


def test_places_go_along_the_rows_from_the_top_left() -> None:
    first, second, below = SPEC.window_box(0), SPEC.window_box(1), SPEC.window_box(4)

    assert first[:2] == (0, SPEC.crop_top)
    assert second[0] > first[0] and second[1] == first[1]
    assert below[0] == first[0] and below[1] > first[1]


def test_a_window_is_its_share_of_the_photograph_between_the_strips() -> None:
    assert SPEC.window_box(3) == pytest.approx((192 / 448, 0.04, 224 / 448, 0.89 * 224 / 320))


def test_no_window_reaches_into_the_printed_strips() -> None:
    for place in range(8):
        x, y, width, height = SPEC.window_box(place)
        assert x >= 0 and x + width <= 1
        assert y >= SPEC.crop_top and y + height <= 1 - SPEC.crop_bottom


@pytest.mark.parametrize("place", [-1, 8])
def test_a_place_outside_the_grid_is_a_mistake(place: int) -> None:
    with pytest.raises(ValueError, match="outside the grid"):
        SPEC.window_box(place)


def test_a_crop_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValidationError):
        FrameSpec(crop_top=0.5)


def test_a_window_larger_than_the_frame_is_the_whole_of_it() -> None:
    spec = FrameSpec(width=96, height=64, crop_top=0.1, crop_bottom=0.2, window=96, stride=32)

    assert spec.grid == (1, 1)
    assert spec.window_box(0) == pytest.approx((0.0, 0.1, 1.0, 0.7))
