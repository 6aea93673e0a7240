"""A part of a recording as a WAV."""

import io
import wave
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from uncia.sound import excerpt
from uncia.sound.excerpt import wav_excerpt
from uncia.sound.recording import RejectedRecording

RATE = 8_000


def recording(seconds: float = 10, kind: str = "WAV", subtype: str = "PCM_16", channels: int = 1) -> bytes:
    """A ramp from -0.5 to 0.5 over the whole recording: the value tells the time."""
    ramp = np.linspace(-0.5, 0.5, round(seconds * RATE))
    out = io.BytesIO()
    soundfile.write(out, np.repeat(ramp[:, None], channels, axis=1), RATE, format=kind, subtype=subtype)
    return out.getvalue()


def cut(data: bytes, start_s: float, end_s: float) -> tuple[NDArray[np.float64], Any]:
    with wave.open(io.BytesIO(wav_excerpt(io.BytesIO(data), len(data), start_s, end_s))) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32767
        return samples, reader.getparams()


@pytest.mark.parametrize(
    ("kind", "subtype", "channels"),
    [("WAV", "PCM_16", 1), ("WAV", "PCM_U8", 2), ("WAV", "FLOAT", 1), ("FLAC", "PCM_24", 2), ("RF64", "PCM_32", 1)],
)
def test_the_part_is_cut_from_start_to_end_as_one_channel_of_16_bits(kind: str, subtype: str, channels: int) -> None:
    samples, found = cut(recording(10, kind, subtype, channels), 2, 4.5)
    assert (found.nchannels, found.sampwidth, found.framerate, found.nframes) == (1, 2, RATE, 2.5 * RATE)
    assert samples[[0, -1]] == pytest.approx([-0.3, -0.05], abs=0.01)


def test_a_part_that_ends_after_the_recording_is_cut_there() -> None:
    assert len(cut(recording(3), 2, 9)[0]) == RATE


def test_a_long_part_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpt, "MAX_EXCERPT_S", 1.5)
    assert len(cut(recording(10), 2, 9)[0]) == 1.5 * RATE


@pytest.mark.parametrize("data", [b"", b"no recording", recording()[:30]])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(RejectedRecording):
        wav_excerpt(io.BytesIO(data), len(data), 0, 1)


def test_a_part_after_the_end_has_no_samples() -> None:
    data = recording(3)
    with pytest.raises(RejectedRecording, match="no samples"):
        wav_excerpt(io.BytesIO(data), len(data), 5, 6)


class CountingFile(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        found = super().readinto(buffer)
        self.count += found
        return found


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_long_recording_is_not_read_as_a_whole(kind: str) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 300 * RATE)
    out = io.BytesIO()
    soundfile.write(out, noise, RATE, format=kind, subtype="PCM_16")
    file = CountingFile(out.getvalue())
    wav_excerpt(file, len(out.getvalue()), 200, 202)
    assert file.count < len(out.getvalue()) / 10
