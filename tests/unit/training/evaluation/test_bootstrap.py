"""Bootstrap intervals: whole bursts are drawn, and the same seed gives the same interval."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.training.evaluation.bootstrap import bootstrap_difference, bootstrap_interval


def test_equal_values_leave_no_doubt() -> None:
    found = bootstrap_interval(np.ones(6), ["a", "a", "b", "b", "c", "c"], seed=1)
    assert (found.low, found.value, found.high) == (1, 1, 1)


def test_bursts_are_drawn_whole() -> None:
    # Two bursts, one all right and one all wrong: whatever is drawn, the share is 0, a half or 1.
    values, groups = np.repeat([1.0, 0.0], 50), np.repeat(["right", "wrong"], 50)
    found = bootstrap_interval(values, groups, seed=3)
    assert (found.low, found.value, found.high) == (0, 0.5, 1)


def test_one_burst_of_many_frames_is_no_more_than_one_fact() -> None:
    values = np.random.default_rng(0).random(200) < 0.7
    as_one_fact_each = bootstrap_interval(values, [f"{n}" for n in range(200)], seed=5)
    in_ten_bursts = bootstrap_interval(np.sort(values), np.repeat([f"{n}" for n in range(10)], 20), seed=5)
    assert in_ten_bursts.high - in_ten_bursts.low > 2 * (as_one_fact_each.high - as_one_fact_each.low)


def test_the_interval_of_independent_items_is_that_of_the_binomial() -> None:
    values = np.repeat([1.0, 0.0], [300, 100])
    found = bootstrap_interval(values, [f"{n}" for n in range(400)], seed=7, resamples=4000)
    error = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert found.low == pytest.approx(0.75 - error, abs=0.006)
    assert found.high == pytest.approx(0.75 + error, abs=0.006)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, groups = np.random.default_rng(2).random(40), [f"{n // 4}" for n in range(40)]
    assert bootstrap_interval(values, groups, seed=11) == bootstrap_interval(values, groups, seed=11)
    assert bootstrap_interval(values, groups, seed=11) != bootstrap_interval(values, groups, seed=12)


def test_any_statistic_is_drawn_over_the_same_bursts() -> None:
    values, groups = np.random.default_rng(2).random(40), [f"{n // 4}" for n in range(40)]
    result = bootstrap_interval(values, groups, statistic=lambda rows: float(rows.mean()), seed=11)
    plain = bootstrap_interval(values, groups, seed=11)
    assert (result.low, result.value, result.high) == pytest.approx((plain.low, plain.value, plain.high))


def test_a_statistic_may_need_several_columns() -> None:
    rows = np.column_stack([np.arange(6.0), np.ones(6)])
    found = bootstrap_interval(
        rows, list("aabbcc"), statistic=lambda drawn: float(drawn[:, 1].sum()), seed=1, resamples=5
    )
    assert found.value == 6


def test_a_paired_difference_forgets_how_hard_each_burst_was() -> None:
    hard = np.random.default_rng(1).random(60)
    groups = [f"{n // 3}" for n in range(60)]
    found = bootstrap_difference(hard + 0.1, hard, groups, seed=1)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("arguments", [{"level": 1.0}, {"resamples": 0}])
def test_nonsense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval(np.ones(2), ["a", "b"], seed=1, **arguments)


def test_as_many_groups_as_items_are_needed() -> None:
    with pytest.raises(ValueError, match="groups"):
        bootstrap_interval(np.ones(2), ["a"], seed=1)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcd")), min_size=1, max_size=20))
def test_the_interval_lies_within_what_was_seen(items: list[tuple[float, str]]) -> None:
    values, groups = np.array([value for value, _ in items]), [group for _, group in items]
    found = bootstrap_interval(values, groups, seed=1, resamples=50)
    assert values.min() - 1e-9 <= found.low <= found.high <= values.max() + 1e-9
