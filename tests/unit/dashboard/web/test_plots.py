"""Geometry of plots and map, computed by hand."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.dashboard.catalogue.effort import EffortGap, Span
from uncia.dashboard.web.effort_plot import EffortRow, Period, clip, day_bars, spark_line
from uncia.dashboard.web.map_plot import MapPoint, map_layout
from uncia.dashboard.web.plots import bar_chart, line_chart, nice_step, ticks


def may(day: int) -> date:
    return date(2026, 5, day)


@pytest.mark.parametrize(
    ("extent", "most", "step"), [(10, 5, 2), (11, 5, 5), (0.6, 5, 0.2), (100, 4, 50), (40, 4, 10), (0, 4, 1)]
)
def test_steps_are_one_two_or_five(extent: float, most: int, step: float) -> None:
    assert nice_step(extent, most) == pytest.approx(step)


@given(st.floats(0, 1e7))
def test_ticks_reach_the_highest_value_by_at_most_five_whole_steps(most: float) -> None:
    found = ticks(most)
    assert found[0] == 0
    assert found[-1] >= most * (1 - 1e-6)
    assert len(found) <= 6
    assert all(value == round(value) for value in found)


def test_bars_are_stacked_upward_from_the_lower_edge() -> None:
    days = [(may(1), {"animal": 3, "blank": 1}), (may(2), {}), (may(3), {"animal": 2})]
    chart = bar_chart(days, ("blank", "animal"), 30, 80)
    assert chart.unit == "day"
    assert chart.bars[0].parts == (("blank", 60, 20), ("animal", 0, 60))
    assert chart.bars[1].parts == ()
    assert chart.bars[2].parts == (("animal", 40, 40),)
    assert [bar.x for bar in chart.bars] == [0, 10, 20]
    assert chart.bars[0].title == "2026-05-01: blank 1, animal 3"
    assert chart.y_ticks[-1] == (0, "4")


def test_many_days_are_counted_by_week_or_month() -> None:
    year = [(date(2026, 1, 1) + timedelta(days=at), {"animal": 1}) for at in range(365)]
    weeks = bar_chart(year, ("animal",), 900, 100)
    # 1 January 2026 is a Thursday: its week begins on 29 December.
    assert (weeks.unit, len(weeks.bars), weeks.bars[0].title) == ("week", 53, "2025-12-29: animal 4")
    months = bar_chart([*year, *((day + timedelta(days=365), counts) for day, counts in year)], ("animal",), 900, 100)
    assert (months.unit, len(months.bars), months.bars[1].title) == ("month", 24, "2026-02-01: animal 28")


def test_a_plot_without_data_is_empty() -> None:
    assert bar_chart([], ("animal",), 900, 100).bars == ()
    assert line_chart([], 100, 100).path == ""


def test_a_line_rises_in_steps_to_its_highest_value() -> None:
    chart = line_chart([(0, 1), (4, 2)], 100, 50, steps=True)
    assert chart.path == "M0 50.0H0.0V25.0H100.0V0.0H100.0"
    assert chart.points == ((0, 25), (100, 0))
    assert line_chart([(0, 1), (4, 2)], 100, 50, most=4).points == ((0, 37.5), (100, 25))


def test_a_map_is_true_to_scale_and_north_is_up() -> None:
    # At 60 degrees, a degree of longitude is half as long as one of latitude.
    south_west, north_east = MapPoint(60, 10, 1, "a"), MapPoint(61, 12, 4, "b")
    chart = map_layout([south_west, north_east], 400, 400)
    a, b = chart.points
    assert a.x < b.x
    assert a.y > b.y
    assert (b.x - a.x) / (a.y - b.y) == pytest.approx(1, rel=0.02)
    # The area of a circle shows the value: beyond the smallest radius, 4 has twice the radius of 1.
    assert (b.radius - 5) / (a.radius - 5) == pytest.approx(2)
    length, text = chart.scale
    assert text == "20 km"
    assert length == pytest.approx(20_000 / 111_195 * (a.y - b.y), rel=0.001)
    assert "60.5° N" in [name for _, name in chart.parallels]
    assert "11° E" in [name for _, name in chart.meridians]


def test_a_coarse_position_is_an_area_on_the_map() -> None:
    (point,) = map_layout([MapPoint(42.1, 75.2, 0, "a", 10_000)], 400, 400).points
    assert point.around > 100
    (exact,) = map_layout([MapPoint(42.1, 75.2, 0, "a", 10)], 400, 400).points
    assert exact.around == 0


def test_a_study_area_across_the_antimeridian_stays_together() -> None:
    chart = map_layout([MapPoint(-17, 179.9, 1, "a"), MapPoint(-17, -179.9, 1, "b")], 400, 400)
    assert abs(chart.points[0].x - chart.points[1].x) < 400
    assert chart.points[0].x < chart.points[1].x
    assert {name[-1] for _, name in chart.meridians} == {"E", "W"}


@given(
    st.lists(
        st.builds(
            MapPoint, st.floats(-85, 85), st.floats(-180, 180), st.floats(0, 1e6), st.text(max_size=30), st.none()
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_point_is_on_the_map_and_no_label_leaves_it(points: list[MapPoint]) -> None:
    chart = map_layout(points, 900, 460)
    assert all(0 <= one.x <= 900 and 0 <= one.y <= 460 for one in chart.points)
    assert all(one.x + one.radius + 3 + 6 * len(one.label) <= 900 for one in chart.points if one.label)
    assert chart.scale[0] <= 180.001


def test_labels_do_not_cover_each_other() -> None:
    first, second = map_layout([MapPoint(42, 75, 1, "first"), MapPoint(42, 75.00001, 1, "second")], 400, 400).points
    assert (first.label, second.label) == ("first", "")
    apart = map_layout([MapPoint(42, 75, 1, "first"), MapPoint(42.5, 75, 1, "second")], 400, 400).points
    assert [one.label for one in apart] == ["first", "second"]


def test_a_row_of_effort_joins_days_in_a_row() -> None:
    period = Period(may(1), may(10), 100)
    spans = clip([Span(date(2026, 4, 1), may(6)), Span(date(2026, 1, 1), date(2026, 2, 1))], may(1), may(10))
    row = EffortRow.of("a", spans, [may(1), may(2), may(4)], [EffortGap(may(5), may(6))], period)
    assert row.deployed == ((0, 60),)
    assert row.active == ((0, 20), (30, 10))
    assert row.gaps == ((40, 20),)
    assert row.path("active", 3, 12) == "M0.0 3h20.0v12h-20.0zM30.0 3h10.0v12h-10.0z"
    assert EffortRow.of("a", [], [], [], period).path("gaps", 0, 4) == ""
    assert [day for _, day in period.ticks(2)] == ["2026-05-01", "2026-05-06"]


def test_bars_and_lines_of_days_are_scaled_to_their_range() -> None:
    period = Period(may(1), may(10), 100)
    assert day_bars({may(1): 2, may(3): 4, may(4): 0, may(20): 9}, Period(may(1), may(20), 200), 18) == (
        "M0.0 18.0v-4.0h9.0v4.0zM20.0 18.0v-8.0h9.0v8.0zM190.0 18.0v-18.0h9.0v18.0z"
    )
    assert spark_line([(may(1), -5), (may(10), 5)], period, 20) == "M5.0 20.0L95.0 0.0"
    assert spark_line([(may(1), 5), (may(2), 5)], period, 20) == "M5.0 20.0L15.0 20.0"
    assert spark_line([(may(1), 5)], period, 20) == ""
