"""Variations of a window keep what makes a call, and change what does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from uncia.training.sound.augmentation import Variation, add_noise, mix, noise_power, shift_pitch, shift_time, vary
from uncia.training.sound.examples import Power

SHAPE = (16, 24)
powers = arrays(np.float32, SHAPE, elements=st.floats(2**-30, 100, width=32))
seeds = st.integers(0, 2**32 - 1)


@given(powers, st.integers(-100, 100))
def test_a_shift_in_time_keeps_the_power_of_every_band(power: Power, columns: int) -> None:
    shifted = shift_time(power, columns)
    assert np.array_equal(np.sort(shifted, axis=1), np.sort(power, axis=1))


@given(powers, st.integers(-100, 100))
def test_a_shift_in_time_is_undone_by_its_opposite(power: Power, columns: int) -> None:
    assert np.array_equal(shift_time(shift_time(power, columns), -columns), power)


@given(st.integers(0, SHAPE[0] - 1), st.integers(-SHAPE[0], SHAPE[0]))
def test_a_shift_in_pitch_moves_a_call_by_as_many_bands(band: int, bands: int) -> None:
    power = np.full(SHAPE, 1e-9, np.float32)
    power[band] = 1.0
    heard = set(np.flatnonzero(shift_pitch(power, bands)[:, 0] == 1).tolist())
    moved = band + bands
    assert {moved} & set(range(SHAPE[0])) <= heard


@given(powers, st.integers(-SHAPE[0], SHAPE[0]))
def test_a_shift_in_pitch_invents_no_power(power: Power, bands: int) -> None:
    assert set(shift_pitch(power, bands).ravel().tolist()) <= set(power.ravel().tolist())


@given(powers)
def test_no_shift_is_the_same_window(power: Power) -> None:
    assert np.array_equal(shift_pitch(shift_time(power, 0), 0), power)


@given(powers, powers, st.floats(0, 2))
def test_a_mixture_is_at_least_as_loud_as_its_parts_in_every_cell(first: Power, second: Power, gain: float) -> None:
    mixed = mix(first, second, gain)
    assert (mixed >= first).all() and (mixed >= np.float32(gain) * second).all()


@given(powers, powers)
def test_the_order_of_equal_parts_has_no_effect(first: Power, second: Power) -> None:
    assert np.array_equal(mix(first, second, 1.0), mix(second, first, 1.0))


@given(seeds)
def test_noise_has_a_mean_power_of_one(seed: int) -> None:
    noise = noise_power((64, 128), np.random.default_rng(seed))
    assert (noise >= 0).all() and noise.mean() == pytest.approx(1, rel=0.25)


@given(powers, st.floats(-20, 20), seeds)
def test_noise_never_makes_a_cell_quieter(power: Power, level_db: float, seed: int) -> None:
    assert (add_noise(power, level_db, np.random.default_rng(seed)) >= power).all()


@given(powers, powers, seeds)
def test_the_same_seed_gives_the_same_variation(power: Power, other: Power, seed: int) -> None:
    first, second = (vary(power, other, Variation(), np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, second)


@given(powers, st.none() | powers, seeds)
def test_a_variation_has_the_shape_and_finite_positive_power(power: Power, other: Power | None, seed: int) -> None:
    varied = vary(power, other, Variation(), np.random.default_rng(seed))
    assert varied.shape == SHAPE and varied.dtype == np.float32
    assert np.isfinite(varied).all() and (varied > 0).all()


@given(powers, powers, seeds)
def test_the_window_itself_is_unchanged(power: Power, other: Power, seed: int) -> None:
    before = power.copy(), other.copy()
    vary(power, other, Variation(), np.random.default_rng(seed))
    assert np.array_equal(power, before[0]) and np.array_equal(other, before[1])
