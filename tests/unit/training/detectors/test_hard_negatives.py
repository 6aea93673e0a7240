"""Which blanks are trained on."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uncia.training.detectors.hard_negatives import mine_hard_negatives


def test_the_blanks_that_score_highest_are_chosen_and_count_more() -> None:
    hard = mine_hard_negatives(np.array([0.1, 0.8, 0.0, 0.4]), 2)
    assert hard.indices.tolist() == [1, 3]
    assert np.allclose(hard.weights, [1.7, 1.1])


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(0, 40))
def test_no_blank_that_is_left_out_scores_higher_than_a_chosen_one(scores: list[float], count: int) -> None:
    hard = mine_hard_negatives(np.array(scores), count)
    chosen = set(hard.indices.tolist())
    assert len(chosen) == min(count, len(scores))
    left = [score for index, score in enumerate(scores) if index not in chosen]
    assert all(scores[index] >= max(left, default=0) for index in chosen)
    assert ((hard.weights >= 0.5) & (hard.weights <= 2)).all()
