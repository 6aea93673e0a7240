import numpy as np
import pytest
from numpy.typing import NDArray

from uncia.processors.identify.matching.lnbnn import lnbnn_scores


def axes(*numbers: int) -> NDArray[np.float32]:
    return np.eye(128, dtype=np.float32)[list(numbers)]


def each(*numbers: int) -> list[NDArray[np.float32]]:
    """References of one descriptor each."""
    return [axes(number) for number in numbers]


def test_a_mark_of_one_individual_votes_for_it_with_the_distance_to_the_normaliser() -> None:
    scores = lnbnn_scores(axes(0), np.ones(1, np.float32), each(0, 1), [0, 1]).of_references
    assert scores == pytest.approx([np.sqrt(2), 0])


def test_a_mark_that_all_share_counts_nothing() -> None:
    shared = each(0, 0, 0, 0, 0, 0)
    scores = lnbnn_scores(axes(0), np.ones(1, np.float32), shared, list(range(6))).of_references
    assert scores == pytest.approx([0] * 6)


def test_the_normaliser_is_never_another_reference_of_the_same_individual() -> None:
    scores = lnbnn_scores(axes(0), np.ones(1, np.float32), each(0, 0, 1), [0, 0, 1]).of_references
    assert scores == pytest.approx([np.sqrt(2), np.sqrt(2), 0])


def test_weights_scale_the_votes() -> None:
    scores = lnbnn_scores(axes(0, 1), np.array([1, 0], np.float32), each(0, 1), [0, 1]).of_references
    assert scores == pytest.approx([np.sqrt(2), 0])


def test_a_single_individual_scores_nothing() -> None:
    found = lnbnn_scores(axes(0), np.ones(1, np.float32), each(0), [0])
    assert found.of_references == pytest.approx([0])
    assert np.isinf(found.normalisers).all()


def test_the_normalisers_are_the_distances_to_the_second_best_individual() -> None:
    half = np.sqrt(0.5).astype(np.float32)
    between = (half * (axes(0) + axes(1))).astype(np.float32)
    references = [axes(0), between, axes(2)]
    found = lnbnn_scores(axes(0), np.ones(1, np.float32), references, [0, 1, 2])
    assert found.normalisers == pytest.approx([np.sqrt(2 - 2 * half)])


def test_many_references_are_scored_as_few() -> None:
    few = lnbnn_scores(axes(0), np.ones(1, np.float32), each(0, 1), [0, 1])
    many = lnbnn_scores(axes(0), np.ones(1, np.float32), each(0, 1, *[2] * 600), [0, 1, *[2] * 600])
    assert many.of_references[:2] == pytest.approx(few.of_references)
    assert len(many.of_references) == 602
