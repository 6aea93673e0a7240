"""Spectrograms: where a tone appears, what does not change them, and how a waveform is carried."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.uncia.sound.recordings import tone
from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import mel_spectrogram, model_frame, spectrogram_levels, spectrogram_png

SPEC = SoundSpec(window_s=1, hop_s=1, sample_rate=16_000, fft=512, mels=32, columns=64, low_hz=100, high_hz=8_000)


def _with_call(hertz: float) -> Samples:
    """Noise, and in its middle a tone."""
    samples = np.random.default_rng(0).normal(0, 0.01, SPEC.samples).astype(np.float32)
    samples[6_000:10_000] += tone(0.25, 16_000, hertz)
    return samples


@settings(max_examples=25)
@given(st.floats(150, 7_500))
def test_a_tone_is_loudest_in_the_band_that_contains_it(hertz: float) -> None:
    bands = mel_spectrogram(tone(1, 16_000, hertz), SPEC).mean(axis=1)

    def mel(frequency: float) -> float:
        return float(2595 * np.log10(1 + frequency / 700))

    place = (mel(hertz) - mel(100)) / (mel(8_000) - mel(100)) * (SPEC.mels + 1) - 1
    assert abs(bands.argmax() - place) <= 1.5


def test_a_high_call_is_drawn_above_a_low_one() -> None:
    rows = [spectrogram_levels(_with_call(hertz), SPEC).sum(axis=1).argmax() for hertz in (500, 2_000, 6_000)]
    assert rows == sorted(rows, reverse=True)


def test_a_constant_tone_is_not_drawn_and_a_call_is() -> None:
    constant = spectrogram_levels(tone(1, 16_000, 2_000), SPEC)
    call = spectrogram_levels(_with_call(2_000), SPEC)
    assert constant.max() < 40
    assert call.max() > 200


@settings(max_examples=15)
@given(st.floats(0.1, 1.9))
def test_the_gain_of_the_recorder_does_not_matter(gain: float) -> None:
    quiet, loud = (
        spectrogram_levels(samples.astype(np.float32), SPEC)
        for samples in (_with_call(2_000), gain * _with_call(2_000))
    )
    assert np.abs(quiet.astype(int) - loud.astype(int)).max() <= 2


def test_silence_is_black() -> None:
    assert not spectrogram_levels(np.zeros(SPEC.samples, np.float32), SPEC).any()


def test_the_frame_of_a_mel_model_has_three_equal_channels() -> None:
    frame = model_frame(_with_call(2_000), SPEC)
    assert frame.shape == (SPEC.frame.height, SPEC.frame.width, 3)
    assert (frame[..., 0] == frame[..., 2]).all()


@pytest.mark.parametrize(("rate", "window_s"), [(48_000, 3.0), (32_000, 5.0)], ids=["BirdNET", "Perch"])
def test_the_frame_of_a_waveform_model_carries_every_sample(rate: int, window_s: float) -> None:
    spec = SoundSpec(input="waveform", sample_rate=rate, window_s=window_s, hop_s=window_s)
    samples = np.random.default_rng(1).uniform(-1, 1, spec.samples).astype(np.float32)
    frame = model_frame(samples, spec)
    assert frame.shape == (spec.frame.height, spec.frame.width, 3)
    carried = frame.reshape(-1)[: 2 * spec.samples].view("<i2") / 32_767
    assert np.abs(carried - samples).max() < 1 / 60_000


def test_the_picture_is_the_same_every_time() -> None:
    levels = spectrogram_levels(_with_call(2_000), SPEC)
    picture = spectrogram_png(levels)
    assert picture == spectrogram_png(levels)
    assert Image.open(io.BytesIO(picture)).size == (384, 256)
