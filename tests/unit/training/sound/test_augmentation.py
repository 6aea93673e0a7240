"""Augmentations keep what makes a call that of its class, and the length of the window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.uncia.sound.recordings import tone
from uncia.training.sound.augmentation import add_noise, augmented, mix, shift_pitch, shift_time

RATE = 8_000
TONE = tone(1, RATE, 1_000)


def _peak_hz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


@settings(max_examples=20)
@given(st.integers(0, 1_000), st.integers(100, 3_000))
def test_every_augmentation_keeps_length_and_type(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    window = rng.normal(size=length).astype(np.float32)
    changed = augmented(window, [window[::-1].copy()], rng)
    assert (changed.shape, changed.dtype) == (window.shape, np.float32)
    assert np.isfinite(changed).all()


def test_a_shift_in_time_keeps_every_sample() -> None:
    window = np.arange(100, dtype=np.float32)
    assert sorted(shift_time(window, np.random.default_rng(3))) == sorted(window)


@pytest.mark.parametrize("semitones", [-2.0, 0.0, 1.0])
def test_a_shift_in_pitch_moves_a_tone_by_that_many_semitones(semitones: float) -> None:
    assert _peak_hz(shift_pitch(TONE, semitones)) == pytest.approx(1_000 * 2 ** (semitones / 12), rel=0.01)


def test_both_recordings_are_in_a_mix() -> None:
    spectrum = np.abs(np.fft.rfft(mix(TONE, tone(1, RATE, 2_500), 0.4)))
    assert spectrum[2_500] / spectrum[1_000] == pytest.approx(0.4 / 0.6, rel=0.01)


def test_noise_is_as_far_below_the_window_as_asked() -> None:
    noise = add_noise(TONE, np.random.default_rng(0), 12.0) - TONE
    assert 20 * np.log10(TONE.std() / noise.std()) == pytest.approx(12.0, abs=0.3)


def test_a_silent_window_stays_silent() -> None:
    assert not add_noise(np.zeros(100, np.float32), np.random.default_rng(0), 10.0).any()
