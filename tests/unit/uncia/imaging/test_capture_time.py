"""One order of sources: the best one counts, and a warning says where it is not the first."""

import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.processors.predict.reconyx_notes import hyperfire
from tests.unit.uncia.imaging.exif_builders import (
    DATE_TIME,
    DATE_TIME_DIGITIZED,
    DATE_TIME_ORIGINAL,
    MAKE,
    MAKER_NOTE,
    MODEL,
    OFFSET_ORIGINAL,
    SUB_SECOND,
    SUB_SECOND_ORIGINAL,
    Values,
    exif_segment,
    jpeg,
    photograph,
)
from uncia.imaging.capture_time import CaptureTime, TimeOrigin, find_capture_time
from uncia.imaging.exif import read_exif
from uncia.imaging.maker_notes import read_maker_note

EVENING, TEXT = datetime(2026, 5, 14, 21, 36), "2026:05:14 21:36:00"
LATER, LATER_TEXT = datetime(2026, 6, 1, 8, 0), "2026:06:01 08:00:00"


def taken(data: bytes, name: str = "IMG_0001.JPG") -> CaptureTime:
    exif = read_exif(data)
    found = find_capture_time(exif, read_maker_note(exif.maker_note), name)
    assert found is not None
    return found


def dated(image: Values | None = None, exif: Values | None = None, order: str = "<") -> CaptureTime:
    return taken(photograph(image, exif, order))


def test_the_original_time_comes_first_and_without_a_warning() -> None:
    found = dated({DATE_TIME: LATER_TEXT}, {DATE_TIME_ORIGINAL: TEXT, DATE_TIME_DIGITIZED: LATER_TEXT})
    assert found == CaptureTime(EVENING, TimeOrigin.DATE_TIME_ORIGINAL)


@pytest.mark.parametrize("order", ["<", ">"])
def test_date_time_alone_counts_with_a_warning(order: str) -> None:
    found = dated({DATE_TIME: TEXT}, order=order)
    assert (found.time, found.origin) == (EVENING, TimeOrigin.DATE_TIME)
    assert found.warnings == ("the time is EXIF's DateTime: there is no good DateTimeOriginal",)


@pytest.mark.parametrize(
    "unset",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "                   ",
        ":::: ::",
        "1970:01:01 00:00:00",
        "1980:01:01 00:03:11",
        "2000:01:01 12:00:00",
        "2017:01:01 00:00:00",
        "9999:12:31 23:59:59",
        "05/06/2026 21:36:00",
        "2026:05:14 09:36:00 abends",
        "",
    ],
)
@pytest.mark.parametrize("tag", [DATE_TIME, DATE_TIME_DIGITIZED])
def test_a_valid_time_is_preferred_to_an_unset_original_time(unset: str, tag: int) -> None:
    image, exif = ({tag: TEXT}, {}) if tag == DATE_TIME else ({}, {tag: TEXT})
    found = dated(image, {DATE_TIME_ORIGINAL: unset, **exif})
    assert found.time == EVENING
    assert found.origin in (TimeOrigin.DATE_TIME, TimeOrigin.DATE_TIME_DIGITIZED)
    assert len(found.warnings) == 1


def test_where_every_time_is_of_a_clock_that_was_never_set_it_stays() -> None:
    found = dated({DATE_TIME: "1980:01:01 00:05:00"}, {DATE_TIME_ORIGINAL: "1980:01:01 00:05:00"})
    assert (found.time, found.origin) == (datetime(1980, 1, 1, 0, 5), TimeOrigin.DATE_TIME_ORIGINAL)


def test_new_years_midnight_is_a_time_where_all_agree() -> None:
    midnight = "2026:01:01 00:00:00"
    assert dated({DATE_TIME: midnight}, {DATE_TIME_ORIGINAL: midnight}).origin is TimeOrigin.DATE_TIME_ORIGINAL


def test_the_maker_notes_time_counts_where_exif_has_none() -> None:
    found = dated({}, {MAKER_NOTE: hyperfire(time=(0, 36, 21, 5, 14, 2026))})
    assert (found.time, found.origin) == (EVENING, TimeOrigin.MAKER_NOTE)
    assert found.warnings == ("the time is the maker note's: EXIF has none",)


