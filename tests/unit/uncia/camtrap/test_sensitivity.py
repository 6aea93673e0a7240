"""Positions as their sensitivity allows: never closer than the cell, within the circle, the stricter level wins."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uncia.camtrap.sensitivity import (
    PublicPosition,
    cell_degrees,
    former_level_named,
    generalise,
    level_named,
    strictest,
)
from uncia.events import Sensitivity

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
COARSE = (Sensitivity.LOW, Sensitivity.MEDIUM, Sensitivity.HIGH)
_ELLIPSOID = 6_378_137.0, 6_356_752.3142
"""Half axes of WGS 84, in metres."""


def _shown(latitude: float, longitude: float, level: Sensitivity, own: float | None = None) -> PublicPosition:
    place = generalise(latitude, longitude, level, own, required=True)
    assert place is not None
    return place


def _distance_m(latitude: float, longitude: float, other: PublicPosition) -> float:
    """The straight line through the ellipsoid, which is shorter than the way by at most 1 m per 80 km."""

    def point(north: float, east: float) -> tuple[float, float, float]:
        a, b = _ELLIPSOID
        phi, lam = math.radians(north), math.radians(east)
        n = a * a / math.hypot(a * math.cos(phi), b * math.sin(phi))
        return n * math.cos(phi) * math.cos(lam), n * math.cos(phi) * math.sin(lam), n * (b / a) ** 2 * math.sin(phi)

    return math.dist(point(latitude, longitude), point(other.latitude, other.longitude))


@given(LATITUDES, LONGITUDES, st.sampled_from((*COARSE, Sensitivity.EXTREME)), st.none() | st.floats(0.1, 1e5))
@example(90.0, 180.0, Sensitivity.HIGH, None)
@example(-89.96, -179.96, Sensitivity.HIGH, 5.0)
@example(89.95, 0.05, Sensitivity.HIGH, None)
@example(0.05, 179.95, Sensitivity.HIGH, None)
def test_the_circle_contains_the_camera(
    latitude: float, longitude: float, level: Sensitivity, own: float | None
) -> None:
    place = _shown(latitude, longitude, level, own)
    assert place.uncertainty_m is not None
    assert _distance_m(latitude, longitude, place) + (own or 0) <= place.uncertainty_m + 1
    assert -90 <= place.latitude <= 90
    assert -180 <= place.longitude < 180


@given(LATITUDES, LONGITUDES, st.sampled_from(COARSE), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_all_positions_of_a_cell_look_the_same(
    latitude: float, longitude: float, level: Sensitivity, north: float, east: float
) -> None:
    cell = cell_degrees(level)
    assert cell is not None
    place = _shown(latitude, longitude, level)
    other = place.latitude + north * cell, place.longitude + east * cell
    if abs(other[0]) <= 90:
        assert _shown(*other, level) == place


@given(LATITUDES, LONGITUDES, st.sampled_from(COARSE))
def test_a_shown_position_has_no_digit_more_than_its_cell(
    latitude: float, longitude: float, level: Sensitivity
) -> None:
    digits = {Sensitivity.LOW: 3, Sensitivity.MEDIUM: 2, Sensitivity.HIGH: 1}[level]
    place = _shown(latitude, longitude, level)
    for value in (place.latitude, place.longitude):
        assert len(repr(value).partition(".")[2]) <= digits
        assert value == round(value, digits)
    assert _shown(place.latitude, place.longitude, level) == place


@given(LATITUDES, LONGITUDES)
def test_both_sides_of_the_date_line_give_one_longitude(latitude: float, longitude: float) -> None:
    assert _shown(latitude, 180.0, Sensitivity.HIGH) == _shown(latitude, -180.0, Sensitivity.HIGH)
    assert _shown(latitude, 179.99, Sensitivity.HIGH) == _shown(latitude, -179.99, Sensitivity.HIGH)


@given(st.lists(st.sampled_from(Sensitivity), min_size=1), st.sampled_from(Sensitivity), LATITUDES, LONGITUDES)
def test_the_strictest_level_wins_and_further_levels_never_make_it_finer(
    levels: list[Sensitivity], further: Sensitivity, latitude: float, longitude: float
) -> None:
    order = list(Sensitivity)
    assert order.index(strictest(levels)) == max(order.index(level) for level in levels)
    before, after = strictest(levels), strictest([*levels, further])
    assert order.index(after) >= order.index(before)
    shown = generalise(latitude, longitude, before), generalise(latitude, longitude, after)
    if shown[0] is None:
        assert shown[1] is None
    elif shown[1] is not None:
        assert (shown[1].precision or 0) >= (shown[0].precision or 0)


@given(LATITUDES, LONGITUDES)
def test_an_extreme_place_is_withheld(latitude: float, longitude: float) -> None:
    assert generalise(latitude, longitude, Sensitivity.EXTREME) is None


def test_an_exact_position_is_exact() -> None:
    assert generalise(42.12345, 75.98765, Sensitivity.NONE, 9.5) == PublicPosition(42.12345, 75.98765, 10, None)


@pytest.mark.parametrize("word", ["", None, "secret", "HIGH"])
def test_a_word_that_is_unknown_means_the_most_secret_level(word: str | None) -> None:
    assert level_named(word) is Sensitivity.EXTREME
    assert former_level_named(word) is Sensitivity.EXTREME


@pytest.mark.parametrize(("word", "digits"), [("low", 2), ("medium", 1)])
@given(latitude=LATITUDES, longitude=LONGITUDES)
def test_a_word_of_before_gives_the_position_of_before(
    word: str, digits: int, latitude: float, longitude: float
) -> None:
    place = _shown(latitude, longitude, former_level_named(word))
    assert place.precision == 10**-digits
    assert abs(place.latitude - latitude) <= 0.5000001 * 10**-digits
