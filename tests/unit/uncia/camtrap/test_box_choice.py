"""The box of choice: movement finds the animal that the detector does not see, and says so."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.camtrap.box_choice import CHOICE_FEATURES, ChoiceWeights, ChosenBox
from uncia.camtrap.movement import LUMINANCE_BOX, intersection_over_union, moved_regions, region_box, still_change
from uncia.camtrap.presence import FrameEvidence, load_presence_model
from uncia.events.values import Box

MODEL = load_presence_model()
SCENE = np.random.default_rng(5).integers(60, 180, (24, 32)).astype(np.float64)
STONE: Box = (0.05, 0.1, 0.2, 0.2)
COLUMNS = (2, 9, 16, 23)
ROWS, WIDTH = (10, 17), 5


def frame(luminance: np.ndarray | None, *boxes: tuple[float, Box, str]) -> FrameEvidence:
    return FrameEvidence(
        np.array([box for _, box, _ in boxes], dtype=np.float64).reshape(-1, 4),
        np.array([score for score, _, _ in boxes], dtype=np.float64),
        tuple(category for _, _, category in boxes),
        luminance,
    )


def scene_with(column: int | None, *, noise: int = 0) -> np.ndarray:
    """The scene with an animal of 7 x 5 cells at a column; `noise` seeds that of the sensor."""
    cells = SCENE + np.random.default_rng(noise).normal(0, 1, SCENE.shape)
    if column is not None:
        cells[ROWS[0] : ROWS[1], column : column + WIDTH] = 250
    return cells.clip(0, 255).astype(np.uint8)


def animal_at(column: int) -> Box:
    _, top, _, height = LUMINANCE_BOX
    return column / 32, top + height * ROWS[0] / 24, WIDTH / 32, height * (ROWS[1] - ROWS[0]) / 24


def walking(*boxes: tuple[float, Box, str]) -> list[FrameEvidence]:
    return [frame(scene_with(column, noise=column), *boxes) for column in COLUMNS]


def choose(frames: Sequence[FrameEvidence], static: Sequence[Box] = ()) -> list[ChosenBox | None]:
    return MODEL.choose_boxes(MODEL.features(frames, static))


def overlap(chosen: ChosenBox | None, box: Box) -> float:
    return 0.0 if chosen is None else float(intersection_over_union(np.array([chosen.box]), np.array([box]))[0, 0])


@pytest.mark.parametrize("stone", [None, 0.05, 0.3])
def test_an_animal_without_a_box_is_boxed_by_its_movement(stone: float | None) -> None:
    chosen = choose(walking(*([] if stone is None else [(stone, STONE, "animal")])))
    assert all(own is not None and own.index is None for own in chosen)
    assert [overlap(own, animal_at(column)) > 0.9 for own, column in zip(chosen, COLUMNS, strict=True)] == [True] * 4


def test_a_box_of_the_detector_at_the_animal_stays_the_box_of_choice() -> None:
    frames = [
        frame(scene_with(column, noise=column), (0.8, STONE, "animal"), (0.5, animal_at(column), "animal"))
        for column in COLUMNS
    ]
    assert [own.index for own in choose(frames) if own is not None] == [1, 1, 1, 1]


def test_an_animal_that_stands_still_in_between_is_boxed_where_it_moved_before_or_after() -> None:
    columns = (9, 9, 10)
    frames = [frame(scene_with(None, noise=1)), *(frame(scene_with(at, noise=at)) for at in columns)]
    frames += [frame(scene_with(None, noise=number)) for number in range(20, 24)]
    chosen = choose(frames)
    assert all(overlap(own, animal_at(at)) >= 0.5 for own, at in zip(chosen[1:4], columns, strict=True))


def test_where_nothing_moves_the_detector_decides() -> None:
    still = [frame(np.full((24, 32), 90, dtype=np.uint8), (0.3, STONE, "animal"))] * 3
    assert [own.index for own in choose(still) if own is not None] == [0, 0, 0]
    assert choose([replace(own, luminance=None) for own in still]) == choose(still)
    assert choose([frame(np.full((24, 32), 90, dtype=np.uint8))] * 3) == [None] * 3


def test_the_place_of_a_person_is_no_movement() -> None:
    frames = [frame(scene_with(column), (0.7, animal_at(column), "person")) for column in COLUMNS]
    assert not any(overlap(own, animal_at(column)) for own, column in zip(choose(frames), COLUMNS, strict=True))


def test_a_known_static_object_loses_against_movement() -> None:
    frames = walking((0.9, STONE, "animal"))
    before, after = choose(frames), choose(frames, [STONE])
    assert sum(own is not None and own.index is None for own in after) >= sum(
        own is not None and own.index is None for own in before
    )
    assert all(own is not None and own.index is None for own in after)


def test_without_weights_of_the_choice_boxes_are_those_of_the_detector() -> None:
    plain = MODEL.model_copy(update={"choice": None})
    frames = walking((0.05, STONE, "animal"))
    assert [own.index for own in plain.choose_boxes(plain.features(frames)) if own is not None] == [0] * 4
    assert choose(frames) != plain.choose_boxes(plain.features(frames))
    assert MODEL.choose_boxes(MODEL.features(frames), by_movement=False) == plain.choose_boxes(plain.features(frames))


def test_the_choice_is_no_evidence_of_presence() -> None:
    plain, frames = MODEL.model_copy(update={"choice": None}), walking((0.05, STONE, "animal"))
    assert plain.burst_probability(frames) == MODEL.burst_probability(frames)
    assert plain.id != load_presence_model().id


def test_every_weight_of_the_choice_has_a_feature() -> None:
    assert MODEL.choice is not None
    assert set(MODEL.choice.features) == set(CHOICE_FEATURES)
    assert ChoiceWeights(features={"score": 2.0}).vector().tolist() == [2.0, *[0.0] * (len(CHOICE_FEATURES) - 1)]


@pytest.mark.parametrize(("gap", "columns"), [(2, (4, 12)), (3, (4, 7))])
def test_parts_of_an_animal_are_one_over_gaps_of_two_cells(gap: int, columns: tuple[int, int]) -> None:
    change = np.full((1, 24, 32), 0.01)
    change[0, 5:9, 4:7] = 1.0
    change[0, 5:9, 7 + gap : 10 + gap] = 0.8
    region, has = moved_regions(change, still_change(change), 2.5, 0.15)
    x, _, width, _ = region_box(region[0], (0.0, 0.0, 1.0, 1.0))
    assert has[0]
    assert (round(32 * x), round(32 * (x + width))) == columns


grids = st.integers(0, 30).map(lambda seed: np.random.default_rng(seed).integers(0, 256, (6, 8), dtype=np.uint8))
places = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1))
found = st.lists(st.tuples(st.floats(0, 1), places, st.sampled_from(["animal", "person", "vehicle"])), max_size=4)
frames_of_bursts = st.lists(
    st.builds(lambda grid, boxes: frame(grid, *boxes), st.one_of(st.none(), grids), found), max_size=6
)


@given(frames_of_bursts, st.lists(places, max_size=2))
@settings(deadline=None, max_examples=60)
def test_a_box_of_choice_is_an_animal_box_of_its_frame_or_lies_in_what_the_grid_shows(
    burst: list[FrameEvidence], static: list[Box]
) -> None:
    chosen = choose(burst, static)
    assert len(chosen) == len(burst)
    for own, evidence in zip(chosen, burst, strict=True):
        if own is None:
            assert "animal" not in evidence.categories
        elif own.index is not None:
            assert evidence.categories[own.index] == "animal"
        else:
            x, y, width, height = own.box
            left, top, right, bottom = LUMINANCE_BOX
            assert evidence.luminance is not None
            assert min(width, height) > 0
            assert x >= left - 1e-6 and y >= top - 1e-6
            assert x + width <= left + right + 2e-6 and y + height <= top + bottom + 2e-6


@given(st.integers(0, 1000), st.floats(1, 4), st.floats(0.05, 0.9))
@settings(deadline=None, max_examples=60)
def test_a_region_has_the_most_changed_cell_and_only_cells_that_changed_enough(
    seed: int, over_still: float, share: float
) -> None:
    changes = np.random.default_rng(seed).gamma(0.5, 0.2, (3, 6, 8))
    regions, has = moved_regions(changes, still_change(changes), over_still, share)
    for change, region, own in zip(changes, regions, has, strict=True):
        assert (change[region] >= share * change.max() - 1e-12).all()
        if own:
            assert region.flat[change.argmax()]


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_the_regions_of_a_grid_do_not_depend_on_the_other_grids(seed: int) -> None:
    changes = np.random.default_rng(seed).gamma(0.5, 0.2, (4, 6, 8))
    together, has = moved_regions(changes, still_change(changes), 2.5, 0.15)
    for number in range(4):
        alone, own = moved_regions(changes[[number]], still_change(changes[[number]]), 2.5, 0.15)
        assert (alone[0] == together[number]).all() and own[0] == has[number]