def test_the_maker_notes_time_comes_before_the_files_last_change() -> None:
    found = dated({DATE_TIME: LATER_TEXT}, {MAKER_NOTE: hyperfire(time=(0, 36, 21, 5, 14, 2026))})
    assert (found.time, found.origin) == (EVENING, TimeOrigin.MAKER_NOTE)


def test_the_file_names_time_counts_where_the_photograph_holds_none() -> None:
    found = taken(jpeg(), "ridge/cam/IMG_20260514_213600.JPG")
    assert (found.time, found.origin) == (EVENING, TimeOrigin.FILE_NAME)
    assert found.warnings


def test_an_unset_clock_comes_before_the_file_name() -> None:
    data = photograph(exif={DATE_TIME_ORIGINAL: "1980:01:01 00:05:00"})
    assert taken(data, "IMG_20260514_213600.JPG").time == datetime(1980, 1, 1, 0, 5)


def test_nothing_tells_a_time() -> None:
    assert find_capture_time(read_exif(jpeg()), None, "IMG_0001.JPG") is None


def test_a_12_hour_clock_is_read_and_not_cut_off() -> None:
    found = dated(exif={DATE_TIME_ORIGINAL: "2026:05:14 09:36:00 PM"})
    assert (found.time, found.warnings) == (EVENING, ())


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("050", 50), ("5", 500), (" 25 ", 250), ("123456", 123), ("000", 0), ("-1", 0)]
)
def test_sub_seconds_count_as_a_decimal_fraction(text: str, milliseconds: int) -> None:
    found = dated(exif={DATE_TIME_ORIGINAL: TEXT, SUB_SECOND_ORIGINAL: text})
    assert found.time.microsecond == milliseconds * 1000


def test_sub_seconds_are_those_of_the_tag_that_counts() -> None:
    found = dated({DATE_TIME: TEXT}, {SUB_SECOND: "25", SUB_SECOND_ORIGINAL: "75"})
    assert found.time.microsecond == 250_000


def test_the_offset_tag_is_reported_and_shifts_nothing() -> None:
    found = dated(exif={DATE_TIME_ORIGINAL: TEXT, OFFSET_ORIGINAL: "+05:45"})
    assert (found.time, found.utc_offset_minutes) == (EVENING, 345)


def test_of_two_exif_blocks_the_one_with_a_time_counts_with_its_camera() -> None:
    resized = exif_segment({MAKE: "gateway", MODEL: "resizer"}, {})
    genuine = exif_segment({MAKE: "ACME", MODEL: "TRAP 1"}, {DATE_TIME_ORIGINAL: TEXT})
    exif = read_exif(jpeg(resized, genuine))
    assert (exif.time, exif.make, exif.model) == (EVENING, "ACME", "TRAP 1")
    assert exif.warnings == ("2 EXIF blocks: something wrote a second one",)


def test_of_two_exif_blocks_with_a_time_the_first_counts() -> None:
    first, second = (
        exif_segment({MAKE: make}, {DATE_TIME_ORIGINAL: text}) for make, text in (("A", TEXT), ("B", LATER_TEXT))
    )
    exif = read_exif(jpeg(first, second))
    assert (exif.time, exif.make) == (EVENING, "A")


def test_a_second_block_fills_in_what_the_first_does_not_have() -> None:
    first = exif_segment({MAKE: "A"}, {DATE_TIME_ORIGINAL: TEXT})
    exif = read_exif(jpeg(first, exif_segment({}, {MAKER_NOTE: hyperfire()})))
    assert exif.maker_note == hyperfire()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_pictures_of_other_kinds_are_dated_for_the_recipes(kind: str) -> None:
    tags = Image.Exif()
    tags[MAKE] = "ACME"
    tags[DATE_TIME] = TEXT
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, kind, exif=tags)
    found = read_exif(file.getvalue())
    assert (found.time, found.make) == (EVENING, "ACME")


@pytest.mark.parametrize(
    "head", [b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0\x08\0\0\0", b"MM\0*\xff\xff\xff\xff"]
)
@given(data=st.binary(max_size=300))
def test_any_bytes_behind_another_kinds_head_are_read(head: bytes, data: bytes) -> None:
    assert read_exif(head + data + bytes(8) * 2000).time is None
