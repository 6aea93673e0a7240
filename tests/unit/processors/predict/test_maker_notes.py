"""Reconyx maker notes: HyperFire, HyperFire 2, MicroFire, UltraFire, HyperFire 4K."""

import struct
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import SHARED
from tests.unit.processors.predict.reconyx_notes import hyperfire, hyperfire_2, hyperfire_4k, micro_fire, ultra_fire
from uncia.events import Trigger
from uncia.imaging.exif import read_exif
from uncia.imaging.maker_notes import MakerNote, read_maker_note

SAMPLES = SHARED / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not here")
ALL = [hyperfire, hyperfire_2, micro_fire, ultra_fire, hyperfire_4k]
every = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)


def test_a_hyperfire_tells_all() -> None:
    assert read_maker_note(hyperfire()) == MakerNote(
        Trigger.MOTION, 2, 3, 202, datetime(2014, 9, 26, 14, 21, 4), 16.0, False, "P800BD06104674"
    )


def test_a_hyperfire_2_tells_all() -> None:
    assert read_maker_note(hyperfire_2()) == MakerNote(
        Trigger.MOTION, 1, 10, 4, datetime(2021, 4, 11, 20, 43, 9), 2.0, True, "H2RXEM06043616"
    )


@pytest.mark.parametrize(
    ("make", "serial"),
    [(micro_fire, "MF1XAM06043616"), (ultra_fire, "UF0000000000001"), (hyperfire_4k, "HF4K00000000001")],
)
def test_newer_cameras_tell_all(make: Callable[..., bytes], serial: str) -> None:
    assert read_maker_note(make()) == MakerNote(
        Trigger.MOTION, 2, 3, 77, datetime(2024, 9, 26, 14, 21, 4), 16.0, False, serial
    )


@pytest.mark.parametrize("second", [0, 2, 59])
def test_a_hyperfires_time_may_be_big_endian_when_all_else_is_not(second: int) -> None:
    note = bytearray(hyperfire())
    struct.pack_into(">6H", note, 0x16, second, 36, 21, 5, 14, 2026)
    found = read_maker_note(bytes(note))
    assert found is not None
    assert (found.time, found.sequence, found.event_number) == (datetime(2026, 5, 14, 21, 36, second), 2, 202)


@every
@pytest.mark.parametrize(
    ("letter", "trigger"),
    [(b"M", Trigger.MOTION), (b"T", Trigger.TIME_LAPSE), (b"P", Trigger.OTHER), (b"?", Trigger.UNKNOWN)],
)
def test_the_trigger_is_a_letter(make: Callable[..., bytes], letter: bytes, trigger: Trigger) -> None:
    note = read_maker_note(make(trigger=letter))
    assert note is not None
    assert note.trigger is trigger


@every
@pytest.mark.parametrize("sequence", [(0, 0), (0, 3), (4, 3), (1, 0)])
def test_a_sequence_that_is_impossible_is_ignored(make: Callable[..., bytes], sequence: tuple[int, int]) -> None:
    note = read_maker_note(make(sequence=sequence))
    assert note is not None
    assert (note.sequence, note.sequence_length) == (None, None)


@every
def test_frost_has_a_sign(make: Callable[..., bytes]) -> None:
    note = read_maker_note(make(celsius=-31))
    assert note is not None
    assert note.temperature_c == -31.0


@every
def test_event_numbers_go_beyond_16_bits(make: Callable[..., bytes]) -> None:
    note = read_maker_note(make(event=70_000))
    assert note is not None
    assert note.event_number == 70_000


@every
def test_values_that_are_impossible_are_ignored(make: Callable[..., bytes]) -> None:
    note = read_maker_note(make(celsius=9999, infrared=7, time=(99, 0, 0, 0, 0, 0), serial="\u4e2d"))
    assert note is not None
    assert (note.temperature_c, note.infrared, note.time, note.serial) == (None, None, None, None)


@pytest.mark.parametrize("raw", [None, b"", b"Nikon\0\x02", bytes(460)])
def test_other_makers_notes_are_left_alone(raw: bytes | None) -> None:
    assert read_maker_note(raw) is None


@every
@given(length=st.integers(2, 200))
def test_a_note_that_breaks_off_is_read_as_far_as_it_goes(make: Callable[..., bytes], length: int) -> None:
    note = read_maker_note(make()[:length])
    assert note is None or isinstance(note, MakerNote)


@needs_samples
def test_a_genuine_burst_counts_from_one_to_ten() -> None:
    frames = sorted((SAMPLES / "heron_burst").glob("*.JPG"))
    notes = [read_maker_note(read_exif(frame.read_bytes()).maker_note) for frame in frames]
    assert [(note.sequence, note.sequence_length, note.trigger) for note in notes if note] == [
        (place, 10, Trigger.MOTION) for place in range(1, 11)
    ]


@needs_samples
@pytest.mark.parametrize(
    ("name", "sequence", "length", "celsius", "infrared"),
    [("blank.jpg", 5, 5, 21.0, True), ("domestic_cattle.jpg", 2, 3, 16.0, False), ("vehicle.jpg", 1, 5, 9.0, True)],
)
def test_genuine_hyperfires_are_read(name: str, sequence: int, length: int, celsius: float, infrared: bool) -> None:
    note = read_maker_note(read_exif((SAMPLES / "single_frames" / name).read_bytes()).maker_note)
    assert note is not None
    assert (note.sequence, note.sequence_length, note.temperature_c, note.infrared) == (
        sequence,
        length,
        celsius,
        infrared,
    )


@needs_samples
@pytest.mark.parametrize(
    ("name", "volts"),
    [
        ("single_frames/american_black_bear.jpg", 9.82),
        ("single_frames/blank.jpg", 8.15),
        ("heron_burst/20210531082538-RCNX0031.JPG", 7.814),
    ],
)
def test_the_battery_of_genuine_cameras_is_read(name: str, volts: float) -> None:
    note = read_maker_note(read_exif((SAMPLES / name).read_bytes()).maker_note)
    assert note is not None
    assert note.battery_v == volts


@pytest.mark.parametrize(("make", "at"), [(hyperfire, 0x54), (hyperfire_2, 0x62), (ultra_fire, 0x49)])
@pytest.mark.parametrize(("millivolts", "volts"), [(8150, 8.15), (0, None), (65535, None)])
def test_the_battery_is_in_millivolts(
    make: Callable[..., bytes], at: int, millivolts: int, volts: float | None
) -> None:
    note = bytearray(make())
    struct.pack_into("<H", note, at, millivolts)
    found = read_maker_note(bytes(note))
    assert found is not None
    assert found.battery_v == volts
