"""Fit the weights of the fusion on proposals whose true answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from uncia.processors.identify.matching.fusion import FEATURES, FusionWeights

_AGAINST = ("distance", "time")
"""Features of which more speaks against an individual; of all others, more never does."""
_LEFT_OUT = ("lnbnn",)
"""The score of an animal that is new is the higher, the fewer individuals are known: the normaliser is further away. A
weight that was fitted with many would propose it where few are known. `lnbnn_lead` compares individuals alone."""
_REGULARISATION = 1e-3


@dataclass(frozen=True)
class FusionSample:
    """`rows`: (n, features) of the individuals that were compared; `truth`: the row of the true one, None if it is none
    of them."""

    rows: NDArray[np.float64]
    truth: int | None


def fit_fusion(samples: Sequence[FusionSample], fitted_on: str, *, genuine: bool) -> FusionWeights:
    """Maximise the likelihood of the true answers, with a small ridge.

    Weights keep their sign: more points that agree never lower a score, on whatever data it is used. Raises
    `ValueError` if there is no sample with, or none without, a true individual: the two odds could not be told apart.
    """
    known = sum(sample.truth is not None for sample in samples)
    if known in (0, len(samples)):
        raise ValueError("Weights need samples of known individuals and samples of new ones.")
    bounds = [_bounds(name) for name in FEATURES]
    # The solver moves it into the bounds.
    start = np.array([-0.01 if name in _AGAINST else 0.1 for name in FEATURES] + [-1.0])
    solution = minimize(_loss, start, args=(samples,), jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)])
    # Rounded, so that the file is the same on machines whose sums differ in the last bit.
    fitted = [round(float(value), 4) for value in solution.x]
    return FusionWeights(tuple(fitted[:-1]), fitted[-1], fitted_on, genuine)


def _bounds(name: str) -> tuple[float | None, float | None]:
    if name in _LEFT_OUT:
        return 0.0, 0.0
    return (None, 0.0) if name in _AGAINST else (0.0, None)


def _loss(parameters: NDArray[np.float64], samples: Sequence[FusionSample]) -> tuple[float, NDArray[np.float64]]:
    """The mean negative log-likelihood, and its gradient."""
    weights, bias = parameters[:-1], parameters[-1]
    total, gradient = 0.0, np.zeros_like(parameters)
    for sample in samples:
        logits = np.append(sample.rows @ weights + bias, 0.0)
        shifted = logits - logits.max()
        log_sum = np.log(np.exp(shifted).sum())
        truth = len(sample.rows) if sample.truth is None else sample.truth
        total += log_sum - shifted[truth]
        slope = np.exp(shifted - log_sum)
        slope[truth] -= 1
        gradient[:-1] += slope[:-1] @ sample.rows
        gradient[-1] += slope[:-1].sum()
    count = len(samples)
    ridge = _REGULARISATION * np.append(weights, 0.0)
    return total / count + float(ridge @ parameters) / 2, gradient / count + ridge
