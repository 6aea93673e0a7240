"""Views: parsing, sizes, and the mapping of their windows."""

import numpy as np
import pytest

from uncia.imaging.frame_spec import FrameSpec
from uncia.training.ensembles.views import (
    View,
    ViewError,
    area_matrix,
    common_frame,
    map_windows,
    parse_views,
    resize_frames,
    scale_spec,
)

SPEC = FrameSpec()


def test_without_a_word_there_is_the_plain_view() -> None:
    assert parse_views("") == (View(),)


def test_mirror_and_scales_are_combined() -> None:
    assert parse_views("mirror, scale:0.7") == (
        View(),
        View(mirror=True),
        View(0.7),
        View(0.7, mirror=True),
    )


@pytest.mark.parametrize("text", ["flip", "scale:0", "scale:large", "mirror:2", "scale:nan"])
def test_what_is_no_view_is_refused(text: str) -> None:
    with pytest.raises(ViewError):
        parse_views(text)


def test_another_size_keeps_the_window_in_pixels() -> None:
    larger = scale_spec(SPEC, 1.5)
    assert (larger.width, larger.height, larger.window) == (672, 480, 224)


def test_a_whole_frame_model_stays_one_at_any_scale() -> None:
    assert scale_spec(SPEC.model_copy(update={"window": 448}), 1.5).grid == (1, 1)


def test_the_common_frame_is_the_largest_with_the_windows_of_the_plain_view() -> None:
    common = common_frame([SPEC, scale_spec(SPEC, 1.5)], [SPEC])
    assert (common.width, common.height) == (672, 480)
    assert common.grid == SPEC.grid
    assert common.window_box(3) == pytest.approx(SPEC.window_box(3))


def test_models_that_cut_off_different_strips_share_no_frame() -> None:
    with pytest.raises(ViewError, match="strips"):
        common_frame([SPEC, SPEC.model_copy(update={"crop_top": 0.0})], [SPEC])


def test_an_area_is_the_mean_of_what_it_covers() -> None:
    assert area_matrix(3, 2).tolist() == [pytest.approx([2 / 3, 1 / 3, 0]), pytest.approx([0, 1 / 3, 2 / 3])]


def test_a_flat_picture_stays_flat_at_any_size() -> None:
    small = resize_frames(np.full((1, 96, 128, 3), 77, np.uint8), FrameSpec(width=80, height=36))
    assert small.shape == (1, 36, 80, 3)
    assert (small == 77).all()


def test_the_windows_of_the_plain_view_are_their_own_places() -> None:
    assert map_windows(SPEC, False, SPEC).tolist() == list(range(8))


def test_a_mirrored_window_is_on_the_other_side() -> None:
    # Four columns: what a mirrored frame shows first on the left is at the right.
    assert map_windows(SPEC, True, SPEC)[0] == 3


def test_a_window_of_a_larger_view_lies_where_it_shows() -> None:
    larger = scale_spec(SPEC, 1.5)
    table = map_windows(larger, False, SPEC)
    last = larger.grid[0] * larger.grid[1] - 1
    assert (table[0], table[last]) == (0, 7)
