"""Thresholds: they meet their target on the bursts that they were chosen on, and find as many as that allows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.training.evaluation.thresholds import MIN_OTHER_BURSTS, choose_threshold, threshold_above_others

SCORES = np.array([0.001, 0.02, 0.3, 0.004, 0.5, 0.9])
PRESENT = np.array([False, False, False, True, True, True])

bursts = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=20)


def test_no_false_alarm_lies_between_the_last_hit_and_the_best_of_the_others() -> None:
    chosen = choose_threshold(SCORES, PRESENT, at_most_false_alarms=0)
    assert chosen == pytest.approx(0.396, abs=1e-3)  # halfway in log-odds between 0.3 and 0.5


def test_more_false_alarms_find_more() -> None:
    chosen = choose_threshold(SCORES, PRESENT, at_most_false_alarms=2)
    assert chosen is not None
    assert 0.001 < chosen <= 0.004


def test_a_false_alarm_that_buys_nothing_is_not_taken() -> None:
    chosen = choose_threshold(np.array([0.9, 0.5, 0.1]), np.array([True, False, False]), at_most_false_alarms=1)
    assert chosen is not None
    assert chosen > 0.5


def test_precision_gives_way_to_what_is_found() -> None:
    chosen = choose_threshold(SCORES, PRESENT, least_precision=0.6)
    assert chosen is not None
    assert 0.001 < chosen <= 0.004  # three of five


def test_none_where_no_threshold_keeps_the_promise() -> None:
    assert choose_threshold(np.array([0.9, 0.5]), np.array([False, True]), at_most_false_alarms=0) is None


@pytest.mark.parametrize("there", [True, False])
def test_none_where_one_side_is_missing(there: bool) -> None:
    assert choose_threshold(np.array([0.9, 0.5]), np.full(2, there), at_most_false_alarms=0) is None


def test_none_where_what_is_there_scores_nothing() -> None:
    assert choose_threshold(np.array([0.0, 0.0]), np.array([False, True]), at_most_false_alarms=1) is None


def test_equal_scores_are_never_separated() -> None:
    assert choose_threshold(np.array([0.5, 0.5]), np.array([False, True]), at_most_false_alarms=0) is None


@pytest.mark.parametrize("targets", [{}, {"least_precision": 0.9, "at_most_false_alarms": 0}])
def test_exactly_one_target_is_required(targets: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        choose_threshold(SCORES, PRESENT, **targets)


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_threshold(np.array([1.5, 0.2]), np.array([True, False]), at_most_false_alarms=0)


@given(bursts, st.integers(0, 4))
def test_the_count_of_false_alarms_is_kept_and_no_other_cut_finds_more(
    items: list[tuple[float, bool]], allowed: int
) -> None:
    scores, present = np.array([score for score, _ in items]), np.array([there for _, there in items])
    chosen = choose_threshold(scores, present, at_most_false_alarms=allowed)
    if present.all() or not present.any():
        return
    found = 0 if chosen is None else int((present & (scores >= chosen)).sum())
    if chosen is not None:
        assert 0 < chosen <= 1
        assert ((~present) & (scores >= chosen)).sum() <= allowed
    for other in scores[scores > 0]:
        if ((~present) & (scores >= other)).sum() <= allowed:
            assert (present & (scores >= other)).sum() <= found


@given(bursts, st.sampled_from([0.5, 0.8, 1.0]))
def test_the_precision_is_kept(items: list[tuple[float, bool]], least: float) -> None:
    scores, present = np.array([score for score, _ in items]), np.array([there for _, there in items])
    chosen = choose_threshold(scores, present, least_precision=least)
    if chosen is not None:
        called = scores >= chosen
        assert (present & called).sum() >= least * called.sum()
        assert (present & called).any()


@given(st.lists(st.floats(0, 1, width=32), min_size=MIN_OTHER_BURSTS, max_size=30))
def test_a_class_that_no_burst_shows_is_called_in_none_of_them(scores: list[float]) -> None:
    threshold = threshold_above_others(np.array(scores))

    assert threshold is not None or max(scores) == 1
    assert threshold is None or max(scores) < threshold < 1


@pytest.mark.parametrize("scores", [[0.12345] * 12, [0.9994] * 11 + [0.99939], [0.9999] * 11 + [0.9]])
def test_rounding_brings_it_neither_down_to_them_nor_up_to_what_no_score_reaches(scores: list[float]) -> None:
    assert max(scores) < (threshold_above_others(np.array(scores)) or 1) < 1


def test_the_wider_the_others_scatter_the_further_off_it_lies() -> None:
    alike, scattered = np.full(20, 0.1), np.append(np.full(19, 0.001), 0.1)

    assert threshold_above_others(alike) == pytest.approx(0.1)
    assert (threshold_above_others(scattered) or 0) > 0.2


def test_others_that_score_next_to_nothing_do_not_make_a_threshold_of_next_to_nothing() -> None:
    assert threshold_above_others(np.full(20, 1e-7)) == pytest.approx(0.01)


def test_of_a_few_others_nothing_is_concluded() -> None:
    assert threshold_above_others(np.full(MIN_OTHER_BURSTS - 1, 0.1)) is None
