"""What is accepted as a recording, and what is reported of an irregular one."""

import tracemalloc
from collections import deque
from typing import BinaryIO, cast

import numpy as np
import pytest

from tests.unit.uncia.sound.recordings import read_all, recorded, tone
from uncia.sound import recording as recording_module
from uncia.sound.recording import Recording, RejectedRecording

RATE = 8_000


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 1 / 100),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
    ],
)
def test_the_samples_of_every_accepted_format_are_read(format: str, subtype: str, tolerance: float) -> None:
    sound = tone(1, RATE)
    samples, _ = read_all(recorded(sound, RATE, format, subtype))
    assert np.abs(samples - sound).max() <= tolerance


def test_channels_are_averaged() -> None:
    left, right = tone(1, RATE, 500), tone(1, RATE, 2_000)
    samples, recording = read_all(recorded(np.stack([left, right], axis=1), RATE, subtype="FLOAT"))
    assert recording.channels == 2
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-6)


def test_values_that_are_no_numbers_are_read_as_silence_and_counted() -> None:
    sound = tone(1, RATE)
    sound[10:13] = [np.nan, np.inf, -np.inf]
    samples, recording = read_all(recorded(sound, RATE, subtype="FLOAT"))
    assert (samples[10:13] == 0).all()
    assert recording.not_finite == 3
    assert "3 values are NaN or infinite" in recording.warnings()[0]


def test_a_whole_recording_has_no_warning() -> None:
    for format in ("WAV", "FLAC"):
        _, recording = read_all(recorded(tone(1, RATE), RATE, format))
        assert recording.warnings() == ()


def test_what_is_there_of_a_truncated_wav_is_read_with_a_warning() -> None:
    data = recorded(tone(2, RATE), RATE)
    samples, recording = read_all(data[: len(data) // 2])
    assert len(samples) == pytest.approx(RATE, abs=100)
    assert "the file ends early" in recording.warnings()[0]


def test_what_is_there_of_a_truncated_flac_is_read_with_a_warning() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    data = recorded(noise, RATE, "FLAC")
    samples, recording = read_all(data[: len(data) // 2])
    assert 0 < len(samples) < len(noise)
    assert "the file ends early" in recording.warnings()[0]


def test_a_wav_whose_recorder_left_the_size_open_is_not_called_truncated() -> None:
    data = bytearray(recorded(tone(1, RATE), RATE))
    data[4:8] = b"\xff\xff\xff\xff"
    _, recording = read_all(bytes(data))
    assert recording.warnings() == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "recording-empty"),
        (recorded(np.zeros(0, np.float32), RATE), "recording-empty"),
        (recorded(np.zeros(0, np.float32), RATE, "FLAC"), "recording-empty"),
        (recorded(tone(1, RATE), RATE)[:20], "recording-unreadable"),
        (b"\xff\xd8\xff photograph", "recording-unreadable"),
        (b"RIFF\x24\0\0\0WAVE" + bytes(28), "recording-unreadable"),
        (recorded(tone(1, RATE), RATE, "AIFF"), "recording-format"),
        (recorded(tone(1, RATE), RATE, "OGG"), "recording-format"),
        (recorded(tone(1, 500), 500), "recording-parameters"),
    ],
    ids=[
        "nothing",
        "no samples",
        "flac without samples",
        "cut header",
        "photograph",
        "no chunk",
        "aiff",
        "ogg",
        "rate",
    ],
)
def test_what_cannot_be_analysed_is_rejected_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RejectedRecording) as raised:
        read_all(data)
    assert raised.value.reason == reason


class _LongWav:
    """A WAV of ten hours at 48 kHz, 3.4 GB, that is made while it is read."""

    SIZE = 44 + 10 * 3600 * 48_000 * 2

    def __init__(self) -> None:
        start = bytearray(recorded(np.zeros(1, np.int16), 48_000)[:44])
        start[4:8] = (self.SIZE - 8).to_bytes(4, "little")
        start[40:44] = (self.SIZE - 44).to_bytes(4, "little")
        self._start, self._at = bytes(start), 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.SIZE)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        size = max(0, min(size, self.SIZE - self._at))
        head = self._start[self._at : self._at + size]
        self._at += size
        return head + b"\1" * (size - len(head))

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def test_memory_does_not_grow_with_the_length_of_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two minutes of ten hours."""
    monkeypatch.setattr(recording_module, "MAX_DURATION_S", 120.0)
    recording = Recording(cast(BinaryIO, _LongWav()), _LongWav.SIZE)

    tracemalloc.start()
    try:
        deque(recording.blocks(), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recording.seconds_read == 120
    assert peak < 4 * 1_048_576


def test_reading_stops_at_the_longest_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "MAX_DURATION_S", 0.5)
    samples, recording = read_all(recorded(tone(1, RATE), RATE, "FLAC"))
    assert len(samples) == RATE // 2
    assert len(recording.warnings()) == 1
