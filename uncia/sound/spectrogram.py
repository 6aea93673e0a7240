"""Mel spectrograms: as the frame of a model, and as a picture for people. NumPy alone.

The power in each mel band (triangular filters, equally wide on the mel scale of O'Shaughnessy, 1987) is taken in
decibels and reduced by the band's median over the window: what is constant, such as wind, a stream or the recorder's
own noise, becomes black, and so the gain of a recorder hardly matters.
"""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.imaging.frames import Pixels
from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec

__all__ = ["LEAST_POWER", "levels_of", "mel_spectrogram", "model_frame", "spectrogram_levels", "spectrogram_png"]

LEAST_POWER = 1e-9
"""About the noise of 16-bit samples in one band: below it there is nothing to hear."""

_PICTURE = (384, 256)
"""Width and height of the picture for people, in pixels."""


def mel_spectrogram(samples: Samples, spec: SoundSpec) -> NDArray[np.float64]:
    """Power in decibels, (mels, columns), the lowest band first. `samples`: float32, `spec.samples` of them."""
    step = max(1, (len(samples) - spec.fft) // (spec.columns - 1))
    views = np.lib.stride_tricks.sliding_window_view(samples, spec.fft)[::step][: spec.columns]
    spectrum = np.fft.rfft(views * np.hanning(spec.fft), axis=1)
    power = _filters(spec) @ (np.abs(spectrum) ** 2).T / spec.fft
    decibels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, LEAST_POWER))
    missing = spec.columns - decibels.shape[1]
    return np.pad(decibels, ((0, 0), (0, missing)), mode="edge") if missing else decibels


def spectrogram_levels(samples: Samples, spec: SoundSpec) -> NDArray[np.uint8]:
    """The spectrogram as brightness, uint8 (mels, columns), the lowest band at the bottom.

    0: the band's median or below; 255: `spec.range_db` above it.
    """
    return levels_of(mel_spectrogram(samples, spec), spec)


def levels_of(decibels: NDArray[np.floating], spec: SoundSpec) -> NDArray[np.uint8]:
    """The same of power in decibels, (..., mels, columns), the lowest band first."""
    above = (decibels - np.median(decibels, axis=-1, keepdims=True)) / spec.range_db
    levels: NDArray[np.uint8] = np.rint(above.clip(0, 1) * 255).astype(np.uint8)[..., ::-1, :]
    return levels


def model_frame(samples: Samples, spec: SoundSpec) -> Pixels:
    """The frame for the model, uint8 (height, width, 3); see `SoundSpec.input`. `samples` at the model's rate."""
    if spec.input == "mel":
        return np.repeat(spectrogram_levels(samples, spec)[..., None], 3, axis=2)
    frame = spec.frame
    pixels: Pixels = np.zeros(frame.height * frame.width * 3, np.uint8)
    words = np.rint(samples.clip(-1, 1) * 32_767).astype("<i2").view(np.uint8)
    pixels[: len(words)] = words
    return pixels.reshape(frame.height, frame.width, 3)


def spectrogram_png(levels: NDArray[np.uint8]) -> bytes:
    """A picture for people, dark on white as in print, as PNG. The same levels always give the same bytes."""
    picture = Image.fromarray(255 - levels).resize(_PICTURE, Image.Resampling.BILINEAR)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


@lru_cache(maxsize=4)
def _filters(spec: SoundSpec) -> NDArray[np.float64]:
    """Triangular mel filters, (mels, fft // 2 + 1); each has its peak at 1. A band narrower than a bin gets it."""
    edges = _hertz(np.linspace(_mel(spec.low_hz), _mel(spec.high_hz), spec.mels + 2))
    bins = np.fft.rfftfreq(spec.fft, 1 / spec.sample_rate)
    lower, peak, upper = (edges[index : index + spec.mels, None] for index in range(3))
    filters: NDArray[np.float64] = np.minimum((bins - lower) / (peak - lower), (upper - bins) / (upper - peak)).clip(0)
    for empty in np.flatnonzero(~filters.any(axis=1)):
        filters[empty, np.abs(bins - edges[empty + 1]).argmin()] = 1.0
    return filters


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
