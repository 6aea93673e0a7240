"""Names of stations and cameras, and object keys."""

from datetime import datetime
from pathlib import Path

import pytest

from uncia.errors import SettingsError
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, CaptureTime, TimeOrigin
from uncia.lanes import capture_time_in_key, time_origin_in_key
from uncia.producers.gateway.object_names import camera_of, checked_name, object_key


def taken(time: datetime, origin: TimeOrigin = TimeOrigin.DATE_TIME_ORIGINAL) -> CaptureTime:
    return CaptureTime(time, origin)


def test_a_key_contains_camera_day_time_and_digest() -> None:
    key = object_key("ridge", "north", taken(datetime(2026, 5, 4, 3, 2, 1)), "0123456789abcdef" * 4, "JPG")
    assert key == "ridge/north/2026/05/04/20260504T030201-0123456789abcdef.jpg"


def test_known_milliseconds_are_in_the_key() -> None:
    key = object_key("ridge", "north", taken(datetime(2026, 5, 4, 3, 2, 1, 50_000)), "0" * 64, ".jpeg")
    assert key.endswith("/20260504T030201050-0000000000000000.jpeg")


@pytest.mark.parametrize("name", ["", "  ", "a/b", ".", "..", ".hidden", "tab\there", "x" * 101])
def test_a_name_that_cannot_be_a_level_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="camera"):
        checked_name(name, "camera")


def test_a_valid_name_is_only_trimmed() -> None:
    assert checked_name(" Sonnenhöhe 3 + 100 % ", "station") == "Sonnenhöhe 3 + 100 %"


def test_two_spellings_of_one_letter_are_one_name() -> None:
    assert checked_name("ho\u0308he", "camera") == checked_name("h\u00f6he", "camera")


@pytest.mark.parametrize(
    ("file", "camera"),
    [
        ("north/1.JPG", "north"),
        ("north/DCIM/100RECNX/1.JPG", "north"),
        ("1.JPG", "CARD"),
        ("DCIM/100RECNX/1.JPG", "CARD"),
    ],
)
def test_the_first_folder_is_the_camera_but_never_dcim(file: str, camera: str) -> None:
    assert camera_of(Path("/media/CARD", file), Path("/media/CARD"), None) == camera


@pytest.mark.parametrize("name", ["DCIM", "dcim", "100RECNX", "100EK113", "999_FUJI", "101___05", "100D5100"])
def test_a_folder_created_by_a_camera_is_not_a_camera_name(name: str) -> None:
    with pytest.raises(SettingsError, match="--camera"):
        camera_of(Path("/p", name, "1.JPG"), Path("/p", name), None)


@pytest.mark.parametrize("name", ["12345678", "20240501", "2024SITE", "cam-1", "100RECNX2", "001NORTH"])
def test_serial_numbers_and_dates_are_camera_names(name: str) -> None:
    assert camera_of(Path("/p", name, "1.JPG"), Path("/p"), None) == name


def test_a_named_camera_applies_to_all_files() -> None:
    assert camera_of(Path("/media/CARD/DCIM/1.JPG"), Path("/media/CARD"), "north") == "north"


@pytest.mark.parametrize("origin", [TimeOrigin.FILE_NAME, TimeOrigin.FILE_TIME])
def test_a_key_names_the_origin_of_a_time_that_is_not_embedded(origin: TimeOrigin) -> None:
    key = object_key("ridge", "north", taken(datetime(2026, 5, 4, 3, 2, 1), origin), "0" * 64, ".jpg")
    assert key == f"ridge/north/2026/05/04/20260504T030201-{origin}-0000000000000000.jpg"
    assert (capture_time_in_key(key), time_origin_in_key(key)) == (datetime(2026, 5, 4, 3, 2, 1), origin)


@pytest.mark.parametrize("origin", sorted(EMBEDDED_ORIGINS))
def test_a_key_with_an_embedded_time_names_no_origin(origin: TimeOrigin) -> None:
    key = object_key("ridge", "north", taken(datetime(2026, 5, 4, 3, 2, 1), origin), "0" * 64, ".jpg")
    assert key == "ridge/north/2026/05/04/20260504T030201-0000000000000000.jpg"
    assert time_origin_in_key(key) is TimeOrigin.KEY
