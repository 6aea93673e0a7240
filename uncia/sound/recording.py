"""Reads a WAV or FLAC recording block by block, as one channel of finite floats.

Memory is bounded by the block, whatever the length of the recording: ten hours are read like ten seconds. libsndfile
(through `soundfile`) decodes; this module decides what is accepted and reports what is irregular.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from uncia.errors import PermanentError

__all__ = ["MAX_DURATION_S", "Recording", "RejectedRecording", "Samples"]

Samples = NDArray[np.float32]

MAX_DURATION_S = 48 * 3600.0
"""A recording is analysed up to here. A FLAC of silence has a few bytes a second, and its header may promise years."""

_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC"})
_RATES = (1_000, 500_000)
_MAX_CHANNELS = 64
_BLOCK = 4096
"""Samples of each channel in one block, as in a block of FLAC: with a damaged one no more is lost. At most 1 MB."""


class RejectedRecording(PermanentError):
    """A recording was read and cannot be analysed."""


class Recording:
    """One open recording. Not safe for use by several threads at a time.

    `file` must be seekable, and stays open. Raises `RejectedRecording` with the reason `recording-empty`,
    `recording-unreadable`, `recording-format` or `recording-parameters`.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        if size == 0:
            raise RejectedRecording("recording-empty", "the file is empty")
        self._promised = _riff_size(file)
        self._size = size
        file.seek(0)
        try:
            self._sound = soundfile.SoundFile(file)
        except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
            raise RejectedRecording("recording-unreadable", f"not a readable WAV or FLAC: {error}") from error
        sound = self._sound
        if sound.format not in _FORMATS:
            raise RejectedRecording("recording-format", f"a recording must be WAV or FLAC, not {sound.format}")
        if not _RATES[0] <= sound.samplerate <= _RATES[1] or not 1 <= sound.channels <= _MAX_CHANNELS:
            raise RejectedRecording(
                "recording-parameters",
                f"{sound.samplerate:,} Hz and {sound.channels} channels; accepted are {_RATES[0]:,} to "
                f"{_RATES[1]:,} Hz and up to {_MAX_CHANNELS} channels",
            )
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        self.samples_read = 0
        """Samples of one channel that were read so far."""
        self.not_finite = 0
        """Values, of all channels, that were NaN or infinite, and are read as 0."""
        self.truncated = self._promised is not None and self._promised > size
        """Whether the file ends before its header says, as far as is known by now."""

    @property
    def seconds_read(self) -> float:
        """Duration of what was read so far."""
        return self.samples_read / self.sample_rate

    def skip_to(self, start_s: float) -> None:
        """Begin `blocks` at this time, in seconds from the start; at the end of a shorter recording.

        Raises `RejectedRecording` where the decoder cannot seek.
        """
        try:
            self._sound.seek(min(round(start_s * self.sample_rate), self._sound.frames))
        except (soundfile.SoundFileError, OSError) as error:
            raise RejectedRecording("recording-unreadable", f"{start_s:.1f} s cannot be found: {error}") from error

    def blocks(self) -> Iterator[Samples]:
        """Yield the recording once, in blocks of one channel: the mean of all channels.

        Ends at the first byte that cannot be decoded, and sets `truncated`. Raises `RejectedRecording` with the reason
        `recording-empty` for a recording without samples.
        """
        most = int(MAX_DURATION_S * self.sample_rate)
        while self.samples_read < most:
            try:
                block = self._sound.read(min(_BLOCK, most - self.samples_read), dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, OSError):
                self.truncated = True
                break
            if not len(block):
                break
            finite = np.isfinite(block)
            if not finite.all():
                self.not_finite += int(block.size - finite.sum())
                block = np.where(finite, block, np.float32(0))
            self.samples_read += len(block)
            yield block.mean(axis=1, dtype=np.float64).astype(np.float32)
        if not self.samples_read:
            raise RejectedRecording("recording-empty", "the recording has no samples")
        # FLAC states the number of its samples; that of a WAV is counted from the bytes that are there.
        stated = self._sound.frames if self._sound.format == "FLAC" else 0
        self.truncated = self.truncated or self.samples_read < min(stated, most)

    def warnings(self) -> tuple[str, ...]:
        """What was irregular in what was read, as text."""
        found = []
        if self.truncated:
            found.append(f"the file ends early: {self.seconds_read:.1f} s could be read")
        if self.not_finite:
            found.append(f"{self.not_finite:,} values are NaN or infinite, and were read as silence")
        if self.seconds_read >= MAX_DURATION_S:
            found.append(f"only the first {MAX_DURATION_S / 3600:.0f} hours were analysed")
        return tuple(found)

    def close(self) -> None:
        """Release the decoder; the file stays open."""
        self._sound.close()


def _riff_size(file: BinaryIO) -> int | None:
    """Size in bytes that the header of a WAV promises; None for other files, and where a recorder left it open."""
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    size = int.from_bytes(head[4:8], "little")
    return None if size in (0, 0xFFFFFFFF) else size + 8
