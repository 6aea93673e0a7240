"""Tiles cover what a frame shows, and what they find is found once, within the photograph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import scale_to_frame
from uncia.imaging.tiles import FoundBoxes, cut_tile, decode_spec, merge_boxes, shown_box, tile_boxes, tiles_of

Box = tuple[float, float, float, float]
SPEC = FrameSpec(width=64, height=48)
SHARES = st.floats(0, 1)
BOXES = st.tuples(SHARES, SHARES, SHARES, SHARES)
FOUND = st.lists(st.tuples(BOXES, st.floats(0, 1), st.integers(0, 2)), max_size=12)
GRIDS = st.sampled_from([(1, 1.0), (2, 0.6), (2, 0.5), (3, 0.4), (4, 0.3)])
SPECS = st.builds(
    lambda top, bottom: FrameSpec(width=64, height=48, crop_top=top, crop_bottom=bottom),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
)


def found(entries: list[tuple[Box, float, int]]) -> FoundBoxes:
    return FoundBoxes.of(
        [entry[0] for entry in entries], [entry[1] for entry in entries], [entry[2] for entry in entries]
    )


def as_lists(boxes: FoundBoxes) -> list[object]:
    return [boxes.boxes.tolist(), boxes.scores.tolist(), boxes.categories.tolist()]


def seen_in(tile: Box, true: Box) -> FoundBoxes:
    """What a perfect detector reports of one object: the part of it that the tile shows, as shares of the tile."""
    low = np.maximum(true[:2], tile[:2])
    high = np.minimum(np.add(true[:2], true[2:]), np.add(tile[:2], tile[2:]))
    if (high <= low).any():
        return FoundBoxes.of([], [], [])
    size = np.array(tile[2:])
    return FoundBoxes.of([[*((low - tile[:2]) / size), *((high - low) / size)]], [0.9], [0])


@given(GRIDS, SPECS)
def test_tiles_cover_what_the_frame_shows_and_nothing_else(grid: tuple[int, float], spec: FrameSpec) -> None:
    tiles, (_, top, _, kept) = tiles_of(spec, *grid), shown_box(spec)
    assert min(x for x, _, _, _ in tiles) == 0
    assert max(x + width for x, _, width, _ in tiles) == pytest.approx(1)
    assert min(y for _, y, _, _ in tiles) == top
    assert max(y + height for _, y, _, height in tiles) == pytest.approx(top + kept)
    for x in np.linspace(0, 1, 7):
        for y in np.linspace(top + 1e-6, top + kept - 1e-6, 7):
            assert any(t[0] <= x <= t[0] + t[2] + 1e-9 and t[1] <= y <= t[1] + t[3] + 1e-9 for t in tiles)


@pytest.mark.parametrize(("per_side", "share"), [(0, 1.0), (2, 0.4), (2, 1.5), (1, 0.9)])
def test_tiles_that_leave_gaps_are_refused(per_side: int, share: float) -> None:
    with pytest.raises(ValueError, match="do not cover"):
        tiles_of(SPEC, per_side, share)


INNER = st.floats(0.03, 0.97)


@given(GRIDS, SPECS, st.data(), st.tuples(INNER, INNER), st.tuples(INNER, INNER))
def test_an_object_that_is_wholly_in_a_tile_is_found_exactly_once(
    grid: tuple[int, float], spec: FrameSpec, data: st.DataObject, one: tuple[float, float], other: tuple[float, float]
) -> None:
    tiles, shown = tiles_of(spec, *grid), shown_box(spec)
    tile = data.draw(st.sampled_from(tiles))
    low, high = np.minimum(one, other), np.maximum(one, other) + 0.01
    true = (*(np.array(tile[:2]) + low * tile[2:]), *((high - low) * tile[2:]))
    merged = merge_boxes([tile_boxes(seen_in(each, true), each, shown) for each in tiles])
    assert merged.boxes == pytest.approx(np.array([true]), abs=1e-9)


@given(GRIDS, SPECS, FOUND)
def test_no_box_lies_outside_the_photograph(
    grid: tuple[int, float], spec: FrameSpec, entries: list[tuple[Box, float, int]]
) -> None:
    merged = merge_boxes([tile_boxes(found(entries), tile, shown_box(spec)) for tile in tiles_of(spec, *grid)])
    assert (merged.boxes >= 0).all()
    assert (merged.boxes[:, :2] + merged.boxes[:, 2:] <= 1 + 1e-12).all()
    assert (merged.boxes[:, 2:] > 0).all()
    assert (np.diff(merged.scores) <= 0).all()


@given(FOUND, FOUND)
def test_merging_is_idempotent_and_the_order_of_the_parts_does_not_matter(
    first: list[tuple[Box, float, int]], second: list[tuple[Box, float, int]]
) -> None:
    merged = merge_boxes([found(first), found(second)])
    assert as_lists(merge_boxes([merged])) == as_lists(merged)
    assert as_lists(merge_boxes([merged, merged])) == as_lists(merged)
    assert as_lists(merge_boxes([found(second), found(first)])) == as_lists(merged)


def test_boxes_of_different_categories_are_not_merged() -> None:
    box = (0.1, 0.1, 0.3, 0.3)
    assert len(merge_boxes([found([(box, 0.9, 0), (box, 0.8, 1), (box, 0.7, 0)])])) == 2
    assert len(merge_boxes([])) == 0


def test_a_box_that_an_inner_edge_cuts_is_left_out_and_one_at_the_edge_of_the_photograph_stays() -> None:
    tile = tiles_of(SPEC, 2, 0.6)[0]
    at_right, at_left = (0.7, 0.3, 0.3, 0.3), (0.0, 0.3, 0.3, 0.3)
    kept = tile_boxes(found([(at_right, 0.9, 0), (at_left, 0.5, 0)]), tile, shown_box(SPEC))
    assert kept.scores.tolist() == [0.5]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(640, 480), (50, 40), (1, 1)])
def test_a_tile_is_scaled_to_the_frame(mode: str, size: tuple[int, int]) -> None:
    image = Image.new(mode, size, 77)
    for tile in tiles_of(SPEC, 2, 0.6):
        pixels = cut_tile(image, tile, SPEC)
        assert pixels.shape == (48, 64, 3)
        assert (pixels == 77).all() or mode == "RGB"


def test_one_tile_of_everything_is_the_frame_itself() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    (tile,) = tiles_of(SPEC, 1, 1.0)
    assert np.abs(cut_tile(image, tile, SPEC).astype(int) - scale_to_frame(image, SPEC)).max() <= 1


def test_photographs_are_decoded_large_enough_for_a_tile() -> None:
    spec = decode_spec(SPEC, 0.6)
    assert (spec.width, spec.height) == (107, 80)
    assert spec.crop_top == SPEC.crop_top
