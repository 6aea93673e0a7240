"""Fits the weights of the box of choice (`uncia.camtrap.box_choice`) on frames whose true boxes are known.

A conditional logistic regression: of the candidates of a frame, those that fit a true box are to have the most
evidence. A box counts as right in part from an IoU of 0.35 and in full from 0.7 on; bursts count by the root of their
number of frames, since frames of a burst resemble each other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from uncia.camtrap.box_choice import CHOICE_FEATURES, BoxCandidates, ChoiceWeights
from uncia.camtrap.presence import intersection_over_union
from uncia.training.presence.labelled_bursts import PreparedBurst

__all__ = ["LEAST_FRAMES", "fit_choice"]

Floats = NDArray[np.float64]

LEAST_FRAMES = 100
"""Fewer frames with true boxes and with several candidates do not decide the weights."""

_WRONG, _RIGHT = 0.35, 0.7
_RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class _Frame:
    burst: str
    candidates: BoxCandidates
    right: Floats
    """How right each candidate is, 0 to 1."""


def fit_choice(bursts: Sequence[PreparedBurst], learnt_on: str = "") -> ChoiceWeights | None:
    """Fit the weights; None where fewer than `LEAST_FRAMES` frames can tell. Deterministic."""
    frames = [frame for own in bursts for frame in _frames(own)]
    if len(frames) < LEAST_FRAMES:
        return None
    rows = np.concatenate([frame.candidates.features for frame in frames])
    right = np.concatenate([frame.right for frame in frames])
    penalty = np.concatenate([frame.candidates.penalty for frame in frames])
    sizes = [len(frame.right) for frame in frames]
    starts = np.cumsum([0, *sizes[:-1]])
    owner = np.repeat(np.arange(len(frames)), sizes)
    counts = Counter(frame.burst for frame in frames)
    weight = np.array([counts[frame.burst] ** -0.5 for frame in frames])
    weight /= weight.sum()
    scale = rows.std(axis=0)
    scale[scale < 1e-6] = 1.0
    rows = rows / scale

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = rows @ weights - penalty
        power = np.exp(odds - np.maximum.reduceat(odds, starts)[owner])
        share = power / np.add.reduceat(power, starts)[owner]
        fitting = np.add.reduceat(share * right, starts) + 1e-12
        gradient = rows.T @ (weight[owner] * (share - share * right / fitting[owner])) + _RIDGE * weights
        return float(-(weight * np.log(fitting)).sum() + _RIDGE * (weights @ weights) / 2), gradient

    found = minimize(loss, np.zeros(len(CHOICE_FEATURES)), jac=True, method="L-BFGS-B").x / scale
    features = {name: round(float(value), 4) for name, value in zip(CHOICE_FEATURES, found, strict=True)}
    return ChoiceWeights(features=features, learnt_on=learnt_on)


def _frames(own: PreparedBurst) -> list[_Frame]:
    """The animal frames of a burst in which some candidates fit a true box and others do not."""
    if own.moving is None or own.burst.part:
        return []
    frames = []
    for frame, candidates in zip(own.burst.frames, own.moving.candidates, strict=True):
        if candidates is None or not frame.animal or frame.true_boxes is None or not len(frame.true_boxes):
            continue
        overlap = intersection_over_union(candidates.boxes, np.asarray(frame.true_boxes, dtype=np.float64)).max(axis=1)
        right = ((overlap - _WRONG) / (_RIGHT - _WRONG)).clip(0, 1)
        if right.any() and (overlap < 0.5).any():
            frames.append(_Frame(own.burst.name, candidates, right))
    return frames
