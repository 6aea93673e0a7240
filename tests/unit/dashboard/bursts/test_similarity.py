"""The order of look-alikes: a permutation, the same whatever the order of the input, similar ones adjacent."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uncia.dashboard.bursts.similarity import NEAR_DUPLICATE, order_by_similarity

Vectors = NDArray[np.float64]


def unit(values: Vectors) -> Vectors:
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def clusters(sizes: list[int], seed: int, spread: float = 0.005) -> tuple[Vectors, list[int]]:
    """Vectors around orthogonal directions, and the number of each vector's direction."""
    rng = np.random.default_rng(seed)
    member = [number for number, size in enumerate(sizes) for _ in range(size)]
    noise = rng.normal(0, spread, (len(member), 32))
    return unit(np.eye(32)[member] + noise), member


def keys(count: int) -> list[str]:
    return [f"bst-{number:04d}" for number in range(count)]


@given(count=st.integers(0, 60), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_order_is_a_permutation_that_does_not_depend_on_the_order_of_the_input(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Rounded, so that there are equal vectors and equal distances.
    vectors = unit(np.rint(rng.normal(0, 1, (count, 4))) + np.array([0.5, 0, 0, 0])) if count else np.zeros((0, 4))
    found = order_by_similarity(vectors, keys(count))
    assert sorted(found.order) == list(range(count))
    shuffled = list(range(count))
    random.Random(seed).shuffle(shuffled)
    again = order_by_similarity(vectors[shuffled], [keys(count)[at] for at in shuffled])
    assert [shuffled[at] for at in again.order] == list(found.order)
    assert {shuffled[at] for at in again.odd} == found.odd
    assert set(found.order[: len(found.odd)]) == found.odd


@given(sizes=st.lists(st.integers(1, 25), min_size=1, max_size=8), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_near_duplicates_are_adjacent_and_never_torn_apart(sizes: list[int], seed: int) -> None:
    vectors, member = clusters(sizes, seed)
    found = order_by_similarity(vectors, keys(len(member)))
    groups = [member[at] for at in found.order]
    assert len([at for at, group in enumerate(groups) if at == 0 or group != groups[at - 1]]) == len(sizes)
    for number in range(len(sizes)):
        own = {at for at, group in enumerate(member) if group == number}
        assert own <= found.odd or not own & found.odd


@given(seed=st.integers(0, 1000), odd=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_a_few_that_are_unlike_two_hundred_others_are_odd_and_first(seed: int, odd: int) -> None:
    # All of the odd ones are alike: they are odd together.
    vectors, member = clusters([200, odd], seed, spread=0.04)
    found = order_by_similarity(vectors, keys(len(member)))
    assert set(range(200, 200 + odd)) <= found.odd
    assert set(found.order[:odd]) == set(range(200, 200 + odd))
    assert len(found.odd) < 20


def test_of_two_large_groups_none_is_odd() -> None:
    vectors, member = clusters([120, 80], 1, spread=0.01)
    assert not order_by_similarity(vectors, keys(len(member))).odd


def test_near_duplicates_are_not_odd_for_being_a_little_farther_apart_than_the_rest() -> None:
    vectors = np.repeat(unit(np.ones((1, 8))), 50, axis=0)
    vectors[7, 0] += NEAR_DUPLICATE / 10
    assert not order_by_similarity(unit(vectors), keys(50)).odd


def test_vectors_and_keys_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="2 vectors have 1 keys"):
        order_by_similarity(np.eye(2), ["one"])
