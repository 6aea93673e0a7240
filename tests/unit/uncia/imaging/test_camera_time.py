"""Times as cameras and file names write them: read where they can be known, refused where they cannot."""

import contextlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.imaging.camera_time import InvalidTimeError, parse_camera_time, parse_offset, time_in_file_name

EVENING = datetime(2026, 5, 14, 21, 36, 0)


@pytest.mark.parametrize(
    "text",
    [
        "2026:05:14 21:36:00",
        "2026-05-14 21:36:00",
        "2026/05/14 21:36:00",
        "2026.05.14 21.36.00",
        "2026-05-14T21:36:00",
        "2026:05:14 21:36",
        "2026:5:14 21:36:0",
        "20260514 213600",
        "20260514T213600",
        "20260514213600",
        " 2026:05:14  21:36:00 ",
        "2026:05:14\t21:36:00",
        "2026:05:14:21:36:00",
        "2026-05-14-21-36-00",
        "2026_05_14 21:36:00",
        "2026:05:14 09:36:00 PM",
        "2026:05:14 9:36:00 pm",
        "2026:05:14 9:36:00PM",
        "2026:05:14 09:36:00 p.m.",
        "2026:05:14 09:36 P",
        "2026:05:14 21:36:00 PM",
        "2026:05:14 PM 09:36:00",
        "2026/05/14 下午 09:36:00",
        "2026:05:14 09:36:00 오후",
    ],
)
def test_one_evening_written_in_many_ways(text: str) -> None:
    found = parse_camera_time(text)
    assert (found.moment, found.oddity) == (EVENING, None)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026:05:14 12:05:00 AM", 0),
        ("2026:05:14 12:05:00 PM", 12),
        ("2026:05:14 01:05:00 a.m.", 1),
        ("2026:05:14 11:05:00 AM", 11),
        ("2026:05:14 00:05:00 AM", 0),
    ],
)
def test_twelve_in_the_12_hour_clock_begins_the_half_day(text: str, hour: int) -> None:
    assert parse_camera_time(text).moment == datetime(2026, 5, 14, hour, 5)


@pytest.mark.parametrize(
    ("text", "oddity"),
    [
        ("2026:27:05 21:36:00", "swapped"),
        ("27.05.2026 21:36:00", "day is written first"),
        ("27/05/2026 9:36:00 PM", "day is written first"),
        ("05/27/2026 21:36:00", "month is written first"),
    ],
)
def test_day_and_month_are_distinguished_where_one_of_them_cannot_be_a_month(text: str, oddity: str) -> None:
    found = parse_camera_time(text)
    assert found.moment == datetime(2026, 5, 27, 21, 36)
    assert found.oddity is not None
    assert oddity in found.oddity


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("05/06/2026 21:36:00", "ambiguous"),
        ("26:05:14 21:36:00", "four-digit year"),
        ("14.05.26 21:36:00", "four-digit year"),
        ("2026:05:14", "no time of day"),
        ("2026:05:14 00:10:00 PM", "with PM"),
        ("2026:02:30 10:00:00", "does not exist"),
        ("2026:05:14 24:00:00", "does not exist"),
        ("2026:05:14 21:60:00", "does not exist"),
        ("0000:00:00 00:00:00", "year is 0000"),
        ("    :  :     :  :  ", "four-digit year"),
        ("soon", "four-digit year"),
        ("", "four-digit year"),
    ],
)
def test_what_cannot_be_known_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidTimeError, match=why):
        parse_camera_time(text)


def test_a_24_hour_clock_that_is_marked_as_morning_is_odd() -> None:
    found = parse_camera_time("2026:05:14 21:36:00 AM")
    assert (found.moment, found.oddity) == (EVENING, "it is marked as morning")


@pytest.mark.parametrize("rest", ["xyz", "(standard)", "21", "PST8", "mañana"])
def test_what_follows_the_time_is_never_passed_over_in_silence(rest: str) -> None:
    assert "follows the time" in str(parse_camera_time(f"2026:05:14 21:36:00 {rest}").oddity)


@pytest.mark.parametrize(
    ("rest", "minutes"), [("Z", 0), ("+05:45", 345), ("+0545", 345), (" -03:30", -210), ("UTC", None), ("+05", 300)]
)
def test_an_offset_is_read_and_does_not_shift_the_cameras_clock(rest: str, minutes: int | None) -> None:
    found = parse_camera_time(f"2026-05-14T21:36:00{rest}")
    assert (found.moment, found.offset_minutes) == (EVENING, minutes)


def test_a_fraction_in_the_text_counts() -> None:
    assert parse_camera_time("2026-05-14T21:36:00.25+02:00").moment == EVENING.replace(microsecond=250_000)


@pytest.mark.parametrize(
    ("text", "minutes"), [("+05:45", 345), ("-03:30 ", -210), ("Z", 0), ("", None), ("   :  ", None), ("+99:00", None)]
)
def test_offset_tags(text: str, minutes: int | None) -> None:
    assert parse_offset(text) == minutes


@pytest.mark.parametrize(
    "name",
    [
        "IMG_20260514_213600.JPG",
        "2026-05-14 21-36-00.jpg",
        "20260514213600.jpg",
        "20260514_213600_cam1.jpeg",
        "PXL_20260514_213600000.jpg",
        "North__Cam1__2026-05-14__21-36-00(1).JPG",
        "folder/2026.05.14_21.36.00.jpg",
        "14-05-2026 21-36-00.jpg",
        "IMG20260514213600.jpg",
        "IMG_20260514_213600_001.JPG",
        "STC_20260514_093600PM.jpg",
        "2026-05-14 09.36.00 pm.jpg",
    ],
)
def test_a_file_name_with_date_and_time_of_day(name: str) -> None:
    assert time_in_file_name(name) == EVENING


@pytest.mark.parametrize(
    "name",
    [
        "IMG_0001.JPG",
        "IMG-20260514-WA0001.jpg",
        "20260514_2136.jpg",
        "20261314213600.jpg",
        "20260514253600.jpg",
        "920260514213600.jpg",
        "202605142136001234.jpg",
        "05040080.JPG",
        "H500HF01183442.JPG",
        "05-06-2026 21-36-00.jpg",
        "20210531082538-RCNX0031.JPG",
        "2026-05-14 21-36-00 to 2026-05-14 21-37-00.jpg",
        "",
    ],
)
def test_numbers_in_a_file_name_are_no_time_of_their_own(name: str) -> None:
    assert time_in_file_name(name) is None


@given(st.text(max_size=400))
def test_whatever_the_text_it_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidTimeError):
        parse_camera_time(text)
    time_in_file_name(text)
    parse_offset(text)


@given(
    st.from_regex(
        r"[0-9]{4}[:./ -][0-9]{1,2}[:./ -][0-9]{1,2}[ T][0-9]{1,2}[:.-][0-9]{2}([:.-][0-9]{2})? ?[aApP]?[mM]?"
    )
)
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        found = parse_camera_time(text)
    except InvalidTimeError:
        return
    assert found.moment.year >= 1970
