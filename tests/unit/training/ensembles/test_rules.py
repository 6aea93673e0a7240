"""Rules over members: cases computed by hand, and properties of any scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uncia.training.ensembles.rules import RULES, combine, normalize_rows

TWO = np.array([[[0.9, 0.1]], [[0.5, 0.6]]])


def test_mean() -> None:
    assert combine("mean", TWO).tolist() == [pytest.approx([0.7, 0.35])]


def test_max() -> None:
    assert combine("max", TWO).tolist() == [[0.9, 0.6]]


def test_log_odds_let_the_confident_one_outweigh() -> None:
    # Odds 9 and 1: their geometric mean is 3, a probability of 0.75.
    assert combine("log-odds", TWO)[0, 0] == pytest.approx(0.75)


def test_vote_is_the_share_of_members() -> None:
    assert combine("vote", TWO).tolist() == [[0.5, 0.5]]


def test_stacked_weighs_the_members() -> None:
    weighed = combine("stacked", TWO, np.array([0.5, 0.0]), 0.0)
    assert weighed[0, 0] == pytest.approx(0.75)  # odds 9, to the power of a half


def test_stacked_needs_a_weight_for_each_member() -> None:
    with pytest.raises(ValueError, match="weight for each"):
        combine("stacked", TWO, np.array([1.0]))


def test_without_members_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="at least one"):
        combine("mean", np.zeros((0, 1, 2)))


def test_shares_of_a_row_of_nothing_are_equal() -> None:
    assert normalize_rows(np.zeros((1, 4))).tolist() == [[0.25] * 4]


@settings(max_examples=40)
@given(hnp.arrays(np.float64, (3, 4, 5), elements=st.floats(0, 1)), st.permutations(range(3)))
def test_no_rule_asks_in_which_order_members_come(members: np.ndarray, order: list[int]) -> None:
    for rule in RULES[:-1]:
        np.testing.assert_allclose(combine(rule, members[order]), combine(rule, members), atol=1e-12)


@settings(max_examples=40)
@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0.001, 0.999)))
def test_members_that_agree_are_believed(members: np.ndarray) -> None:
    same = np.stack([members[0], members[0]])
    for rule in ("mean", "log-odds", "max"):
        np.testing.assert_allclose(combine(rule, same), members[0], atol=1e-9)
