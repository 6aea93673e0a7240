"""EXIF: read where it is good, warned of where it is broken, never an error."""

import io
import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.paths import SHARED
from uncia.imaging.exif import Exif, ExifTime, TimeTag, read_exif, read_exif_file

SAMPLES = SHARED / "samples"

TIME, DIGITIZED, SUB_SECOND, MAKER_NOTE, SERIAL = 36867, 36868, 37521, 37500, 42033
MAKE, MODEL = 271, 272


def jpeg(image: dict[int, str] | None = None, exif: dict[int, str | bytes] | None = None) -> bytes:
    tags = Image.Exif()
    tags.update(image or {})
    tags.get_ifd(0x8769).update(exif or {})
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "JPEG", exif=tags if image or exif else b"")
    return file.getvalue()


def test_time_make_model_and_serial_are_read() -> None:
    data = jpeg({MAKE: "BUSHNELL ", MODEL: "119636\0"}, {TIME: "2024:01:02 03:04:05", SERIAL: "B-7"})
    taken = datetime(2024, 1, 2, 3, 4, 5)
    stated = (ExifTime(TimeTag.ORIGINAL, taken),)
    assert read_exif(data) == Exif(taken, "BUSHNELL", "119636", "B-7", times=stated)


@pytest.mark.parametrize(("text", "milliseconds"), [("5", 500), ("07", 70), ("123", 123), ("123999", 123), ("x", 0)])
def test_the_sub_second_counts_as_a_decimal_fraction(text: str, milliseconds: int) -> None:
    time = read_exif(jpeg(exif={TIME: "2024:01:02 03:04:05", SUB_SECOND: text})).time
    assert time == datetime(2024, 1, 2, 3, 4, 5, milliseconds * 1000)


@pytest.mark.parametrize("text", ["2024-01-02 03:04:05", "2024/01/02 03:04:05", "2024:1:2 3:4:5"])
def test_other_separators_are_understood(text: str) -> None:
    assert read_exif(jpeg(exif={TIME: text})).time == datetime(2024, 1, 2, 3, 4, 5)


def test_a_time_to_the_minute_is_a_time() -> None:
    assert read_exif(jpeg(exif={TIME: "2024:01:02 03:04"})).time == datetime(2024, 1, 2, 3, 4)


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "2020:02:30 10:10:10", "    :  :     :  :  ", "soon"])
def test_a_time_that_is_none_is_warned_of(text: str) -> None:
    exif = read_exif(jpeg(exif={TIME: text}))
    assert exif.time is None
    assert "not a time" in exif.warnings[0]


def test_the_time_of_digitizing_stands_in() -> None:
    exif = read_exif(jpeg(exif={TIME: "soon", DIGITIZED: "2024:01:02 03:04:05"}))
    assert exif.time == datetime(2024, 1, 2, 3, 4, 5)


def test_the_maker_note_is_handed_out_as_it_stands() -> None:
    note = bytes(range(256)) * 3
    assert read_exif(jpeg(exif={MAKER_NOTE: note})).maker_note == note


def test_a_photograph_without_exif_says_so() -> None:
    assert read_exif(jpeg()).warnings == ("no EXIF",)


def test_exif_without_a_time_says_so() -> None:
    assert read_exif(jpeg({MAKE: "X"})).warnings == ("EXIF without a time",)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"text, not a photograph", b"\x89PNG\r\n\x1a\n", bytes(1000)])
def test_what_is_no_photograph_has_no_exif(data: bytes) -> None:
    assert read_exif(data).time is None


def test_a_file_is_read_as_its_bytes_are() -> None:
    data = jpeg({MAKE: "X"}, {TIME: "2024:01:02 03:04:05", MAKER_NOTE: b"note!"})
    assert read_exif_file(io.BytesIO(data)) == read_exif(data) == read_exif(data + bytes(10_000_000))


@given(seed=st.integers(0, 2**32))
def test_damage_never_raises(seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(jpeg({MAKE: "RECONYX"}, {TIME: "2024:01:02 03:04:05", MAKER_NOTE: b"n" * 60}))
    for _ in range(dice.randint(1, 12)):
        data[dice.randrange(200)] = dice.randrange(256)
    assert isinstance(read_exif(bytes(data[: dice.randint(0, len(data))])), Exif)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not here")
def test_genuine_frames_are_read() -> None:
    exif = read_exif((SAMPLES / "heron_burst" / "20210531082538-RCNX0031.JPG").read_bytes())
    assert (exif.time, exif.make, exif.model) == (datetime(2021, 4, 11, 20, 43, 9), "RECONYX", "HYPERFIRE 2 COVERT")
    assert exif.maker_note is not None
