"""Delays double up to the cap, and the jitter shortens them by a half at most."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.backoff import Backoff


class Longest(random.Random):
    """Draws the upper end of every interval."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (2, 4), (3, 8), (4, 10), (10_000, 10)])
def test_delays_double_up_to_the_cap(failures: int, seconds: float) -> None:
    assert Backoff(first_s=2, max_s=10).delay_s(failures, Longest()) == seconds


@given(failures=st.integers(1, 10_000), seed=st.integers(0, 2**32))
def test_jitter_shortens_a_delay_by_a_half_at_most(failures: int, seed: int) -> None:
    backoff = Backoff(first_s=0.2, max_s=5)
    longest = backoff.delay_s(failures, Longest())
    assert longest / 2 <= backoff.delay_s(failures, random.Random(seed)) <= longest
    assert backoff.delay_s(failures) <= longest
