"""Whether a camera still shows the same view."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from uncia.imaging.luminance import COLUMNS, ROWS
from uncia.processors.alerts.camera_view import (
    MOST_APPEARANCES,
    MOVED_FRAMES,
    MOVED_TIME,
    SAME,
    SPACING,
    CameraView,
    Texture,
    ViewChange,
    is_dark,
    similarity,
    texture,
)

HOUR = timedelta(hours=1)
START = datetime(2026, 5, 1, 12)

Grid = NDArray[np.uint8]


def scene(
    number: int, *, shift: int = 0, gain: float = 1.0, add: float = 0.0, noise: float = 4.0, salt: int = 0
) -> Grid:
    """A photograph of one of many places: blotches of some cells, with the noise of this photograph."""
    rough = np.random.default_rng(number).normal(size=(ROWS, COLUMNS + 16))
    smooth = np.sum([np.roll(rough, (dy, dx), (0, 1)) for dy in (0, 1) for dx in (0, 1)], axis=0)
    values = 110 + gain * 25 * smooth[:, shift : shift + COLUMNS] + add
    grains = np.random.default_rng(1000 * number + salt).normal(size=values.shape)
    grid: Grid = (values + noise * grains).clip(0, 255).astype(np.uint8)
    return grid


def of(grid: Grid) -> Texture:
    values = texture(grid)
    assert values is not None
    return values


def changes(
    view: CameraView,
    grids: list[Grid],
    start: datetime = START,
    step: timedelta = 3 * HOUR,
    dark: bool = False,
) -> list[tuple[int, ViewChange]]:
    """What the photographs of bursts change, each with its number."""
    found = [view.compare(of(grid), start + number * step, dark) for number, grid in enumerate(grids)]
    return [(number, change) for number, change in enumerate(found) if change is not None]


def place(number: int, count: int, first: int = 0) -> list[Grid]:
    return [scene(number, salt=first + at) for at in range(count)]


def learned(*places: int, dark: bool = False) -> CameraView:
    view = CameraView()
    grids = [scene(places[at % len(places)], salt=at) for at in range(40)]
    assert not changes(view, grids, START - 40 * 3 * HOUR, dark=dark)
    return view


@given(st.integers(0, 50), st.floats(0.4, 1.2), st.floats(-40, 40))
def test_exposure_leaves_a_texture_nearly_unchanged(number: int, gain: float, add: float) -> None:
    assert similarity(of(scene(number)), of(scene(number, gain=gain, add=add, salt=1))) > 0.7


@given(st.integers(0, 50), st.integers(51, 100))
def test_different_places_have_different_textures(one: int, other: int) -> None:
    assert similarity(of(scene(one)), of(scene(other))) < SAME


@given(st.integers(0, 100))
def test_a_shift_by_a_cell_is_the_same_view_and_by_four_cells_another(number: int) -> None:
    straight = of(scene(number))
    assert similarity(straight, of(scene(number, shift=1))) > 0.7
    assert similarity(straight, of(scene(number, shift=4))) < SAME


def test_the_similarity_is_symmetric_and_at_most_1() -> None:
    one, other = of(scene(1)), of(scene(2))
    assert similarity(one, one) == pytest.approx(1)
    assert similarity(one, other) == pytest.approx(similarity(other, one))


def test_printed_strips_do_not_count() -> None:
    grid = scene(1)
    printed = grid.copy()
    printed[:2], printed[-3:] = 255, 0
    assert np.array_equal(of(grid), of(printed))


def test_a_picture_without_structure_resembles_nothing() -> None:
    black = of(np.zeros((ROWS, COLUMNS), dtype=np.uint8))
    assert similarity(black, black) == 0.0
    assert similarity(black, of(scene(1))) == 0.0


def test_night_is_told_by_brightness_without_the_strips() -> None:
    night = np.full((ROWS, COLUMNS), 20, dtype=np.uint8)
    night[:2], night[-3:] = 255, 255
    assert is_dark(night)
    assert not is_dark(scene(1))


def test_a_grid_of_another_size_has_no_texture() -> None:
    assert texture(np.zeros((12, 16), dtype=np.uint8)) is None


def test_a_camera_that_stays_raises_nothing() -> None:
    assert not changes(learned(1), place(1, 200, 100))


def test_a_moved_camera_is_recognised_after_a_day_and_some_photographs() -> None:
    ((number, change),) = changes(learned(1), place(2, 60))
    assert change is ViewChange.MOVED
    assert number * 3 * HOUR <= MOVED_TIME <= (number + 1) * 3 * HOUR


def test_a_camera_that_seldom_takes_photographs_is_recognised_by_their_number() -> None:
    ((number, _),) = changes(learned(1), place(2, 60), step=timedelta(days=2))
    assert number == MOVED_FRAMES


def test_a_camera_that_is_tilted_is_recognised() -> None:
    assert changes(learned(1), [scene(1, shift=4, salt=at) for at in range(30)])


def test_many_photographs_within_a_day_are_no_move() -> None:
    """Such as a night after a day, or cattle that graze before the lens."""
    assert not changes(learned(1), place(2, 60), step=timedelta(minutes=20))


def test_what_alternates_with_the_known_view_is_one_more_appearance_of_it() -> None:
    view = learned(1)
    nights = [scene(2 if at % 5 else 1, salt=at) for at in range(100)]
    assert not changes(view, nights)
    assert not changes(view, place(2, 60), START + 400 * HOUR), "known by now"


def test_pictures_that_resemble_nothing_are_no_move() -> None:
    """Fog, animals before the lens."""
    assert not changes(learned(1), [scene(100 + at) for at in range(100)])


def test_a_lighting_that_was_rarely_seen_is_no_move() -> None:
    view = learned(1, dark=False)
    assert not changes(view, place(2, 60), dark=True)
    assert changes(view, place(3, 60), START + 500 * HOUR, dark=False)


def test_a_camera_that_is_set_right_again_has_returned() -> None:
    view = learned(1)
    found = changes(view, [*place(2, 60), *place(1, 60, 100)])
    assert [change for _, change in found] == [ViewChange.MOVED, ViewChange.RETURNED]


def test_a_camera_that_is_set_right_soon_has_returned_before_the_other_view_was_learned() -> None:
    moved, returned = changes(learned(1), [*place(2, 12), *place(1, 20, 100)])
    assert moved == (7, ViewChange.MOVED)
    assert returned == (12 + 8 - 1, ViewChange.RETURNED)


def test_a_second_move_is_another_one() -> None:
    found = changes(learned(1), [*place(2, 60), *place(3, 60)])
    assert [change for _, change in found] == [ViewChange.MOVED, ViewChange.MOVED]


def test_a_new_deployment_has_its_own_view() -> None:
    view = learned(1)
    view.begin("d1")
    view.begin("d1")
    view.begin(None)
    assert view.known, "the first one to be named, and no deployment, change nothing"
    view.begin("d2")
    assert not view.known and view.deployment == "d2"
    assert not changes(view, place(2, 60))


def test_of_a_burst_the_first_photograph_is_compared() -> None:
    view = CameraView()
    assert view.wants(START)
    view.compare(of(scene(1)), START, False)
    assert not view.wants(START + SPACING / 2)
    assert not view.wants(START - SPACING / 2), "it arrived late"
    assert view.wants(START + SPACING)


def test_a_clock_that_jumps_is_no_move() -> None:
    view = learned(1)
    jumps = [datetime(1970, 1, 1), datetime(2099, 1, 1)] * 30
    for number, jump in enumerate(jumps):
        assert view.compare(of(scene(1, salt=number)), jump, False) is None
    assert view.compare(of(scene(2)), datetime(1970, 1, 1), False) is None


STREAM = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 60), st.booleans()), max_size=60)


@given(STREAM, st.integers(0, 60))
def test_a_restart_and_a_repetition_change_nothing(stream: list[tuple[int, int, bool]], restart: int) -> None:
    plain, stored = CameraView(), CameraView()
    at = START
    for number, (where, hours, dark) in enumerate(stream):
        at += hours * HOUR
        values = of(scene(where, salt=number))
        if number == restart:
            stored = CameraView.model_validate_json(stored.model_dump_json())
        assert plain.compare(values, at, dark) == stored.compare(values, at, dark)
        assert not plain.wants(at)
        plain.offset, plain.logged_ms = number, number
        assert all(plain.includes(earlier, earlier) for earlier in range(number + 1))
        assert not plain.includes(number + 1, number + 1)
    assert plain.known == stored.known and plain.new == stored.new


@given(STREAM)
def test_the_state_is_bounded_and_a_move_needs_its_photographs_and_its_time(
    stream: list[tuple[int, int, bool]],
) -> None:
    view, at, last, since = CameraView(), START, START, 0
    for number, (where, hours, dark) in enumerate(stream):
        at += hours * HOUR
        since += 1
        if view.compare(of(scene(where, salt=number)), at, dark) is not None:
            assert since > MOVED_FRAMES and at - last >= MOVED_TIME
            last, since = at, 0
        assert max(len(view.known), len(view.new), len(view.earlier)) <= MOST_APPEARANCES
    assert len(view.model_dump_json()) < 12_000
