"""Calibration: turning what a model says into what is likely, learnt on bursts that it was not trained on.

- Temperature: one number for all classes; it divides the logits (Guo and others, 2017). It changes no ranking.
- A logistic curve for each class over the log-odds of its best window (Platt, 1999), which the stream reads from the
  label set (`uncia.serving.labels.Calibration`).
"""

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import Calibration

Floats = NDArray[np.floating]

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures are sought between these; data that would have more say nothing of it."""

_LEAST = 1e-6
"""As in `Calibration.probability`."""


def fit_temperature(logits: Floats, truth: NDArray[np.integer]) -> float:
    """The temperature under which the truth is likeliest. `logits` (N, C), `truth` (N,).

    The truth counts (N + 1) / (N + 2), the other classes share the rest (Platt's targets): a few items without a
    mistake do not prove that there are none, and without this they would make every answer certain. The loss is
    convex in 1 / temperature, so its slope is halved down. 1 without any item. Raises `ValueError` for shapes that
    do not fit.
    """
    if logits.ndim != 2 or truth.shape != logits.shape[:1]:
        raise ValueError(f"logits {logits.shape} need a truth for each row, not {truth.shape}")
    if not len(truth):
        return 1.0
    shifted = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    own = shifted[np.arange(len(truth)), truth]
    if logits.shape[1] > 1:
        others = (shifted.sum(axis=1) - own) / (logits.shape[1] - 1)
        own = own + (others - own) / (len(truth) + 2)

    def slope(sharpness: float) -> float:
        weights = np.exp(shifted * sharpness)
        expected = (weights * shifted).sum(axis=1) / weights.sum(axis=1)
        return float((expected - own).mean())

    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(60):
        middle = (low + high) / 2
        if slope(float(np.exp(middle))) < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (N, C) of logits (N, C)."""
    scaled = logits.astype(np.float64) / temperature
    weights: NDArray[np.float64] = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return probabilities


def log_odds(scores: Floats) -> NDArray[np.float64]:
    """Log-odds of probabilities, of any shape, held between 1e-6 and 1 - 1e-6."""
    held = np.clip(scores.astype(np.float64), _LEAST, 1 - _LEAST)
    odds: NDArray[np.float64] = np.log(held / (1 - held))
    return odds


def fit_logistic(
    features: NDArray[np.float64], present: NDArray[np.bool_], *, ridge: float = 0.0
) -> tuple[float, NDArray[np.float64]] | None:
    """Bias and weights (K,) of the logistic curve over `features` (N, K) that makes `present` (N,) likeliest.

    Platt's targets are used, (n + 1) / (n + 2) instead of 1 and 1 / (m + 2) instead of 0, so that data which can be
    told apart without error give finite weights, less sure the fewer they are. `ridge` draws the weights (not the
    bias) to 0. None where one side is missing. Newton's steps, halved where they overshoot; deterministic.
    """
    if features.ndim != 2 or present.shape != features.shape[:1]:
        raise ValueError(f"features {features.shape} need as many truths, not {present.shape}")
    there = int(present.sum())
    if there in (0, len(present)):
        return None
    targets = np.where(present, (there + 1) / (there + 2), 1 / (len(present) - there + 2))
    columns = np.column_stack([np.ones(len(features)), features])
    # A hint of ridge keeps the step defined where features repeat one another.
    penalty = np.array([0.0, *[max(ridge, 1e-6)] * features.shape[1]])

    def loss(weights: NDArray[np.float64]) -> float:
        score = columns @ weights
        return float((np.logaddexp(0, score) - targets * score).sum() + (penalty * weights**2).sum() / 2)

    weights = np.zeros(columns.shape[1])
    weights[0] = np.log(there / (len(present) - there))
    held = loss(weights)
    for _ in range(100):
        said = 0.5 * (1 + np.tanh(columns @ weights / 2))
        gradient = columns.T @ (said - targets) + penalty * weights
        curve = (columns * (said * (1 - said))[:, None]).T @ columns + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, gradient)
        part = 1.0
        while (new := loss(weights - part * step)) > held and part > 1e-6:
            part /= 2
        if held - new < 1e-12 * (1 + held):
            break
        weights, held = weights - part * step, new
    return float(weights[0]), weights[1:]


def fit_calibration(scores: Floats, present: NDArray[np.bool_]) -> Calibration | None:
    """The curve from a class's best score over a burst to the probability that the class is there.

    `scores` (N,) of 0 to 1, one for each burst; `present` (N,), whether it was there. None where nothing can be learnt:
    one side is missing, or the class does not score higher where it is.
    """
    fitted = fit_logistic(log_odds(scores)[:, None], present)
    if fitted is None:
        return None
    bias, (slope,) = fitted
    return Calibration(slope=float(slope), intercept=bias) if slope > 1e-6 else None
