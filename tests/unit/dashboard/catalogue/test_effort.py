"""Trap nights, gaps in effort, and the limit of a camera's silence, computed by hand."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.dashboard.catalogue.effort import (
    EffortGap,
    SilenceSource,
    Span,
    effort_gaps,
    nights_within,
    silence_limit,
)


def may(day: int) -> date:
    return date(2026, 5, day)


def test_a_deployment_from_the_1st_to_the_4th_has_three_nights() -> None:
    assert nights_within([Span(may(1), may(4))]) == 3


def test_nights_are_cut_to_the_days_both_of_which_count() -> None:
    span = [Span(may(1), may(31))]
    assert nights_within(span, may(5), may(5)) == 1
    assert nights_within(span, may(5), may(7)) == 3
    assert nights_within(span, may(30), None) == 1
    assert nights_within(span, None, may(2)) == 2
    assert nights_within(span, None, date.max) == 30
    assert nights_within(span, may(31), may(31)) == 0


def test_nights_of_spans_that_overlap_count_once() -> None:
    assert nights_within([Span(may(1), may(5)), Span(may(3), may(7)), Span(may(10), may(11))]) == 7


def test_gaps_are_runs_without_a_photograph_also_at_the_edges_of_a_deployment() -> None:
    active = [may(4), may(5), may(9)]
    span = [Span(may(1), may(12))]
    assert effort_gaps(span, active, 3) == [
        EffortGap(may(1), may(3)),
        EffortGap(may(6), may(8)),
        EffortGap(may(10), may(12)),
    ]
    assert effort_gaps(span, active, 4) == []
    assert effort_gaps(span, [], 3) == [EffortGap(may(1), may(12))]
    assert effort_gaps(span, [], 3)[0].days == 12


def test_days_between_two_deployments_are_no_gap() -> None:
    spans = [Span(may(1), may(3)), Span(may(20), may(22))]
    assert effort_gaps(spans, [may(1), may(3), may(10), may(20), may(22)], 1) == [
        EffortGap(may(2), may(2)),
        EffortGap(may(21), may(21)),
    ]


@given(st.sets(st.integers(1, 31)), st.integers(1, 6))
def test_a_day_is_in_a_gap_exactly_when_its_run_without_photographs_is_long_enough(
    active: set[int], least: int
) -> None:
    gaps = effort_gaps([Span(may(1), may(31))], [may(day) for day in active], least)
    inside = {day for day in range(1, 32) if any(gap.first <= may(day) <= gap.last for gap in gaps)}
    for day in range(1, 32):
        first = last = day
        while first > 1 and first - 1 not in active:
            first -= 1
        while last < 31 and last + 1 not in active:
            last += 1
        assert (day in inside) == (day not in active and last - first + 1 >= least)


def test_a_deployment_decides_on_silence_before_the_settings_and_the_setting_before_habit() -> None:
    contacts = [may(1), may(2), may(4)]
    own = silence_limit(6 * 3600, 48, contacts)
    assert (own.after, own.source) == (timedelta(hours=6), SilenceSource.DEPLOYMENT)
    setting = silence_limit(None, 48, contacts)
    assert (setting.after, setting.source) == (timedelta(hours=48), SilenceSource.SETTING)


@pytest.mark.parametrize(
    ("days", "usual", "limit"),
    [
        # Gaps of 1 and 2 days: their median is 1.5.
        ([1, 2, 4], 1.5, 4.5),
        ([4, 1, 2, 2], 1.5, 4.5),
        # A break of 20 days does not change the habit of sending daily.
        ([1, 2, 3, 23, 24], 1, 3),
        ([1, 11, 21], 10, 30),
    ],
)
def test_a_camera_is_silent_after_three_of_its_usual_intervals(days: list[int], usual: float, limit: float) -> None:
    found = silence_limit(None, 0, [may(day) for day in days])
    assert (found.usual_days, found.after, found.source) == (usual, timedelta(days=limit), SilenceSource.USUAL)


def test_of_a_camera_with_one_contact_no_habit_is_known() -> None:
    for contacts in ([], [may(3)], [may(3), may(3)]):
        found = silence_limit(None, 0, contacts)
        assert (found.usual_days, found.after, found.source) == (None, timedelta(days=3), SilenceSource.UNKNOWN)
