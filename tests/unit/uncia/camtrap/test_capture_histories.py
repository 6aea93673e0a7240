"""Capture histories, counts and moves of individuals."""

from datetime import date

import pytest

from tests.unit.uncia.camtrap.individual_decisions import crop, new, same
from uncia.camtrap.capture_histories import (
    Capture,
    Detector,
    Occasions,
    captures_of,
    distance_m,
    mean_longitude,
    minimum_alive,
    moves_of,
    planar,
    shared_individuals,
)
from uncia.camtrap.individuals import Individual, fold
from uncia.events import AnimalSide, IndividualDecided

# A burst's number is its day in April 2026; its station is ridge, valley or ford, in turn.
FIRST = new(0, "ind-a", "bst-0", code="F01")
SURVEY = Occasions(date(2026, 4, 1), date(2026, 4, 10), 5)


def counted(capture: Capture) -> tuple[str, int, str, int]:
    return capture.individual, capture.occasion, capture.station, capture.count


def individuals(*decisions: IndividualDecided) -> tuple[Individual, ...]:
    return fold(decisions).current()


def test_a_survey_is_divided_into_occasions() -> None:
    assert (SURVEY.count, SURVEY.of(date(2026, 4, 5)), SURVEY.of(date(2026, 4, 6))) == (2, 1, 2)


def test_the_last_occasion_ends_with_the_survey() -> None:
    survey = Occasions(date(2026, 4, 1), date(2026, 4, 7), 5)
    assert (survey.count, survey.of(date(2026, 4, 7)), survey.of(date(2026, 4, 8))) == (2, 2, None)
    assert Detector("ridge", 42.0, 77.0, ((date(2026, 4, 1), None),)).usage(survey) == (5, 2)


@pytest.mark.parametrize("day", [date(2026, 3, 31), date(2026, 4, 11)])
def test_a_day_outside_the_survey_has_no_occasion(day: date) -> None:
    assert SURVEY.of(day) is None


def test_bursts_of_an_individual_at_a_station_in_an_occasion_are_one_capture() -> None:
    found = individuals(FIRST, same(1, "ind-a", "bst-3"), same(2, "ind-a", "bst-7"))
    captures, left_out = captures_of(found, SURVEY, ["ridge", "valley"])
    assert [counted(each) for each in captures] == [("F01", 1, "ridge", 2), ("F01", 2, "valley", 1)]
    assert left_out == 0


def test_of_two_cameras_of_one_station_the_one_that_has_most_bursts_counts() -> None:
    other = [
        same(number, "ind-a", burst).model_copy(update={"camera": "ridge/south", "decision_id": f"idn-{number}"})
        for number, burst in ((1, "bst-0001"), (2, "bst-3"))
    ]
    moved = other[0].model_copy(update={"station": "ridge"})
    (capture,), left_out = captures_of(individuals(FIRST, moved, other[1]), SURVEY, ["ridge"])
    assert (counted(capture), left_out) == (("F01", 1, "ridge", 2), 0)
    assert [time.day for time in capture.times] == [2, 4]


def test_two_individuals_of_one_label_stay_two() -> None:
    found = individuals(FIRST, new(1, "ind-b", "bst-3", code="F01"))
    captures, _ = captures_of(found, SURVEY, ["ridge"])
    assert [each.individual for each in captures] == ["F01 ind-a", "F01 ind-b"]


def test_sightings_outside_the_survey_or_its_stations_are_counted_as_left_out() -> None:
    found = individuals(FIRST, same(1, "ind-a", "bst-30"), same(2, "ind-a", "bst-1"))
    captures, left_out = captures_of(found, SURVEY, ["ridge"])
    assert ([counted(each) for each in captures], left_out) == ([("F01", 1, "ridge", 1)], 2)


def test_usage_is_the_number_of_days_with_a_camera() -> None:
    periods = ((date(2026, 4, 1), date(2026, 4, 2)), (date(2026, 4, 2), date(2026, 4, 3)), (date(2026, 4, 10), None))
    assert Detector("ridge", 42.0, 77.0, periods).usage(SURVEY) == (3, 1)


