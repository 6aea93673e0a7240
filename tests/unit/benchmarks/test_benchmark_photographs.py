"""The photographs that the benchmark measures on."""

from datetime import datetime
from pathlib import Path

import pytest

from benchmarks.photographs import HEIGHT, WIDTH, Photographs, exif_block, make
from uncia.imaging.exif import read_exif
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame

_TAKEN = datetime(2026, 1, 10, 6, 0, 3)


@pytest.fixture(scope="module")
def photograph() -> bytes:
    return make(3)


@pytest.fixture
def library(tmp_path: Path, photograph: bytes) -> Photographs:
    (tmp_path / "v2-000.jpg").write_bytes(photograph)
    return Photographs(tmp_path, 1)


def test_a_photograph_is_the_same_every_time(photograph: bytes) -> None:
    assert make(3) == photograph


def test_a_photograph_has_the_size_of_a_camera_trap_s(photograph: bytes) -> None:
    assert 250_000 < len(photograph) <= 300_000
    frame = decode_frame(photograph, FrameSpec(), max_pixels=10_000_000)
    assert (frame.photo_width, frame.photo_height) == (WIDTH, HEIGHT)


def test_each_upload_says_when_it_was_taken(library: Photographs) -> None:
    exif = read_exif(library.with_exif(0, exif_block(_TAKEN, sequence=4, length=10, event=7)))
    assert (exif.time, exif.make, exif.warnings) == (_TAKEN, "RECONYX", ())


def test_the_maker_note_holds_frame_n_of_m(library: Photographs) -> None:
    note = read_exif(library.with_exif(0, exif_block(_TAKEN, sequence=4, length=10, event=7))).maker_note
    assert note is not None
    assert note[:2] == b"\x01\xf1"
    assert (note[0x0E], note[0x10]) == (4, 10)


def test_two_frames_of_one_picture_have_different_bytes(library: Photographs) -> None:
    one, two = (library.with_exif(0, exif_block(_TAKEN, sequence, 10, 7)) for sequence in (1, 2))
    assert one != two
