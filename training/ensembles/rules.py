"""Rules that combine the predictions of several members (models and views) into one.

Each rule takes probabilities (M, N, C), members first, and returns (N, C). `graph` writes the same rules as ONNX nodes,
and the package is checked against these functions when it is built.

- `mean`: the mean probability.
- `log-odds`: the mean of the log-odds, as a probability: one confident member outweighs several uncertain ones.
- `max`: the most confident member. For views at several scales: each finds what the others cannot.
- `vote`: the share of the members whose best class it is; of equal scores, the first class.
- `stacked`: a logistic curve over the members' log-odds, fitted on held-out bursts (`stacking`).
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from uncia.training.evaluation.calibration import log_odds

Rule = Literal["mean", "log-odds", "max", "vote", "stacked"]
RULES: tuple[Rule, ...] = get_args(Rule)

Floats = NDArray[np.floating]
Scores = NDArray[np.float64]


def combine(rule: Rule, members: Floats, weights: Floats | None = None, bias: float = 0.0) -> Scores:
    """Combined scores (N, C). `weights` (M,) and `bias` belong to `stacked`. Raises `ValueError` for wrong shapes."""
    if members.ndim != 3 or not len(members):
        raise ValueError(f"predictions of members must be (M, N, C) with at least one member, not {members.shape}")
    scores = members.astype(np.float64)
    if rule == "mean":
        combined: Scores = scores.mean(axis=0)
    elif rule == "max":
        combined = scores.max(axis=0)
    elif rule == "log-odds":
        combined = expit(log_odds(scores).mean(axis=0))
    elif rule == "vote":
        best = scores.argmax(axis=2)
        combined = (best[:, :, None] == np.arange(scores.shape[2])).mean(axis=0)
    else:
        if weights is None or len(weights) != len(members):
            raise ValueError(f"stacked needs a weight for each of {len(members)} members")
        combined = expit(bias + np.tensordot(weights.astype(np.float64), log_odds(scores), axes=1))
    return combined


def normalize_rows(scores: Scores) -> Scores:
    """Rows that sum to one, for metrics that need a distribution; a row of zeros becomes uniform."""
    positive = np.maximum(scores, 1e-12)
    normalized: Scores = positive / positive.sum(axis=1, keepdims=True)
    return normalized