def test_one_that_was_seen_before_and_after_a_month_was_alive_in_it() -> None:
    counts = minimum_alive(individuals(FIRST, same(1, "ind-a", "bst-70")))
    assert [(each.period, each.seen, each.minimum_alive) for each in counts] == [
        ("2026-04", 1, 1),
        ("2026-05", 0, 1),
        ("2026-06", 1, 1),
    ]


def test_a_left_and_a_right_side_may_be_one_animal() -> None:
    found = individuals(
        new(0, "ind-a", "bst-0", crop("crp-1", AnimalSide.LEFT)),
        new(1, "ind-b", "bst-1", crop("crp-2", AnimalSide.RIGHT)),
        new(2, "ind-c", "bst-2", crop("crp-3", AnimalSide.LEFT), crop("crp-4", AnimalSide.RIGHT)),
    )
    assert minimum_alive(found)[0].seen == 2


def test_nobody_is_counted_without_a_sighting() -> None:
    assert minimum_alive([]) == []


def test_a_move_leads_from_the_last_sighting_at_one_station_to_the_first_at_the_next() -> None:
    found = individuals(FIRST, same(1, "ind-a", "bst-3"), same(2, "ind-a", "bst-7"))
    (move,) = moves_of(found, {"ridge": (42.0, 77.0), "valley": (42.1, 77.0)})
    assert (move.source, move.target, move.left_at.day, move.arrived_at.day) == ("ridge", "valley", 4, 8)
    assert move.metres == pytest.approx(11_120, rel=0.01)


def test_a_move_to_a_place_without_a_position_has_no_distance() -> None:
    (move,) = moves_of(individuals(FIRST, same(1, "ind-a", "bst-1")), {})
    assert move.metres is None


def test_turnover_is_the_share_that_only_one_station_has() -> None:
    found = individuals(FIRST, same(1, "ind-a", "bst-1"), new(2, "ind-b", "bst-4"))
    (pair,) = shared_individuals(found)
    assert (pair.station, pair.other, pair.shared, pair.turnover) == ("ridge", "valley", 1, 0.5)


def test_a_degree_of_latitude_is_111_kilometres() -> None:
    assert distance_m((0.0, 0.0), (1.0, 0.0)) == pytest.approx(111_195, abs=1)


@pytest.mark.parametrize(
    ("longitudes", "middle"), [((10.0, 20.0), 15.0), ((179.0, -179.0), -180.0), ((179.0, -177.0), -179.0)]
)
def test_the_middle_across_180_degrees_is_on_the_shorter_way(longitudes: tuple[float, ...], middle: float) -> None:
    assert mean_longitude(longitudes) == middle


@pytest.mark.parametrize(
    ("latitude", "longitude", "system", "easting", "northing"),
    [
        # The CN Tower and a point on the equator at a central meridian, as in the literature on UTM.
        (43.642567, -79.387139, "EPSG:32617", 630_084, 4_833_439),
        (0.0, 3.0, "EPSG:32631", 500_000, 0),
    ],
)
def test_positions_are_projected_to_utm(
    latitude: float, longitude: float, system: str, easting: float, northing: float
) -> None:
    found, places = planar({"ridge": (latitude, longitude)})
    assert found == system
    assert places["ridge"] == pytest.approx((easting, northing), abs=1)


def test_the_distance_on_the_plane_is_that_on_the_ground_but_for_the_scale() -> None:
    places = {"ridge": (-42.0, 77.0), "valley": (-42.05, 77.05)}
    system, found = planar(places)
    (x, y), (other_x, other_y) = found["ridge"], found["valley"]
    assert system == "EPSG:32743"
    assert ((x - other_x) ** 2 + (y - other_y) ** 2) ** 0.5 == pytest.approx(distance_m(*places.values()), rel=0.004)
