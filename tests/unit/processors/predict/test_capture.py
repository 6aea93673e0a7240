"""When a photograph was taken, and what to think of it."""

from datetime import UTC, datetime

import pytest

from tests.unit.processors.predict.reconyx_notes import hyperfire
from uncia.events import CaptureTimeSource, ImageUploaded, Trigger
from uncia.imaging.exif import Exif, ExifTime, TimeTag
from uncia.processors.predict.capture import read_capture

UPLOADED = datetime(2026, 6, 1, 12, 0, 0, 987_654, tzinfo=UTC)
GATEWAY_KEY = "ridge/cam-1/2026/05/31/20260531T221500123-0123456789abcdef.jpg"


def upload(key: str = "ridge/cam-1/IMG_0001.JPG") -> ImageUploaded:
    return ImageUploaded(
        upload_id="upl-1",
        station="ridge",
        camera="ridge/cam-1",
        bucket="camera-uploads",
        key=key,
        etag="e",
        size=1,
        uploaded_at=UPLOADED,
        announced_at=UPLOADED,
    )


def test_exif_comes_first() -> None:
    capture = read_capture(Exif(time=datetime(2026, 5, 30, 1, 2, 3, 456_000)), upload(GATEWAY_KEY))
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 30, 1, 2, 3, 456_000), CaptureTimeSource.EXIF)


def test_then_the_key_that_our_gateway_gave() -> None:
    capture = read_capture(Exif(), upload(GATEWAY_KEY))
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 31, 22, 15, 0, 123_000), CaptureTimeSource.KEY)


def test_then_the_upload_to_the_millisecond() -> None:
    capture = read_capture(Exif(), upload())
    assert (capture.time, capture.time_source) == (datetime(2026, 6, 1, 12, 0, 0, 987_000), CaptureTimeSource.UPLOAD)


@pytest.mark.parametrize(
    "name",
    ["20260531T2215-short.jpg", "20261331T221500-0123456789abcdef.jpg", "20210531082538-RCNX0031.JPG", "x.jpg"],
)
def test_a_name_that_is_not_our_gateways_tells_no_time(name: str) -> None:
    # Importers put the time of the import there, not that of the capture.
    assert read_capture(Exif(), upload(f"ridge/cam-1/{name}")).time_source is CaptureTimeSource.UPLOAD


def test_the_files_time_in_the_key_is_distinguished_from_a_time_of_the_camera() -> None:
    capture = read_capture(Exif(), upload(GATEWAY_KEY.replace("123-", "-file-time-")))
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 31, 22, 15), CaptureTimeSource.KEY)
    assert capture.time_origin == "file-time"
    assert "modification time" in capture.warnings[0]


@pytest.mark.parametrize("key", ["ridge/cam-1/IMG_20260531_221500.JPG", GATEWAY_KEY.replace("123-", "-file-name-")])
def test_the_file_names_time_comes_before_the_upload(key: str) -> None:
    capture = read_capture(Exif(), upload(key))
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 31, 22, 15), CaptureTimeSource.KEY)
    assert capture.time_origin == "file-name"
    assert "file name" in capture.warnings[0]


def test_the_event_says_exactly_where_the_time_was_read() -> None:
    stated = ExifTime(TimeTag.MODIFIED, datetime(2026, 5, 30), utc_offset_minutes=345)
    capture = read_capture(Exif(time=stated.time, times=(stated,)), upload(GATEWAY_KEY))
    assert (capture.time_source, capture.time_origin) == (CaptureTimeSource.EXIF, "date-time")
    assert capture.utc_offset_minutes == 345
    assert "DateTime" in capture.warnings[0]


def test_damage_to_the_picture_is_a_warning() -> None:
    capture = read_capture(Exif(time=datetime(2026, 5, 30)), upload(), damage=("a hole",))
    assert capture.warnings == ("image-damaged: a hole",)


def test_a_clock_that_was_never_set_is_kept_with_a_warning() -> None:
    capture = read_capture(Exif(time=datetime(1980, 1, 1, 0, 3)), upload(GATEWAY_KEY))
    assert (capture.time, capture.time_source) == (datetime(1980, 1, 1, 0, 3), CaptureTimeSource.EXIF)
    assert capture.warnings == ("the camera's clock says 1980: it was never set",)


def test_a_clock_that_is_ahead_is_kept_with_a_warning() -> None:
    capture = read_capture(Exif(time=datetime(2031, 1, 1)), upload())
    assert capture.time == datetime(2031, 1, 1)
    assert "after the upload" in capture.warnings[0]


def test_a_clock_in_an_eastern_zone_is_not_ahead() -> None:
    assert read_capture(Exif(time=datetime(2026, 6, 2, 2, 0)), upload()).warnings == ()


def test_the_maker_notes_time_stands_in_for_exifs() -> None:
    capture = read_capture(Exif(maker_note=hyperfire()), upload())
    assert (capture.time, capture.time_source) == (datetime(2014, 9, 26, 14, 21, 4), CaptureTimeSource.EXIF)
    assert capture.warnings == ("the time is the maker note's: EXIF has none",)


def test_the_maker_note_tells_trigger_and_sequence() -> None:
    capture = read_capture(Exif(make="RECONYX", maker_note=hyperfire(trigger=b"T")), upload(), width=2048, height=1440)
    assert capture.trigger is Trigger.TIME_LAPSE
    assert (capture.sequence, capture.sequence_length, capture.event_number) == (2, 3, 202)
    assert (capture.temperature_c, capture.infrared, capture.serial) == (16.0, False, "P800BD06104674")
    assert (capture.make, capture.width, capture.height) == ("RECONYX", 2048, 1440)


def test_exifs_serial_number_comes_before_the_maker_notes() -> None:
    assert read_capture(Exif(serial="E-1", maker_note=hyperfire()), upload()).serial == "E-1"
