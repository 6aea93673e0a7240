"""EXIF from outside: whatever it claims, reading it is little work and little memory, and raises nothing."""

import io
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.imaging.exif_builders import (
    ASCII,
    DATE_TIME_ORIGINAL,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    LONG,
    MAKE,
    MAKER_NOTE,
    RATIONAL,
    block,
    directory,
    exif_segment,
    jpeg,
    photograph,
    segment,
)
from uncia.imaging.exif import Exif, read_exif, read_exif_file
from uncia.imaging.jpeg_segments import MemorySource, iterate_segments
from uncia.imaging.maker_notes import read_maker_note

TEXT = "2026:05:14 21:36:00"


class Counted(io.BytesIO):
    """A file that counts what is read of it: work in units that no slow machine changes."""

    reads = 0
    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        got = super().read(size)
        self.reads += 1
        self.taken += len(got)
        return got


@contextmanager
def memory(most: int) -> Iterator[None]:
    """What is allocated meanwhile, at its peak, in bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def gps_bomb() -> bytes:
    """69 KB: 2,650 GPS pointers, each to a directory of 2,650 entries of 999 rationals."""
    inner = directory([(1, RATIONAL, 999, b"")] * 2650, 0)
    outer = directory([(GPS_DIRECTORY, LONG, 1, struct.pack("<I", 8 + 2 + 12 * 2650 + 4))] * 2650, 8)
    return jpeg(segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<I", 8) + outer + inner[: 65_000 - len(outer)]))


def exif_pointer_bomb() -> bytes:
    """The EXIF pointer in every entry of every directory, all to one another."""
    many = directory([(EXIF_DIRECTORY, LONG, 1, struct.pack("<I", 8))] * 5000, 8)
    return jpeg(segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<I", 8) + many))


def huge_counts() -> bytes:
    """Every wanted tag claims four billion values."""
    tags = [MAKE, DATE_TIME_ORIGINAL, MAKER_NOTE]
    claims = [(tag, kind, 0xFFFFFFFF, b"\0\0\0\x08") for tag in tags for kind in (1, 2, 7)]
    return jpeg(segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">I", 8) + directory(claims, 8, ">")))


@pytest.mark.parametrize("bomb", [gps_bomb, exif_pointer_bomb, huge_counts])
def test_a_bomb_is_read_in_a_few_reads_and_little_memory(bomb: Callable[[], bytes]) -> None:
    file = Counted(bomb())
    with memory(2_000_000):
        exif = read_exif_file(file)
    assert isinstance(exif, Exif)
    assert file.reads < 100
    assert file.taken < 200_000


def test_a_directory_that_claims_more_entries_than_are_read_is_warned_of() -> None:
    assert any("is damaged" in warning for warning in read_exif(exif_pointer_bomb()).warnings)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1_000_000,
        b"\xff\xd8" + b"\xff\xd0" * 1_000_000,
        b"\xff\xd8" + b"\xff" * 4_000_000,
        b"\xff\xd8\xff" + bytes(4_000_000),
        jpeg(*[exif_segment({MAKE: "x"}, {MAKER_NOTE: bytes(60_000)})] * 60),
    ],
    ids=["empty segments", "markers without length", "fill bytes", "zeros", "many EXIF blocks"],
)
def test_a_flood_of_segments_is_walked_so_far_and_no_further(bomb: bytes) -> None:
    file = Counted(bomb)
    with memory(8_000_000):
        read_exif_file(file)
    assert file.reads < 20_000
    assert file.taken < 2_500_000


def test_exif_that_points_at_itself_is_read_once() -> None:
    tiff = b"II*\0" + struct.pack("<I", 8) + directory([(EXIF_DIRECTORY, LONG, 1, struct.pack("<I", 8))], 8)
    assert read_exif(jpeg(segment(0xE1, b"Exif\0\0" + tiff))).warnings == ("EXIF without a time",)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order: str) -> None:
    exif = read_exif(photograph({MAKE: "ACME"}, {DATE_TIME_ORIGINAL: TEXT, MAKER_NOTE: b"\x01\xf1note"}, order))
    assert (exif.make, str(exif.time), exif.maker_note) == ("ACME", "2026-05-14 21:36:00", b"\x01\xf1note")


def test_exif_behind_profiles_and_previews_is_found() -> None:
    before = [segment(0xE2, bytes(65_000))] * 30 + [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(60_000))]
    assert str(read_exif(jpeg(*before, exif_segment(exif={DATE_TIME_ORIGINAL: TEXT}))).time) == "2026-05-14 21:36:00"


def test_exif_that_goes_on_in_the_next_segment_is_put_together() -> None:
    tiff = block({MAKE: "ACME"}, {DATE_TIME_ORIGINAL: TEXT, MAKER_NOTE: bytes(200)})
    halves = [segment(0xE1, b"Exif\0\0" + part) for part in (tiff[:80], tiff[80:])]
    assert str(read_exif(jpeg(*halves)).time) == "2026-05-14 21:36:00"


def test_text_from_outside_is_printable() -> None:
    assert read_exif(photograph({MAKE: "a\x1b[31m\nb"})).make == "a?[31m?b"


@given(st.binary(max_size=3000))
def test_any_bytes_are_read(data: bytes) -> None:
    for file in (data, b"\xff\xd8" + data, jpeg(segment(0xE1, b"Exif\0\0" + data))):
        assert isinstance(read_exif(file), Exif)
    tiff = b"\xff\xd8" + segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + data)
    assert isinstance(read_exif(tiff), Exif)
    read_maker_note(data)


GOOD = photograph({MAKE: "RECONYX"}, {DATE_TIME_ORIGINAL: TEXT, MAKER_NOTE: bytes(80)})


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12), st.integers(0, len(GOOD)))
def test_damage_to_a_good_file_never_raises(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    file = Counted(bytes(data[:length]))
    assert read_exif_file(file) == read_exif(bytes(data[:length]))
    assert file.taken < 2_000_000


@given(
    st.lists(
        st.tuples(
            st.sampled_from([MAKE, EXIF_DIRECTORY, DATE_TIME_ORIGINAL, MAKER_NOTE, GPS_DIRECTORY]),
            st.sampled_from([0, 1, ASCII, 3, LONG, RATIONAL, 7, 13, 0xFFFF]),
            st.integers(0, 2**32 - 1),
            st.integers(0, 300) | st.integers(0, 2**32 - 1),
        ),
        max_size=40,
    )
)
def test_whatever_directories_claim_they_are_read(made: list[tuple[int, int, int, int]]) -> None:
    rows = [(tag, kind, count, struct.pack("<I", value)) for tag, kind, count, value in made]
    tiff = b"II*\0" + struct.pack("<I", 8) + directory(rows, 8) + bytes(200)
    exif = read_exif(jpeg(segment(0xE1, b"Exif\0\0" + tiff)))
    assert len(exif.warnings) < 10


def test_segments_end_where_the_picture_begins() -> None:
    assert next(iterate_segments(MemorySource(GOOD))).marker == 0xE1
    assert 0xDA not in [segment.marker for segment in iterate_segments(MemorySource(GOOD))]
