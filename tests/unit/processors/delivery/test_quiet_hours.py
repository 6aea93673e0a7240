"""Quiet hours: by the clocks of their zone, over midnight, and with the exception of what is urgent."""

from datetime import UTC, datetime

import pytest

from uncia.events import Severity
from uncia.processors.delivery.quiet_hours import QuietHours, severity_rank

ALL, NONE = 0, len(Severity)


def least(hours: QuietHours, hour: int, minute: int = 0, month: int = 5) -> int:
    return hours.least_rank(datetime(2026, month, 2, hour, minute, tzinfo=UTC))


@pytest.mark.parametrize(("hour", "minute", "expected"), [(21, 59, ALL), (22, 0, NONE), (5, 59, NONE), (6, 0, ALL)])
def test_they_may_include_midnight(hour: int, minute: int, expected: int) -> None:
    assert least(QuietHours(22 * 60, 6 * 60, "UTC"), hour, minute) == expected


@pytest.mark.parametrize(("hour", "expected"), [(0, ALL), (12, NONE), (13, ALL)])
def test_they_may_be_within_a_day(hour: int, expected: int) -> None:
    assert least(QuietHours(12 * 60, 13 * 60, "UTC"), hour) == expected


def test_they_follow_the_clocks_of_their_zone_in_summer_and_winter() -> None:
    hours = QuietHours(22 * 60, 6 * 60, "Europe/Zurich")
    assert (least(hours, 20, month=7), least(hours, 20, month=1)) == (NONE, ALL)
    assert (least(hours, 21, month=1), least(hours, 4, month=7)) == (NONE, ALL)


def test_what_is_as_severe_as_the_exception_is_sent() -> None:
    hours = QuietHours(22 * 60, 6 * 60, "UTC", Severity.WARNING)
    assert least(hours, 23) == severity_rank(Severity.WARNING)
    assert severity_rank(Severity.INFO) < severity_rank(Severity.WARNING) < severity_rank(Severity.CRITICAL)
