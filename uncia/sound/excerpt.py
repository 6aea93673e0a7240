"""Cuts a part out of a recording, as a small WAV that any browser plays."""

import io
import math
import wave
from typing import BinaryIO

import numpy as np

from uncia.sound.recording import Recording

__all__ = ["MAX_EXCERPT_S", "wav_excerpt"]

MAX_EXCERPT_S = 60.0
"""An excerpt is at most so long: 60 MB at the highest sample rate that a recording may have."""


def wav_excerpt(file: BinaryIO, size: int, start_s: float, end_s: float) -> bytes:
    """The part of a recording from `start_s` to `end_s`, in seconds from its start, up to `MAX_EXCERPT_S`.

    One channel, the mean of all, with 16 bits at the sample rate of the recording. `file` must be seekable, and `size`
    is its size in bytes. Reads no more than this part and what the format needs to find it. Raises `RejectedRecording`
    for a recording that cannot be read, and with the reason `recording-empty` where it has no sample in this part.
    """
    recording = Recording(file, size)
    try:
        wanted = math.ceil(min(end_s - start_s, MAX_EXCERPT_S) * recording.sample_rate)
        recording.skip_to(start_s)
        out = io.BytesIO()
        with wave.open(out, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(recording.sample_rate)
            for block in recording.blocks():
                samples = np.clip(block[:wanted], -1.0, 1.0) * 32767.0
                writer.writeframesraw(np.round(samples).astype("<i2").tobytes())
                wanted -= len(samples)
                if wanted <= 0:
                    break
        return out.getvalue()
    finally:
        recording.close()
