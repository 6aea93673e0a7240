"""Synthesises calls of fictitious animals, for demonstrations and tests.

They show that a recipe works, not how well it does in a forest: each caller has one motif, and the noise is synthetic.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from uncia.sound.recording import Samples
from uncia.training import TrainingError

__all__ = ["CALLERS", "NOISE", "draw_calls", "synthesise"]

Signal = NDArray[np.float64]

RATE = 22_050
SECONDS = 3.0
NOISE = "noise"
"""The class without a call."""


def _sweep(seconds: float, from_hz: float, to_hz: float) -> Signal:
    """A note from one frequency to another, with a soft start and end."""
    count = round(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.linspace(from_hz, to_hz, count)) / RATE
    note: Signal = np.sin(phase) * np.hanning(count)
    return note


def _pause(seconds: float) -> Signal:
    return np.zeros(round(seconds * RATE))


def _two_notes(pitch: float, tempo: float) -> Signal:
    return np.concatenate(
        [
            _sweep(0.22 / tempo, 900 * pitch, 880 * pitch),
            _pause(0.08 / tempo),
            _sweep(0.3 / tempo, 700 * pitch, 690 * pitch),
        ]
    )


def _trill(pitch: float, tempo: float) -> Signal:
    note = np.concatenate([_sweep(0.03 / tempo, 4_200 * pitch, 3_900 * pitch), _pause(0.03 / tempo)])
    return np.tile(note, 14)


def _rising(pitch: float, tempo: float) -> Signal:
    return _sweep(0.8 / tempo, 1_500 * pitch, 3_200 * pitch)


def _hoot(pitch: float, tempo: float) -> Signal:
    note = np.concatenate([_sweep(0.35 / tempo, 340 * pitch, 320 * pitch), _pause(0.25 / tempo)])
    return np.tile(note, 2)


CALLERS: dict[str, Callable[[float, float], Signal]] = {
    "two notes": _two_notes,
    "trill": _trill,
    "rising whistle": _rising,
    "hoot": _hoot,
}
"""Motifs by name; each takes factors of pitch and of tempo."""


def synthesise(caller: str, rng: np.random.Generator) -> Samples:
    """Three seconds at 22,050 Hz: the caller at a random place, pitch and tempo, 0 to 20 dB above pink noise."""
    count = round(SECONDS * RATE)
    spectrum = np.fft.rfft(rng.normal(size=count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), count)
    noise *= rng.uniform(0.002, 0.02) / noise.std()
    if caller != NOISE:
        call = CALLERS[caller](rng.uniform(0.92, 1.08), rng.uniform(0.87, 1.15))
        at = rng.integers(0, count - len(call))
        noise[at : at + len(call)] += call * noise.std() * 10 ** (rng.uniform(0, 20) / 20) * np.sqrt(2)
    return noise.clip(-1, 1).astype(np.float32)


def draw_calls(folder: Path, each: int, seed: int) -> int:
    """Write `each` WAV files of every caller and of noise, in folders named by class; returns their number.

    The same seed writes the same files. Raises `TrainingError` where the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"{folder} is not empty: choose another folder")
    rng = np.random.default_rng(seed)
    for caller in (*CALLERS, NOISE):
        (folder / caller).mkdir(parents=True)
        for number in range(1, each + 1):
            soundfile.write(folder / caller / f"{number:04}.wav", synthesise(caller, rng), RATE, subtype="PCM_16")
    return each * (len(CALLERS) + 1)
