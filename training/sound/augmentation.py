"""Variations of a window: shifts in time and in pitch, mixtures of recordings of one species, and noise. Pure.

They act on power in mel bands, (mels, columns). There a mixture is a sum, since independent sounds add in power, and a
shift along the mel axis is one of pitch. The same generator state gives the same result.
"""

from dataclasses import dataclass

import numpy as np

from uncia.sound.spectrogram import LEAST_POWER
from uncia.training.sound.examples import Power

__all__ = ["Variation", "add_noise", "mix", "noise_power", "shift_pitch", "shift_time", "vary"]


@dataclass(frozen=True)
class Variation:
    """How far windows are varied."""

    pitch_share: float = 0.04
    """Largest shift of pitch, as a share of the mel bands."""
    mix_chance: float = 0.5
    """Chance that another recording of the same class is mixed in."""
    noise_db: tuple[float, float] = (-12.0, 3.0)
    """Level of the noise that is added, in decibels over the median of the window's bands."""
    noise_chance: float = 0.7


def shift_time(power: Power, columns: int) -> Power:
    """The window, later by some columns; what leaves at its end enters at its beginning."""
    return np.roll(power, columns, axis=-1)


def shift_pitch(power: Power, bands: int) -> Power:
    """The window, higher by some mel bands, or lower for a negative number; the outermost band fills what is left."""
    if bands == 0:
        return power
    mels = power.shape[-2]
    source = np.clip(np.arange(mels) - bands, 0, mels - 1)
    return power[..., source, :]


def mix(first: Power, second: Power, gain: float) -> Power:
    """Both at the same time, the second with this gain in power."""
    mixed: Power = (first + np.float32(gain) * second).astype(np.float32)
    return mixed


def noise_power(shape: tuple[int, int], random: np.random.Generator) -> Power:
    """Noise of mean power 1 with a spectrum that rises or falls smoothly, as of wind, rain or a recorder."""
    mels, columns = shape
    slope, bend = random.uniform(-2.5, 1.0), random.uniform(-1.0, 1.0)
    position = np.linspace(0, 1, mels)
    spectrum = 10 ** (slope * position + bend * (position - 0.5) ** 2 * 4)
    # The power of Gaussian noise in a band, the sum of a few independent bins, has a gamma distribution.
    cells = random.gamma(2.0, 0.5, (mels, columns))
    noise: Power = (cells * (spectrum / spectrum.mean())[:, None]).astype(np.float32)
    return noise


def add_noise(power: Power, level_db: float, random: np.random.Generator) -> Power:
    """The window with noise, whose mean power is so many decibels above the median power of the window."""
    mels, columns = power.shape[-2:]
    median = max(float(np.median(power)), LEAST_POWER)
    return mix(power, noise_power((mels, columns), random), median * 10 ** (level_db / 10))


def vary(power: Power, same_class: Power | None, variation: Variation, random: np.random.Generator) -> Power:
    """A variation of a window. `same_class`: a window of another recording of its class, where there is one."""
    varied = shift_time(power, int(random.integers(power.shape[-1])))
    most = round(variation.pitch_share * power.shape[-2])
    varied = shift_pitch(varied, int(random.integers(-most, most + 1)))
    if same_class is not None and random.random() < variation.mix_chance:
        other = shift_time(same_class, int(random.integers(power.shape[-1])))
        varied = mix(varied, other, float(10 ** random.uniform(-1.0, 0.3)))
    if random.random() < variation.noise_chance:
        varied = add_noise(varied, float(random.uniform(*variation.noise_db)), random)
    return varied
