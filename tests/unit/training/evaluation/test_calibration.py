"""Calibration: temperature and logistic curves recover the parameters behind synthetic data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from uncia.training.evaluation.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_calibration,
    fit_logistic_curve,
    fit_temperature,
    softmax,
)
from uncia.training.evaluation.metrics import calibration_error


def _drawn(temperature: float, items: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are overconfident by `temperature`, and truths drawn from the correct probabilities."""
    chance = np.random.default_rng(4)
    logits = chance.normal(size=(items, 5)) * 2
    sums = softmax(logits).cumsum(axis=1)
    return logits * temperature, (chance.random((items, 1)) > sums).sum(axis=1).clip(max=4)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_data_is_found(true: float) -> None:
    logits, truth = _drawn(true)
    assert fit_temperature(logits, truth) == pytest.approx(true, rel=0.08)


def test_a_temperature_improves_the_calibration() -> None:
    logits, truth = _drawn(3.0)
    mended = softmax(logits, fit_temperature(logits, truth))
    assert calibration_error(mended, truth) < 0.03 < 0.1 < calibration_error(softmax(logits), truth)


def test_without_items_the_temperature_is_one() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=int)) == 1


def test_data_without_an_error_stay_unsure_by_their_number() -> None:
    for count in (3, 300):
        logits, truth = np.tile(np.eye(3), (count // 3, 1)), np.tile(np.arange(3), count // 3)
        predicted = softmax(logits, fit_temperature(logits, truth))
        # (n + 1) / (n + 2), the rule of succession.
        assert predicted[0, 0] == pytest.approx((count + 1) / (count + 2), abs=1e-3)


def test_data_without_a_hit_give_the_highest_temperature() -> None:
    assert fit_temperature(np.eye(3), np.array([1, 2, 0])) == pytest.approx(HIGHEST_TEMPERATURE)


@settings(max_examples=30)
@given(hnp.arrays(np.float64, (12, 3), elements=st.floats(-20, 20)), st.integers(0, 10))
def test_no_other_temperature_has_less_loss_against_targets_that_leave_room_for_error(
    logits: np.ndarray, seed: int
) -> None:
    truth = np.random.default_rng(seed).integers(3, size=12)
    targets = np.where(np.eye(3, dtype=bool)[truth], 13 / 14, 1 / 28)

    def loss(temperature: float) -> float:
        return float(-(targets * np.log(softmax(logits, temperature) + 1e-300)).sum(axis=1).mean())

    best = loss(fit_temperature(logits, truth))
    for other in (LOWEST_TEMPERATURE, 0.5, 1.0, 2.0, HIGHEST_TEMPERATURE):
        assert best <= loss(other) + 1e-6


def test_the_curve_that_made_the_data_is_found() -> None:
    chance = np.random.default_rng(8)
    odds = chance.normal(-2, 2, size=6000)
    present = chance.random(6000) < 1 / (1 + np.exp(-(0.7 * odds + 1.5)))
    found = fit_calibration(1 / (1 + np.exp(-odds)), present)
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((0.7, 1.5), abs=0.12)


def test_a_curve_over_separable_data_is_as_uncertain_as_the_data_are_few() -> None:
    few, many = (fit_calibration(np.repeat([0.01, 0.9], count), np.repeat([False, True], count)) for count in (3, 300))
    assert few is not None
    assert many is not None
    # (n + 1) / (n + 2), the rule of succession.
    assert few.probability(0.9) == pytest.approx(4 / 5, abs=1e-3)
    assert many.probability(0.9) == pytest.approx(301 / 302, abs=1e-3)


@pytest.mark.parametrize("there", [True, False])
def test_one_kind_of_burst_alone_gives_no_curve(there: bool) -> None:
    assert fit_calibration(np.array([0.1, 0.9]), np.full(2, there)) is None


def test_a_class_that_scores_lower_where_it_is_has_no_curve() -> None:
    assert fit_calibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False])) is None


def test_scores_of_exactly_zero_and_one_are_accepted() -> None:
    found = fit_calibration(np.array([0.0, 0.0, 1.0, 1.0]), np.array([False, False, True, True]))
    assert found is not None
    assert found.probability(1.0) > 0.7


def test_a_feature_that_repeats_another_shares_its_weight() -> None:
    one = np.linspace(-1, 1, 20)
    fitted = fit_logistic_curve(np.column_stack([one, one]), one > 0.1, ridge=0.1)
    assert fitted is not None
    assert fitted[1][0] == pytest.approx(fitted[1][1])


def test_the_logistic_curve_minimises_its_penalised_loss() -> None:
    """Against SciPy's minimiser on the loss written out: soft targets, and a ridge on the weights only."""
    random = np.random.default_rng(2)
    features = random.normal(size=(80, 3))
    present = random.random(80) < 1 / (1 + np.exp(-features @ np.array([1.0, -2.0, 0.0])))
    positive = int(present.sum())
    targets = np.where(present, (positive + 1) / (positive + 2), 1 / (80 - positive + 2))

    def loss(parameters: np.ndarray) -> float:
        scores = parameters[0] + features @ parameters[1:]
        return float((np.logaddexp(0, scores) - targets * scores).sum() + 0.5 / 2 * (parameters[1:] ** 2).sum())

    expected = minimize(loss, np.zeros(4), tol=1e-10).x
    fitted = fit_logistic_curve(features, present, ridge=0.5)
    assert fitted is not None
    np.testing.assert_allclose([fitted[0], *fitted[1]], expected, atol=1e-4)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=25))
def test_a_higher_score_is_never_less_likely(bursts: list[tuple[float, bool]]) -> None:
    found = fit_calibration(np.array([score for score, _ in bursts]), np.array([there for _, there in bursts]))
    if found is not None:
        assert found.probability(0.2) <= found.probability(0.6)
