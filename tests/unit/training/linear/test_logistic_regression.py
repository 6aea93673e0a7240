"""The regression of a head: optimal weights, regularisation towards a prior, and unseen classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from uncia.training.linear.logistic_regression import (
    ClassPrior,
    LinearClassifier,
    TrainingRows,
    class_weights,
    fit_logistic_regression,
)

SIZE = 6


def rows_of(truth: np.ndarray, seed: int = 0) -> np.ndarray:
    """Three clouds: class 0, 1, 2 each lie 6 along an axis of their own."""
    rows = np.random.default_rng(seed).normal(0, 1, (len(truth), SIZE))
    rows[np.arange(len(truth)), truth] += 6
    return rows.astype(np.float32)


def examples_of(truth: np.ndarray, classes: int) -> TrainingRows:
    return TrainingRows(np.arange(len(truth)), truth, class_weights(truth, classes)[truth])


def published(scale: float = 2.0) -> LinearClassifier:
    """A classifier of three classes along the axes, as a published one."""
    return LinearClassifier((np.eye(3, SIZE) * scale).astype(np.float32), np.full(3, -4.0, np.float32))


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(scipy_softmax(logits, axis=1))


def keeping(*unseen: int) -> ClassPrior:
    """A prior that knows class 2 from the published classifier."""
    weight = np.zeros((3, SIZE), np.float32)
    weight[2] = published().weight[2]
    return ClassPrior(weight, unseen, lambda rows: softmax(published().logits(rows))[:, list(unseen)])


TWO = np.array([0, 1] * 100)


def test_it_separates_distant_clouds() -> None:
    truth = np.array([0, 1, 2] * 50)
    head = fit_logistic_regression(rows_of(truth), examples_of(truth, 3), 3, penalty=0.01)

    assert (head.logits(rows_of(truth, seed=1)).argmax(axis=1) == truth).mean() > 0.95


@given(st.integers(0, 1000), st.sampled_from([0.0, 1e-3, 1.0]))
def test_mean_probabilities_equal_class_frequencies(seed: int, penalty: float) -> None:
    """Biases are not penalised, so at the optimum the weighted mean probability equals the class frequency."""
    truth = np.random.default_rng(seed).integers(0, 3, 60)
    rows, examples = rows_of(truth, seed), examples_of(truth, 3)
    predicted = softmax(
        fit_logistic_regression(rows, examples, 3, penalty=penalty + 1e-3).logits(rows).astype(np.float64)
    )
    share = examples.weight / examples.weight.sum()

    np.testing.assert_allclose(share @ predicted, share @ np.eye(3)[truth], atol=2e-3)


def test_the_weights_minimise_the_penalised_loss() -> None:
    """Against SciPy's minimiser on the loss written out for standardised features, without gradients."""
    truth = np.array([0, 1, 2] * 20)
    rows = rows_of(truth)
    examples = examples_of(truth, 3)
    scaled = ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float64)
    weight = examples.weight / examples.weight.sum()

    def loss(flat: np.ndarray) -> float:
        table = flat.reshape(3, SIZE + 1)
        scores = log_softmax(scaled @ table[:, :SIZE].T + table[:, SIZE], axis=1)
        return float(-(weight * scores[np.arange(60), truth]).sum() + 0.1 / 2 * (table[:, :SIZE] ** 2).sum())

    table = minimize(loss, np.zeros(3 * (SIZE + 1)), tol=1e-9).x.reshape(3, SIZE + 1)
    expected = scipy_softmax(scaled @ table[:, :SIZE].T + table[:, SIZE], axis=1)
    head = fit_logistic_regression(rows, examples, 3, penalty=0.1)
    np.testing.assert_allclose(softmax(head.logits(rows).astype(np.float64)), expected, atol=1e-4)


def test_row_order_and_chunk_size_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.array([0, 1, 2] * 50)
    rows, examples = rows_of(truth), examples_of(truth, 3)
    whole = fit_logistic_regression(rows, examples, 3, penalty=0.1)
    monkeypatch.setattr("uncia.training.linear.logistic_regression.CHUNK_ROWS", 7)
    turned = TrainingRows(examples.indices[::-1].copy(), examples.truth[::-1].copy(), examples.weight[::-1].copy())
    pieces = fit_logistic_regression(rows, turned, 3, penalty=0.1)

    np.testing.assert_allclose(whole.weight, pieces.weight, atol=1e-3)


def test_a_class_without_examples_and_prior_is_not_predicted() -> None:
    head = fit_logistic_regression(rows_of(TWO), examples_of(TWO, 3), 3, penalty=0.01)

    assert (head.logits(rows_of(np.full(20, 2)))[:, 2] < head.logits(rows_of(np.full(20, 2)))[:, :2].max(axis=1)).all()


@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.01])
def test_a_class_with_a_prior_is_predicted_without_examples(penalty: float) -> None:
    head = fit_logistic_regression(rows_of(TWO), examples_of(TWO, 3), 3, penalty=penalty, prior=keeping(2))

    assert (head.logits(rows_of(np.full(50, 2))).argmax(axis=1) == 2).mean() > 0.75
    assert (head.logits(rows_of(TWO, seed=1)).argmax(axis=1) == TWO).mean() > 0.95


def test_an_unseen_class_keeps_the_share_of_the_published_network() -> None:
    rows = rows_of(TWO)
    predicted = softmax(
        fit_logistic_regression(rows, examples_of(TWO, 3), 3, penalty=0.1, prior=keeping(2))
        .logits(rows)
        .astype(np.float64)
    )

    assert predicted[:, 2].mean() == pytest.approx(softmax(published().logits(rows))[:, 2].mean(), rel=0.05)


def test_a_higher_penalty_keeps_weights_closer_to_the_prior() -> None:
    truth = np.array([0, 1, 1, 0, 2])
    rows = rows_of(truth)
    away = [
        np.abs(
            fit_logistic_regression(rows, examples_of(truth, 3), 3, penalty=penalty, prior=keeping()).weight[2]
            - published().weight[2]
        ).max()
        for penalty in (0.01, 1.0, 100.0)
    ]

    assert away[0] > away[1] > away[2] and away[2] < 0.02


def test_one_example_suffices_more_often_with_a_prior() -> None:
    truth = np.array([0, 1] * 50 + [2])
    rows = rows_of(truth)
    strange = rows_of(np.full(200, 2), seed=3)

    def found(prior: ClassPrior | None) -> float:
        head = fit_logistic_regression(rows, examples_of(truth, 3), 3, penalty=1.0, prior=prior)
        return float((head.logits(strange).argmax(axis=1) == 2).mean())

    assert found(keeping()) > found(None)
