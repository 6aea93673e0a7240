"""Calibration: from scores to probabilities, fitted on bursts that the model was not trained on.

- Temperature: one number for all classes that divides the logits (Guo and others, 2017). It changes no ranking.
- A logistic curve for each class over the log-odds of its best window (Platt, 1999), which the stream reads from the
  label set (`uncia.serving.labels.Calibration`).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logit
from scipy.special import softmax as scipy_softmax
from sklearn.linear_model import LogisticRegression

from uncia.serving.labels import Calibration

Floats = NDArray[np.floating]

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
"""The search range: data that ask for more extreme temperatures are too few to fit one."""

_MIN_PROBABILITY = 1e-6
"""As in `Calibration.probability`."""

_MIN_RIDGE = 1e-6
"""Keeps the weights finite and unique where features repeat one another."""


def fit_temperature(logits: Floats, truth: NDArray[np.integer]) -> float:
    """The temperature that maximises the likelihood of `truth` (N,) given `logits` (N, C); 1 without items.

    The true class counts (N + 1) / (N + 2) and the others share the rest (Platt's targets): a few items without an
    error do not prove that there are none, and without this correction every answer would become certain. The loss is
    convex in 1 / temperature, so the root of its slope is unique. Raises `ValueError` for shapes that do not fit.
    """
    if logits.ndim != 2 or truth.shape != logits.shape[:1]:
        raise ValueError(f"logits {logits.shape} need one true class per row, not {truth.shape}")
    if not len(truth):
        return 1.0
    shifted = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    own = shifted[np.arange(len(truth)), truth]
    if logits.shape[1] > 1:
        others = (shifted.sum(axis=1) - own) / (logits.shape[1] - 1)
        own = own + (others - own) / (len(truth) + 2)

    def slope(log_sharpness: float) -> float:
        expected = (scipy_softmax(shifted * np.exp(log_sharpness), axis=1) * shifted).sum(axis=1)
        return float((expected - own).mean())

    low, high = np.log(1 / HIGHEST_TEMPERATURE), np.log(1 / LOWEST_TEMPERATURE)
    if slope(low) >= 0:
        return HIGHEST_TEMPERATURE
    if slope(high) <= 0:
        return LOWEST_TEMPERATURE
    return float(np.exp(-brentq(slope, low, high, xtol=1e-12)))


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities float64 (N, C) of logits (N, C)."""
    probabilities: NDArray[np.float64] = scipy_softmax(logits.astype(np.float64) / temperature, axis=1)
    return probabilities


def log_odds(scores: Floats) -> NDArray[np.float64]:
    """Log-odds of probabilities of any shape, which are clipped to 1e-6 and 1 - 1e-6."""
    odds: NDArray[np.float64] = logit(np.clip(scores.astype(np.float64), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY))
    return odds


def fit_logistic_curve(
    features: NDArray[np.float64], present: NDArray[np.bool_], *, ridge: float = 0.0
) -> tuple[float, NDArray[np.float64]] | None:
    """Bias and weights (K,) of the logistic regression of `present` (N,) on `features` (N, K).

    The targets are Platt's, (n + 1) / (n + 2) instead of 1 and 1 / (m + 2) instead of 0, so that separable data give
    finite weights, less certain the fewer they are. `ridge` penalises half the squared weights, not the bias. Returns
    None where all or none are present. Deterministic. Raises `ValueError` for shapes that do not fit.
    """
    if features.ndim != 2 or present.shape != features.shape[:1]:
        raise ValueError(f"features {features.shape} need one truth value per row, not {present.shape}")
    positive = int(present.sum())
    negative = len(present) - positive
    if not positive or not negative:
        return None
    targets = np.where(present, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # scikit-learn takes hard labels only: a soft target is a row of each label, weighted by the target.
    labels = np.repeat([1, 0], len(targets))
    model = LogisticRegression(C=1 / max(ridge, _MIN_RIDGE), solver="newton-cg", tol=1e-9, max_iter=1000)
    model.fit(np.concatenate([features, features]), labels, sample_weight=np.concatenate([targets, 1 - targets]))
    return float(model.intercept_[0]), np.asarray(model.coef_[0], dtype=np.float64)


def fit_calibration(scores: Floats, present: NDArray[np.bool_]) -> Calibration | None:
    """The curve from a class's best score in a burst to the probability that the class is in it.

    `scores` (N,) from 0 to 1, one per burst; `present` (N,), whether the class was there. None where no curve can be
    fitted: all or no bursts show the class, or its scores are not higher where it is present.
    """
    fitted = fit_logistic_curve(log_odds(scores)[:, None], present)
    if fitted is None:
        return None
    bias, (slope,) = fitted
    return Calibration(slope=float(slope), intercept=bias) if slope > 1e-6 else None
