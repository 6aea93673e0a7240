"""A removed position is in no byte of the file, which keeps its size, its pixels and all else."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.imaging.exif_builders import GPS_DIRECTORY, LONG, directory, segment
from tests.unit.uncia.imaging.metadata_builders import (
    PLAIN_JPEG,
    SECRETS,
    loaded_jpeg,
    loaded_png,
    opened,
    pixels_of,
    tiff_with_position,
    xmp,
)
from uncia.imaging.exif import read_exif
from uncia.imaging.gps_removal import remove_gps

GPS = ("GPS latitude in EXIF", "GPS longitude in EXIF", "GPS in XMP")
XMP_SECRETS = (b"41,30.2528N", b"76,15.4568E", b"345678/100", b"41.504213", b"76.257613")


def with_segments(*segments: bytes) -> bytes:
    return PLAIN_JPEG[:2] + b"".join(segments) + PLAIN_JPEG[2:]


def test_every_position_is_overwritten_and_the_rest_stays_where_it_was() -> None:
    loaded = loaded_jpeg(orientation=6)
    removal = remove_gps(loaded)
    assert removal.problem is None
    assert len(removal.data) == len(loaded)
    left = [name for name, secret in SECRETS.items() if secret in removal.data]
    assert left == [name for name in SECRETS if name not in GPS]
    assert not any(secret in removal.data for secret in (*XMP_SECRETS, b"SECRET-GPS"))
    assert pixels_of(removal.data) == pixels_of(loaded)
    assert read_exif(removal.data) == read_exif(loaded)
    with opened(removal.data) as image:
        assert dict(image.getexif().get_ifd(GPS_DIRECTORY)) == {}
        assert image.getexif()[0x0112] == 6


def test_what_was_removed_is_returned_in_degrees() -> None:
    position = remove_gps(loaded_jpeg()).position
    assert position is not None
    assert position["latitude"] == pytest.approx(41 + 30 / 60 + 15.17 / 3600)
    assert position["longitude"] == pytest.approx(76 + 15 / 60 + 27.41 / 3600)
    assert position["altitude_m"] == pytest.approx(3456.78)


def test_a_second_removal_changes_nothing_and_finds_nothing() -> None:
    once = remove_gps(loaded_jpeg())
    twice = remove_gps(once.data)
    assert (twice.data, twice.position, twice.problem) == (once.data, None, None)
    assert remove_gps(loaded_jpeg()) == once


def test_a_photograph_without_a_position_stays_byte_for_byte() -> None:
    assert remove_gps(PLAIN_JPEG) == remove_gps(remove_gps(PLAIN_JPEG).data)
    assert remove_gps(PLAIN_JPEG).data == PLAIN_JPEG


def test_the_second_picture_of_a_file_loses_its_position_too() -> None:
    behind = PLAIN_JPEG + with_segments(segment(0xE1, b"Exif\0\0" + tiff_with_position()), segment(0xE1, xmp()))
    removal = remove_gps(behind)
    assert removal.position is not None
    assert not any(SECRETS[name] in removal.data for name in GPS)


def _pointing_to(offset: int) -> bytes:
    first = directory([(GPS_DIRECTORY, LONG, 1, struct.pack("<I", offset))], 8)
    return with_segments(segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + first))


def test_a_pointer_to_nothing_is_no_position() -> None:
    removal = remove_gps(_pointing_to(0))
    assert (removal.data, removal.position, removal.problem) == (_pointing_to(0), None, None)
    loaded = with_segments(segment(0xE1, b"Exif\0\0" + tiff_with_position()))
    behind = remove_gps(_pointing_to(0) + loaded)
    assert behind.problem is None and behind.position is not None
    assert not any(SECRETS[name] in behind.data for name in GPS)


def test_a_directory_that_lies_cannot_make_the_pixels_change() -> None:
    """The values claim to be in the image data, and behind the end of the file."""
    for offset, size in ((40, 4_000), (40, 2**31), (2**31, 8)):
        first = directory([(GPS_DIRECTORY, LONG, 1, struct.pack("<I", 26))], 8)
        gps = struct.pack("<HHHII", 1, 2, 1, size, offset)
        lying = with_segments(segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + first + gps))
        removal = remove_gps(lying)
        assert removal.problem is not None
        assert removal.data == lying


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (loaded_png(), "no JPEG"),
        (b"", "no JPEG"),
        (b"\0\0\0\x18ftypheic", "no JPEG"),
        (_pointing_to(5000), "outside of its segment"),
        (PLAIN_JPEG + b"Exif\0\0" + tiff_with_position(), "outside of the segment"),
        (with_segments(*[segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0")] * 300), "more than 256 blocks"),
        (with_segments(segment(0xE1, b" x:gpsA='1'" * 300)), "more than 256 GPS properties"),
        (with_segments(segment(0xE1, b"<exif:GPSLatitude>41,30")), "cannot be told"),
    ],
)
def test_what_cannot_be_searched_is_named_and_unchanged(data: bytes, problem: str) -> None:
    removal = remove_gps(data)
    assert removal.problem is not None and problem in removal.problem
    assert removal.data == data


def test_the_work_is_linear_in_the_size() -> None:
    began = time.process_time()
    for filler in (b"\xff\xe1", b":gp", b"a", b"Exif\0\0", b"<exif:g", b"\xff"):
        remove_gps(PLAIN_JPEG + filler * (8_000_000 // len(filler)))
    assert time.process_time() - began < 60


@given(st.data())
def test_whatever_a_file_contains_nothing_is_raised_and_no_size_changes(data: st.DataObject) -> None:
    loaded = bytearray(loaded_jpeg())
    for _ in range(data.draw(st.integers(1, 12))):
        loaded[data.draw(st.integers(2, 1200))] = data.draw(st.integers(0, 255))
    hostile = bytes(loaded[: data.draw(st.integers(0, len(loaded)))])
    removal = remove_gps(hostile)
    assert len(removal.data) == len(hostile)
    again = remove_gps(removal.data)
    assert removal.problem is not None or again.data == removal.data
    scan = hostile.find(b"\xff\xda\0\x0c")
    if removal.problem is None and scan > 0:
        assert io.BytesIO(removal.data).getvalue()[scan : scan + 400] == hostile[scan : scan + 400]
