"""Recordings for the tests: synthesised samples as WAV or FLAC in memory."""

import io
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from uncia.sound.recording import Recording, Samples


def tone(seconds: float, rate: int, hertz: float = 1_000.0, level: float = 0.5) -> Samples:
    """A sine."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def recorded(samples: NDArray[Any], rate: int, format: str = "WAV", subtype: str | None = None) -> bytes:
    """A file with these samples, (n,) or (n, channels)."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=format, subtype=subtype)
    return out.getvalue()


def open_recording(data: bytes) -> Recording:
    """The recording in these bytes."""
    return Recording(io.BytesIO(data), len(data))


def read_all(data: bytes) -> tuple[Samples, Recording]:
    """All samples of a recording, and what is known of it after reading."""
    recording = open_recording(data)
    return np.concatenate(list(recording.blocks())), recording
