import numpy as np
import pytest
from numpy.typing import NDArray

from uncia.processors.identify.matching.lnbnn import lnbnn_scores


def axes(*numbers: int) -> NDArray[np.float32]:
    return np.eye(128, dtype=np.float32)[list(numbers)]


def test_a_mark_of_one_individual_votes_for_it_with_the_distance_to_the_normaliser() -> None:
    scores = lnbnn_scores(axes(0), np.ones(1, np.float32), axes(0, 1), [0, 1], [0, 1])
    assert scores == pytest.approx([np.sqrt(2), 0])


def test_a_mark_that_all_share_counts_nothing() -> None:
    shared = axes(0, 0, 0, 0, 0, 0)
    assert lnbnn_scores(axes(0), np.ones(1, np.float32), shared, list(range(6)), list(range(6))) == pytest.approx(
        [0] * 6
    )


def test_the_normaliser_is_never_another_reference_of_the_same_individual() -> None:
    scores = lnbnn_scores(axes(0), np.ones(1, np.float32), axes(0, 0, 1), [0, 1, 2], [0, 0, 1])
    assert scores == pytest.approx([np.sqrt(2), np.sqrt(2), 0])


def test_weights_scale_the_votes() -> None:
    scores = lnbnn_scores(axes(0, 1), np.array([1, 0], np.float32), axes(0, 1), [0, 1], [0, 1])
    assert scores == pytest.approx([np.sqrt(2), 0])


def test_a_single_individual_scores_nothing() -> None:
    assert lnbnn_scores(axes(0), np.ones(1, np.float32), axes(0), [0], [0]) == pytest.approx([0])
