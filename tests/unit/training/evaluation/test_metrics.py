"""Metrics: cases computed by hand, and properties of any predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve

from uncia.training.evaluation.metrics import (
    calibration_error,
    confusion_counts,
    log_loss,
    mean_reciprocal_rank,
    ranks,
    top_k,
)
from uncia.training.evaluation.reliability import expected_calibration_error, reliability_bins

ANSWERS = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.4, 0.35, 0.25]])
TRUTH = np.array([0, 1, 0, 2])
"""Ranks 1, 2, 3, 3."""


@st.composite
def predictions_and_truth(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    items, classes = draw(st.integers(1, 30)), draw(st.integers(1, 8))
    raw = draw(hnp.arrays(np.float64, (items, classes), elements=st.floats(0.001, 1)))
    truth = draw(hnp.arrays(np.int64, items, elements=st.integers(0, classes - 1)))
    return raw / raw.sum(axis=1, keepdims=True), truth


def test_ranks_count_from_one() -> None:
    assert ranks(ANSWERS, TRUTH).tolist() == [1, 2, 3, 3]


def test_of_equals_the_true_class_is_last() -> None:
    assert ranks(np.full((1, 4), 0.25), np.array([0])).tolist() == [4]


def test_what_is_not_a_number_is_no_hit() -> None:
    assert ranks(np.full((1, 4), np.nan), np.array([0])).tolist() == [4]


def test_top_k_is_the_share_within_k() -> None:
    assert [top_k(ANSWERS, TRUTH, k) for k in (1, 2, 3)] == [0.25, 0.5, 1.0]


def test_mean_reciprocal_rank() -> None:
    assert mean_reciprocal_rank(ANSWERS, TRUTH) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 3) / 4)


def test_log_loss() -> None:
    assert log_loss(ANSWERS, TRUTH) == pytest.approx(-np.log([0.7, 0.3, 0.1, 0.25]).mean())


def test_a_sure_and_wrong_answer_costs_a_bounded_loss() -> None:
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(16.118, abs=1e-3)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    # Confidence 0.9 twice, correct once: off by 0.4. Confidence 0.6 once, correct: off by 0.4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    assert calibration_error(probabilities, np.array([0, 1, 0]), bins=10) == pytest.approx(0.4)


def test_a_border_belongs_to_the_bin_below() -> None:
    bins = reliability_bins(np.array([0.0, 0.5, 0.51, 1.0]), np.array([False, True, True, True]), bins=2)
    assert [one.count for one in bins] == [2, 2]


def test_bins_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    confidence = random.random(500).round(2)
    correct = random.random(500) < confidence
    accuracy, mean_confidence = calibration_curve(correct, confidence, n_bins=10)
    filled = [one for one in reliability_bins(confidence, correct, 10) if one.count]
    np.testing.assert_allclose([one.accuracy for one in filled], accuracy)
    np.testing.assert_allclose([one.confidence for one in filled], mean_confidence)


def test_no_answers_have_no_calibration_error() -> None:
    assert expected_calibration_error(reliability_bins(np.zeros(0), np.zeros(0, dtype=bool))) == 0


def test_confusion_counts_truth_in_rows() -> None:
    found = confusion_counts(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), 3)
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_confusion_refuses_a_class_that_is_none() -> None:
    with pytest.raises(ValueError, match="predicted has a class"):
        confusion_counts(np.array([3]), np.array([0]), 3)


@pytest.mark.parametrize("truth", [np.array([0]), np.array([0, 1, 2, 3])])
def test_a_truth_that_does_not_fit_is_refused(truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="truth"):
        top_k(ANSWERS, truth, 1)


def test_no_items_are_refused() -> None:
    with pytest.raises(ValueError, match="no items"):
        log_loss(np.zeros((0, 3)), np.zeros(0, dtype=int))


@given(predictions_and_truth())
def test_top_k_rises_with_k_up_to_all(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, truth = case
    shares = [top_k(answers, truth, k) for k in range(1, answers.shape[1] + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


@given(predictions_and_truth())
def test_mean_reciprocal_rank_lies_between_top_one_and_one(case: tuple[np.ndarray, np.ndarray]) -> None:
    assert top_k(*case, 1) <= mean_reciprocal_rank(*case) <= 1


@given(predictions_and_truth())
def test_the_order_of_the_classes_does_not_matter(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, truth = case
    order = np.random.default_rng(len(truth)).permutation(answers.shape[1])
    place = np.argsort(order)
    assert ranks(answers[:, order], place[truth]).tolist() == ranks(answers, truth).tolist()
    assert log_loss(answers[:, order], place[truth]) == pytest.approx(log_loss(answers, truth))


@given(predictions_and_truth())
def test_calibration_error_is_a_share(case: tuple[np.ndarray, np.ndarray]) -> None:
    assert 0 <= calibration_error(*case) <= 1


@given(predictions_and_truth())
def test_the_diagonal_of_the_confusion_is_the_share_of_hits(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, truth = case
    predicted = answers.argmax(axis=1)
    table = confusion_counts(predicted, truth, answers.shape[1])
    assert table.sum() == len(truth)
    assert np.trace(table) == (predicted == truth).sum()
