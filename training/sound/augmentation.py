"""Augmentations of sound windows for training: shift in time and in pitch, mix recordings of one class, add noise.

Each returns float32 of the same length, and draws from the generator that it is given.
"""

import numpy as np
from scipy.signal import resample

from uncia.sound.recording import Samples

__all__ = ["add_noise", "augmented", "mix", "shift_pitch", "shift_time"]

_SEMITONES = 1.0
_MIX_SHARE = 0.5
"""Share of windows that are mixed with another one of their class."""


def shift_time(samples: Samples, rng: np.random.Generator) -> Samples:
    """The window rotated by any number of samples: what leaves at the end comes in at the start."""
    return np.roll(samples, int(rng.integers(len(samples))))


def shift_pitch(samples: Samples, semitones: float) -> Samples:
    """The window played faster (higher, `semitones` > 0) or slower, cut or filled with zeros to its length."""
    count = max(1, round(len(samples) / 2 ** (semitones / 12)))
    played = resample(samples, count)[: len(samples)].astype(np.float32)
    return np.pad(played, (0, len(samples) - len(played)))


def mix(samples: Samples, other: Samples, share: float) -> Samples:
    """Two recordings of one class at once, as of two animals; `share` (0 to 1) is that of the other."""
    return ((1 - share) * samples + share * other).astype(np.float32)


def add_noise(samples: Samples, rng: np.random.Generator, snr_db: float) -> Samples:
    """White noise, `snr_db` decibels below the window. A silent window stays silent."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) / 10 ** (snr_db / 20)
    return (samples + level * rng.normal(size=len(samples))).astype(np.float32)


def augmented(samples: Samples, of_its_class: list[Samples], rng: np.random.Generator) -> Samples:
    """A window as in training: all four, by chance."""
    if rng.random() < _MIX_SHARE:
        other = of_its_class[int(rng.integers(len(of_its_class)))]
        samples = mix(samples, shift_time(other, rng), float(rng.uniform(0.2, 0.5)))
    samples = shift_pitch(shift_time(samples, rng), float(rng.uniform(-_SEMITONES, _SEMITONES)))
    return add_noise(samples, rng, float(rng.uniform(5, 30)))
