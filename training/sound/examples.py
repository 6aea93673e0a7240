"""The windows of recordings as power in mel bands, from which augmentations and spectrograms are computed.

A label applies to a recording, and most of its windows may have no call. Those that teach the class are the ones whose
loudest cells come near those of the recording's loudest window; the others are left out, since no label says what is
in them. Of background every window counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.sound.recording import Recording, RejectedRecording
from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import levels_of, mel_spectrogram
from uncia.sound.windows import cut_windows, resampled
from uncia.training.sound.folders import LabelledRecording

__all__ = ["Examples", "Power", "loudness", "read_examples"]

Power = NDArray[np.float32]
"""Power in mel bands, (mels, columns) or (N, mels, columns), the lowest band first."""

Progress = Callable[[str, int, int], None]

_LOUDEST_SHARE = 0.01
"""Of the cells of a spectrogram, those that say how loud its calls are."""
_NEAR_LOUDEST = 0.6
"""Share of the loudness of the recording's loudest window from which a window counts."""


@dataclass(frozen=True)
class Examples:
    """Windows of several recordings."""

    power: Power
    """(N, mels, columns)"""
    truth: NDArray[np.int64]
    """(N,), the class; -1: background."""
    recording: NDArray[np.int64]
    """(N,), the number of the recording."""

    def __len__(self) -> int:
        return len(self.truth)

    def of(self, recordings: Sequence[int]) -> "Examples":
        """The windows of some recordings, by their numbers."""
        own = np.isin(self.recording, recordings)
        return Examples(self.power[own], self.truth[own], self.recording[own])


def read_examples(
    recordings: Sequence[LabelledRecording],
    spec: SoundSpec,
    most: int,
    unusable: dict[Path, str],
    progress: Progress = lambda step, done, total: None,
) -> Examples:
    """The windows of recordings, `most` of each at the most. Files that cannot be used are added to `unusable`."""
    power: list[Power] = []
    truth: list[int] = []
    number: list[int] = []
    for index, one in enumerate(recordings):
        progress("reading the recordings", index, len(recordings))
        try:
            windows = _windows(one, spec, most)
        except (OSError, RejectedRecording) as error:
            unusable[one.path] = str(error)
            continue
        if not windows:
            unusable[one.path] = "all samples are 0"
        power += windows
        truth += [-1 if one.index is None else one.index] * len(windows)
        number += [index] * len(windows)
    progress("reading the recordings", len(recordings), len(recordings))
    shape = (0, spec.mels, spec.columns)
    return Examples(
        np.stack(power) if power else np.zeros(shape, np.float32), np.array(truth, np.int64), np.array(number, np.int64)
    )


def loudness(power: Power, spec: SoundSpec) -> float:
    """Mean of the loudest hundredth of the cells of a spectrogram, 0 to 1. `power`: (mels, columns)."""
    levels = levels_of(10 * np.log10(power), spec).ravel()
    most = max(1, round(_LOUDEST_SHARE * levels.size))
    return float(np.partition(levels, -most)[-most:].mean() / 255)


def _windows(one: LabelledRecording, spec: SoundSpec, most: int) -> list[Power]:
    """The windows of a recording that count, the loudest ones where there are more than `most`, in their order."""
    found: list[tuple[float, int, Power]] = []
    for index, power in enumerate(_powers(one.path, spec)):
        found.append((loudness(power, spec), -index, power))
        if len(found) > 2 * most:
            found = sorted(found, key=lambda entry: entry[:2], reverse=True)[:most]
    if not found:
        return []
    least = 0.0 if one.index is None else _NEAR_LOUDEST * max(level for level, _, _ in found)
    kept = sorted((entry for entry in found if entry[0] >= least), key=lambda entry: entry[:2], reverse=True)[:most]
    return [power for _, _, power in sorted(kept, key=lambda entry: -entry[1])]


def _powers(path: Path, spec: SoundSpec) -> Iterator[Power]:
    with path.open("rb") as file:
        recording = Recording(file, path.stat().st_size)
        try:
            for window in cut_windows(recording.blocks(), recording.sample_rate, spec):
                if not window.silent:
                    decibels = mel_spectrogram(resampled(window, recording.sample_rate, spec), spec)
                    yield (10 ** (decibels / 10)).astype(np.float32)
        finally:
            recording.close()
