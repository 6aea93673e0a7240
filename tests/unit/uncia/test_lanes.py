"""Which lane a photograph takes: the uploader's word, else its age at the upload."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from uncia.events import Lane
from uncia.lanes import choose_lane

UPLOADED = datetime(2026, 5, 14, 12, 0, tzinfo=UTC)
DAY_S = 86_400.0


def key(taken: datetime) -> str:
    return f"ridge/north/{taken:%Y/%m/%d/%Y%m%dT%H%M%S}-0123456789abcdef.jpg"


def lane(name: str, *, declared: str | None = None, uploaded_at: datetime = UPLOADED) -> Lane:
    return choose_lane(name, uploaded_at, backfill_after_s=DAY_S, declared=declared)


def test_what_was_taken_just_now_is_live() -> None:
    assert lane(key(datetime(2026, 5, 14, 11, 59))) is Lane.LIVE


def test_what_was_taken_three_weeks_ago_is_backfill() -> None:
    assert lane(key(datetime(2026, 4, 23, 11, 59))) is Lane.BACKFILL


@pytest.mark.parametrize("offset_h", [-12, -7, 0, 5, 14])
def test_a_cameras_time_zone_makes_nothing_old(offset_h: int) -> None:
    local = UPLOADED.replace(tzinfo=None) + timedelta(hours=offset_h)
    assert lane(key(local)) is Lane.LIVE


def test_a_clock_ahead_is_live() -> None:
    assert lane(key(datetime(2070, 1, 1))) is Lane.LIVE


def test_the_uploads_own_offset_does_not_matter() -> None:
    east = UPLOADED.astimezone(timezone(timedelta(hours=10)))
    assert lane(key(datetime(2026, 5, 13, 12, 0, 1)), uploaded_at=east) is Lane.LIVE
    assert lane(key(datetime(2026, 5, 13, 11, 59, 59)), uploaded_at=east) is Lane.BACKFILL


@pytest.mark.parametrize("name", ["ridge/north/IMG_0001.JPG", "ridge/north/20261399T990000-0123456789abcdef.jpg"])
def test_a_name_that_tells_no_time_is_live(name: str) -> None:
    assert lane(name) is Lane.LIVE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ridge/north/IMG_20260423_115900.JPG", Lane.BACKFILL),
        ("ridge/north/2026-05-14 11-59-00.jpg", Lane.LIVE),
        ("ridge/north/IMG_20000101_000005.JPG", Lane.LIVE),
    ],
)
def test_a_time_in_any_file_name_counts_unless_the_clock_was_never_set(name: str, expected: Lane) -> None:
    assert lane(name) is expected


def test_the_time_of_the_file_counts_where_its_name_has_none() -> None:
    old = UPLOADED - timedelta(days=30)

    def with_file_time(name: str, declared: str | None = None) -> Lane:
        return choose_lane(name, UPLOADED, backfill_after_s=DAY_S, declared=declared, file_time=old)

    assert with_file_time("ridge/north/IMG_0001.JPG") is Lane.BACKFILL
    assert with_file_time("ridge/north/IMG_20260514_115900.JPG") is Lane.LIVE
    assert with_file_time("ridge/north/IMG_0001.JPG", "live") is Lane.LIVE


def test_the_uploaders_word_goes_before_the_age() -> None:
    assert lane(key(datetime(2001, 1, 1)), declared="live") is Lane.LIVE
    assert lane(key(datetime(2026, 5, 14, 11, 59)), declared=" Backfill ") is Lane.BACKFILL


def test_a_word_that_is_no_lane_is_no_word() -> None:
    assert lane(key(datetime(2001, 1, 1)), declared="express") is Lane.BACKFILL
