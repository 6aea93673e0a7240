"""Rules that combine the frames of a burst into one score per class.

Each rule takes the frames' evidence (best window per class, nothing below `SCORE_FLOOR`) in capture order and returns
scores of 0 to 1 for all classes. Empty frames count: an animal in one frame of ten is less certain than in ten. The
frames are summed in capture order, so that the same frames give the same bits in any order of arrival.

- `mean/1`: the mean probability; what is below `SCORE_FLOOR` counts as 0.
- `geometric-mean/1`: the geometric mean of the probabilities; what is below `SCORE_FLOOR` counts as `SCORE_FLOOR`.
- `max/1`: the best frame's probability.
- `vote/1`: the share of frames whose best class it is.
- `log-odds/1`: the mean of the log-odds, as a probability; scores are clipped to `SCORE_FLOOR` .. 1 - `SCORE_FLOOR`.
  It lets a few confident frames outweigh many doubtful ones, and one frame alone keeps its score.
- `stacked/1`: learnt weights over such features, see `stacked_ensemble`.

Frames of different models or label sets cannot be summed: `verdict` selects one model before it applies a rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.processors.bursts.frame_record import SCORE_FLOOR, Evidence
from uncia.settings import EnsembleRule

Scores = NDArray[np.float64]
Rule = Callable[[Sequence[Evidence], int], Scores]


def _sum(frames: Sequence[Evidence], values: Sequence[Scores], classes: int) -> Scores:
    # bincount adds one after the other in the order given.
    indices = np.concatenate([frame.indices for frame in frames])
    total: Scores = np.bincount(indices, weights=np.concatenate(values), minlength=classes).astype(np.float64)
    return total


def mean(frames: Sequence[Evidence], classes: int) -> Scores:
    """Mean probability; shape (classes,)."""
    return _sum(frames, [frame.scores for frame in frames], classes) / len(frames)


def geometric_mean(frames: Sequence[Evidence], classes: int) -> Scores:
    """Geometric mean of the probabilities; shape (classes,)."""
    logs = [np.log(np.maximum(frame.scores, SCORE_FLOOR) / SCORE_FLOOR) for frame in frames]
    scores: Scores = SCORE_FLOOR * np.exp(_sum(frames, logs, classes) / len(frames))
    return scores


def maximum(frames: Sequence[Evidence], classes: int) -> Scores:
    """The best frame's probability; shape (classes,)."""
    scores = np.zeros(classes)
    for frame in frames:
        scores[frame.indices] = np.maximum(scores[frame.indices], frame.scores)
    return scores


def vote(frames: Sequence[Evidence], classes: int) -> Scores:
    """Share of frames whose best class it is; shape (classes,)."""
    votes = np.zeros(classes)
    for frame in frames:
        if len(frame.indices):
            votes[frame.indices[np.argmax(frame.scores)]] += 1
    return votes / len(frames)


def log_odds(frames: Sequence[Evidence], classes: int) -> Scores:
    """Mean log-odds as a probability; shape (classes,)."""
    floor_odds = _logit(np.array(SCORE_FLOOR))
    above = [_logit(np.clip(frame.scores, SCORE_FLOOR, 1 - SCORE_FLOOR)) - floor_odds for frame in frames]
    odds = _sum(frames, above, classes) / len(frames) + floor_odds
    scores: Scores = 1 / (1 + np.exp(-odds))
    return scores


def _logit(values: Scores) -> Scores:
    odds: Scores = np.log(values / (1 - values))
    return odds


@dataclass(frozen=True)
class Ensemble:
    """A rule, its name in verdicts, and the label set that it was made for; None: any."""

    name: str
    rule: Rule
    label_set: str | None = None
    calibrated: bool = False
    """Whether its scores are probabilities."""


LOG_ODDS = Ensemble("log-odds/1", log_odds)

RULES: dict[EnsembleRule, Ensemble] = {
    "mean": Ensemble("mean/1", mean),
    "geometric-mean": Ensemble("geometric-mean/1", geometric_mean),
    "max": Ensemble("max/1", maximum),
    "vote": Ensemble("vote/1", vote),
    "log-odds": LOG_ODDS,
}
"""The rules that need no model file. A rule that changes gets a new version number."""
