"""Rules that make one answer out of those of several members (models and views).

Each takes probabilities (M, N, C), members first, and gives (N, C). They are what `graph` writes into ONNX, which is
compared with them when it is built.

- `mean`: the mean probability.
- `log-odds`: the mean of the log-odds, as a probability: one confident member outweighs doubtful ones.
- `max`: the most confident member. Good for views at several sizes: each finds what the others cannot.
- `vote`: the share of the members whose best class it is; the first of equals.
- `stacked`: a logistic curve over the members' log-odds, learnt on held-out bursts (`stacking`).
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.calibration import log_odds

Rule = Literal["mean", "log-odds", "max", "vote", "stacked"]
RULES: tuple[Rule, ...] = get_args(Rule)

Floats = NDArray[np.floating]
Scores = NDArray[np.float64]


def combined(rule: Rule, members: Floats, weights: Floats | None = None, bias: float = 0.0) -> Scores:
    """One answer (N, C). `weights` (M,) and `bias` are those of `stacked`. Raises `ValueError`."""
    if members.ndim != 3 or not len(members):
        raise ValueError(f"answers of members are (M, N, C) with at least one, not {members.shape}")
    wide = members.astype(np.float64)
    if rule == "mean":
        found: Scores = wide.mean(axis=0)
    elif rule == "max":
        found = wide.max(axis=0)
    elif rule == "log-odds":
        found = _curve(log_odds(wide).mean(axis=0))
    elif rule == "vote":
        best = wide.argmax(axis=2)
        found = (best[:, :, None] == np.arange(wide.shape[2])).mean(axis=0)
    else:
        if weights is None or len(weights) != len(members):
            raise ValueError(f"stacked needs a weight for each of {len(members)} members")
        found = _curve(bias + np.tensordot(weights.astype(np.float64), log_odds(wide), axes=1))
    return found


def shares(scores: Scores) -> Scores:
    """Rows that sum to one, for measures that need a distribution; a row of nothing says the same of all."""
    held = np.maximum(scores, 1e-12)
    divided: Scores = held / held.sum(axis=1, keepdims=True)
    return divided


def _curve(odds: Scores) -> Scores:
    found: Scores = 0.5 * (1 + np.tanh(odds / 2))
    return found
