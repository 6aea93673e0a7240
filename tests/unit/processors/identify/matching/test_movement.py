from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.identify.matching.crops import HERE, NOON, made_up, reference
from uncia.processors.identify.matching.interface import Position
from uncia.processors.identify.matching.movement import MovementBound, distance_km, is_possible

BOUND = MovementBound()
FAR = Position(HERE.latitude + 80 / 111.2, HERE.longitude)
POSITIONS = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))


def test_a_cat_is_not_80_km_away_within_an_hour() -> None:
    seen = [reference("aisha", made_up(1))]
    assert not is_possible(seen, NOON + timedelta(hours=1), FAR, BOUND)
    assert not is_possible(seen, NOON - timedelta(hours=1), FAR, BOUND)
    assert is_possible(seen, NOON + timedelta(hours=6), FAR, BOUND)


def test_one_impossible_sighting_is_enough() -> None:
    days_ago = reference("aisha", made_up(1), captured_at=NOON - timedelta(days=9))
    assert is_possible([days_ago], NOON, FAR, BOUND)
    assert not is_possible([days_ago, reference("aisha", made_up(2), number=1)], NOON, FAR, BOUND)


def test_an_unknown_time_or_place_rules_nobody_out() -> None:
    seen = [reference("aisha", made_up(1))]
    assert is_possible(seen, None, FAR, BOUND)
    assert is_possible(seen, NOON, None, BOUND)
    assert is_possible([reference("aisha", made_up(1), position=None)], NOON, FAR, BOUND)
    assert is_possible([reference("aisha", made_up(1), captured_at=None)], NOON, FAR, BOUND)


def test_cameras_side_by_side_may_see_one_animal_at_once() -> None:
    near = Position(HERE.latitude + 1 / 111.2, HERE.longitude)
    assert is_possible([reference("aisha", made_up(1))], NOON, near, BOUND)


def test_distances_are_those_of_the_globe() -> None:
    assert distance_km(Position(0, 0), Position(0, 90)) == pytest.approx(10_007.5, abs=1)
    assert distance_km(Position(46, 179.9), Position(46, -179.9)) == pytest.approx(15.4, abs=0.2)


@given(POSITIONS, POSITIONS)
def test_distances_are_symmetric_and_at_most_half_the_globe(first: Position, second: Position) -> None:
    assert distance_km(first, second) == pytest.approx(distance_km(second, first))
    assert 0 <= distance_km(first, second) <= 20_016
