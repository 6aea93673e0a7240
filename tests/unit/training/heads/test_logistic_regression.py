"""The regression under a head: it finds the likeliest weights, draws them to what was known, and unlearns nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    """A classifier of three classes along the axes, as if others had trained it."""
    return LinearClassifier((np.eye(3, SIZE) * scale).astype(np.float32), np.full(3, -4.0, np.float32))


def softmax(logits: np.ndarray) -> np.ndarray:
    told = np.exp(logits - logits.max(axis=1, keepdims=True))
    return told / told.sum(axis=1, keepdims=True)


def keeping(*unseen: int) -> ClassPrior:
    """Class 2 is known from the published classifier."""
    weight = np.zeros((3, SIZE), np.float32)
    weight[2] = published().weight[2]
    return ClassPrior(weight, unseen, lambda rows: softmax(published().logits(rows))[:, list(unseen)])


TWO = np.array([0, 1] * 100)


def test_it_tells_apart_what_lies_apart() -> None:
    truth = np.array([0, 1, 2] * 50)
    head = fit_logistic_regression(rows_of(truth), examples_of(truth, 3), 3, penalty=0.01)

    assert (head.logits(rows_of(truth, seed=1)).argmax(axis=1) == truth).mean() > 0.95


@given(st.integers(0, 1000), st.sampled_from([0.0, 1e-3, 1.0]))
def test_what_it_says_of_a_class_is_on_the_whole_as_much_as_there_is_of_it(seed: int, penalty: float) -> None:
    """The biases are free, so that at the best head the weighted mean of what is said is that of the truth."""
    truth = np.random.default_rng(seed).integers(0, 3, 60)
    rows, examples = rows_of(truth, seed), examples_of(truth, 3)
    said = softmax(fit_logistic_regression(rows, examples, 3, penalty=penalty + 1e-3).logits(rows).astype(np.float64))
    share = examples.weight / examples.weight.sum()

    np.testing.assert_allclose(share @ said, share @ np.eye(3)[truth], atol=2e-3)


def test_order_and_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.array([0, 1, 2] * 50)
    rows, examples = rows_of(truth), examples_of(truth, 3)
    whole = fit_logistic_regression(rows, examples, 3, penalty=0.1)
    monkeypatch.setattr("uncia.training.linear.logistic_regression.CHUNK_ROWS", 7)
    turned = TrainingRows(examples.indices[::-1].copy(), examples.truth[::-1].copy(), examples.weight[::-1].copy())
    pieces = fit_logistic_regression(rows, turned, 3, penalty=0.1)

    np.testing.assert_allclose(whole.weight, pieces.weight, atol=1e-3)


def test_a_class_without_examples_is_unlearnt_where_nothing_was_known() -> None:
    head = fit_logistic_regression(rows_of(TWO), examples_of(TWO, 3), 3, penalty=0.01)

    assert (head.logits(rows_of(np.full(20, 2)))[:, 2] < head.logits(rows_of(np.full(20, 2)))[:, :2].max(axis=1)).all()


@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.01])
def test_a_class_that_was_known_is_found_without_an_example(penalty: float) -> None:
    head = fit_logistic_regression(rows_of(TWO), examples_of(TWO, 3), 3, penalty=penalty, prior=keeping(2))

    assert (head.logits(rows_of(np.full(50, 2))).argmax(axis=1) == 2).mean() > 0.75
    assert (head.logits(rows_of(TWO, seed=1)).argmax(axis=1) == TWO).mean() > 0.95


def test_a_known_class_is_seen_in_the_examples_as_much_as_the_published_network_sees_it() -> None:
    rows = rows_of(TWO)
    said = softmax(
        fit_logistic_regression(rows, examples_of(TWO, 3), 3, penalty=0.1, prior=keeping(2))
        .logits(rows)
        .astype(np.float64)
    )

    assert said[:, 2].mean() == pytest.approx(softmax(published().logits(rows))[:, 2].mean(), rel=0.05)


def test_the_greater_the_penalty_the_nearer_stay_known_weights_to_the_published_ones() -> None:
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


def test_one_example_of_a_known_class_goes_further_than_one_of_an_unknown_class() -> None:
    truth = np.array([0, 1] * 50 + [2])
    rows = rows_of(truth)
    strange = rows_of(np.full(200, 2), seed=3)

    def found(prior: ClassPrior | None) -> float:
        head = fit_logistic_regression(rows, examples_of(truth, 3), 3, penalty=1.0, prior=prior)
        return float((head.logits(strange).argmax(axis=1) == 2).mean())

    assert found(keeping()) > found(None)
