"""Windows cover a recording: every sample is heard, and the sizes of the blocks do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.sound.recordings import tone
from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec
from uncia.sound.windows import SoundWindow, cut_windows, resampled

RATE = 1_000


def _spec(window_s: float = 0.2, hop_s: float = 0.1, sample_rate: int = RATE) -> SoundSpec:
    return SoundSpec(
        sample_rate=sample_rate, window_s=window_s, hop_s=hop_s, fft=64, mels=8, columns=16, low_hz=10, high_hz=400
    )


def _cut(samples: Samples, spec: SoundSpec, block: int, rate: int = RATE) -> list[SoundWindow]:
    return list(cut_windows((samples[at : at + block] for at in range(0, len(samples), block)), rate, spec))


_LENGTHS = st.integers(1, 1_500)
_BLOCKS = st.integers(1, 700)
_HOPS = st.sampled_from([0.033, 0.05, 0.1, 0.15, 0.2])


@given(_LENGTHS, _BLOCKS, _HOPS)
def test_the_windows_put_together_are_the_recording(length: int, block: int, hop_s: float) -> None:
    samples = np.arange(1, length + 1, dtype=np.float32)
    windows = _cut(samples, _spec(hop_s=hop_s), block)
    again = np.zeros(length, np.float32)
    for window in windows:
        start = round(window.start_s * RATE)
        there = min(len(window.samples), length - start)
        again[start : start + there] = window.samples[:there]
        assert not window.samples[there:].any()
    np.testing.assert_array_equal(again, samples)


@given(_LENGTHS, _BLOCKS, _HOPS)
def test_only_the_last_window_reaches_the_end(length: int, block: int, hop_s: float) -> None:
    windows = _cut(np.ones(length, np.float32), _spec(hop_s=hop_s), block)
    assert windows[-1].end_s == pytest.approx(length / RATE)
    assert all(window.start_s + 0.2 < length / RATE for window in windows[:-1])


@given(_LENGTHS, _BLOCKS)
def test_with_a_hop_of_one_window_every_sample_is_heard_once(length: int, block: int) -> None:
    windows = _cut(np.ones(length, np.float32), _spec(hop_s=0.2), block)
    assert sum(window.samples.sum() for window in windows) == length


@given(_LENGTHS, _BLOCKS, _BLOCKS, _HOPS)
def test_the_size_of_the_blocks_does_not_matter(length: int, one: int, other: int, hop_s: float) -> None:
    samples, spec = np.arange(length, dtype=np.float32), _spec(hop_s=hop_s)
    first, second = _cut(samples, spec, one), _cut(samples, spec, other)
    assert [(window.start_s, window.end_s) for window in first] == [(w.start_s, w.end_s) for w in second]
    assert all((a.samples == b.samples).all() for a, b in zip(first, second, strict=True))


def test_nothing_is_cut_from_nothing() -> None:
    assert list(cut_windows([], RATE, _spec())) == []


@given(st.sampled_from([8_000, 11_025, 22_050, 44_100, 44_101, 48_000, 96_000, 256_000]))
def test_a_window_of_another_rate_is_resampled_to_the_length_of_the_model(rate: int) -> None:
    spec = SoundSpec(window_s=1, hop_s=1, sample_rate=16_000, high_hz=8_000)
    (window,) = cut_windows([tone(1, rate, 1_000)], rate, spec)
    heard = resampled(window, rate, spec)
    assert len(heard) == 16_000
    spectrum = np.abs(np.fft.rfft(heard))
    assert spectrum.argmax() == pytest.approx(1_000, abs=2)


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="heard by none"):
        _spec(window_s=0.1, hop_s=0.2)


def test_a_band_above_half_the_sample_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="half of sample_rate"):
        SoundSpec(sample_rate=8_000, high_hz=5_000)
