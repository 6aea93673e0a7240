"""Fits the weights of `uncia.camtrap.presence`: three logistic curves, each on the output of the one before.

Which box of a frame is its evidence depends on the weights, so box and weights are chosen in turn, as in multiple
instance learning (Andrews, Tsochantaridis and Hofmann, 2003); where the true boxes are known, an animal's frame learns
from the boxes that fit them. A data set counts by the root of its size, its bursts count the same whatever their
length, and animals as much as blanks: the probabilities are those of a camera half of whose bursts are blank.

`scipy.optimize` instead of scikit-learn's `LogisticRegression`, which has no bounds: a weight of evidence below 0 would
let a higher score lower a probability.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from uncia.camtrap.presence import (
    BURST_FEATURES,
    CONTEXT_FEATURES,
    FEATURES,
    BurstFeatures,
    EvidenceWeights,
    PresenceModel,
    burst_features,
    context_features,
    frame_evidence,
    intersection_over_union,
)
from uncia.training import TrainingError
from uncia.training.presence.labelled_bursts import LabelledBurst, PreparedBurst

__all__ = ["DEFAULT_FIT", "FitSettings", "fit_logistic", "fit_presence"]

Floats = NDArray[np.float64]

_START = {"score": 1.0, "moved": 2.0, "recurrence": -0.5}
_ROUNDS = 8
_NEVER_NEGATIVE = frozenset({"score", "moved", "dense", "peak_moved"})
_NEVER_POSITIVE = frozenset({"static", "recurrence"})
_SAME_OBJECT = 0.5


@dataclass(frozen=True)
class FitSettings:
    """What is fitted."""

    features: tuple[str, ...] = tuple(name for name in FEATURES if name != "dense")
    """The features that get a weight; `score` must be among them. The dense pass has shown no gain on other cameras."""
    ridge: float = 0.02
    movement_threshold: float = PresenceModel.model_fields["movement_threshold"].default
    static_weight: float = -2.0
    """Given, not learnt: few data sets have enough bursts of a camera to know its static objects."""


DEFAULT_FIT = FitSettings()
_Pair = tuple[LabelledBurst, BurstFeatures]


def fit_presence(
    bursts: Sequence[PreparedBurst], name: str, settings: FitSettings = DEFAULT_FIT, learnt_on: str = ""
) -> PresenceModel:
    """Fit all three sets of weights on bursts that were prepared with the settings' movement threshold.

    Deterministic. Raises `TrainingError` where animals or blanks are missing.
    """
    frames = _frames_as_bursts(bursts)
    single = _fit_weights(frames, settings)
    several = [(own.burst, own.still) for own in bursts if own.still is not None]
    known = [(own.burst, own.moving) for own in bursts if own.moving is not None]
    still = _fit_weights(several, settings) if _has_both(several) else single
    moving = _fit_weights(known, settings) if _has_both(known) else still
    return PresenceModel(
        name=name,
        learnt_on=learnt_on,
        movement_threshold=settings.movement_threshold,
        single=single,
        still=still,
        moving=moving,
    )


def fit_logistic(
    rows: Floats,
    truth: NDArray[np.bool_],
    weight: Floats,
    *,
    low: Sequence[float | None],
    high: Sequence[float | None],
    ridge: float,
    offset: Floats | None = None,
) -> tuple[float, Floats]:
    """Bias and weights (K,) of a logistic regression of `truth` (N,) on `rows` (N, K) within bounds.

    The loss is the mean over `weight` (N,), plus `ridge` times half the squared weights of the standardised features;
    `offset` (N,) is added to the log-odds.
    """
    share = weight / weight.sum()
    scale = np.sqrt((share[:, None] * (rows - share @ rows) ** 2).sum(axis=0))
    scale[scale < 1e-6] = 1.0
    known = np.zeros(len(rows)) if offset is None else offset

    def loss(flat: Floats) -> tuple[float, Floats]:
        odds = flat[0] + rows @ flat[1:] + known
        value = (share * (np.logaddexp(0, odds) - truth * odds)).sum()
        slope = share * (expit(odds) - truth)
        penalised = flat[1:] * scale**2 * ridge
        gradient = np.concatenate([[slope.sum()], slope @ rows + penalised])
        return float(value + (penalised * flat[1:]).sum() / 2), gradient

    bounds = [(None, None), *zip(low, high, strict=True)]
    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64)


def _frames_as_bursts(bursts: Sequence[PreparedBurst]) -> list[_Pair]:
    """The frames whose own truth is known, as bursts; where no animal's is, all with the truth of their burst."""
    known = any(frame.animal for own in bursts for frame in own.burst.frames)
    return [
        (replace(own.burst, frames=(replace(frame, animal=animal),), animal=animal), features)
        for own in bursts
        for frame, features in zip(own.burst.frames, own.single, strict=True)
        if (animal := frame.animal if known or frame.animal is not None else own.burst.animal) is not None
    ]


def _with_frame_truth(pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """The same, but where no animal frame's own truth is known, that of its burst stands for it."""
    if any(frame.animal for burst, _ in pairs for frame in burst.frames):
        return pairs

    def labelled(burst: LabelledBurst) -> LabelledBurst:
        return replace(
            burst,
            frames=tuple(
                frame if frame.animal is not None else replace(frame, animal=burst.animal) for frame in burst.frames
            ),
        )

    return [(labelled(burst), features) for burst, features in pairs]


def _has_both(bursts: Sequence[_Pair]) -> bool:
    return {burst.animal for burst, _ in bursts} == {True, False}


def _fit_weights(pairs: Sequence[_Pair], settings: FitSettings) -> EvidenceWeights:
    if not _has_both(pairs):
        raise TrainingError("presence needs bursts with animals and blank ones")
    pairs = _with_frame_truth(pairs)
    bursts, tables = [burst for burst, _ in pairs], [features for _, features in pairs]
    bias, weights = _fit_boxes(bursts, tables, settings)
    evidence = [frame_evidence(table, bias, weights) for table in tables]
    if tables[0].kind == "single":
        return EvidenceWeights(bias=round(bias, 4), features=_named(FEATURES, weights))
    context_bias, context = _fit_context(bursts, evidence, settings)
    odds = [context_bias + context_features(own) @ context for own in evidence]
    rows = np.array([burst_features(own) for own in odds])
    truth = np.array([burst.animal for burst in bursts])
    size = len(BURST_FEATURES)
    burst_bias, burst = fit_logistic(
        rows, truth, _burst_weights(bursts), low=[0.0] * size, high=[None] * size, ridge=settings.ridge
    )
    return EvidenceWeights(
        bias=round(bias, 4),
        features=_named(FEATURES, weights),
        context_bias=round(context_bias, 4),
        context=_named(CONTEXT_FEATURES, context),
        burst_bias=round(burst_bias, 4),
        burst=_named(BURST_FEATURES, burst),
    )


def _fit_boxes(
    bursts: Sequence[LabelledBurst], tables: Sequence[BurstFeatures], settings: FitSettings
) -> tuple[float, Floats]:
    """Bias and weights of `FEATURES` from the frames whose own truth is known."""
    frames = [
        (rows, _fitting_rows(rows, table, number, burst), bool(frame.animal))
        for burst, table in zip(bursts, tables, strict=True)
        for number, (frame, rows) in enumerate(zip(burst.frames, table.frames, strict=True))
        if frame.animal is not None
    ]
    truth = np.array([animal for _, _, animal in frames])
    weight = _frame_weights(bursts)
    columns = [FEATURES.index(name) for name in settings.features if name != "static"]
    low = [0.0 if FEATURES[column] in _NEVER_NEGATIVE else None for column in columns]
    high = [0.0 if FEATURES[column] in _NEVER_POSITIVE else None for column in columns]
    weights = np.array([_START.get(name, 0.0) if name in settings.features else 0.0 for name in FEATURES])
    bias = 0.0
    for _ in range(_ROUNDS):
        chosen = np.array([rows[possible[np.argmax(rows[possible] @ weights)]] for rows, possible, _ in frames])
        bias, found = fit_logistic(chosen[:, columns], truth, weight, low=low, high=high, ridge=settings.ridge)
        weights = np.zeros(len(FEATURES))
        weights[columns] = found
    if "static" in settings.features:
        weights[FEATURES.index("static")] = settings.static_weight
    return bias, weights


def _fitting_rows(rows: Floats, table: BurstFeatures, number: int, burst: LabelledBurst) -> NDArray[np.intp]:
    """Rows that may stand for the frame: those at a true box, or all where none is or none is known."""
    frame = burst.frames[number]
    everything = np.arange(len(rows))
    if not frame.animal or frame.true_boxes is None or not len(frame.true_boxes) or len(rows) < 2:
        return everything
    boxes = np.asarray(frame.evidence.boxes, dtype=np.float64).reshape(-1, 4)[table.boxes[number]]
    hits = np.flatnonzero(intersection_over_union(boxes, frame.true_boxes).max(axis=1) >= _SAME_OBJECT)
    return hits if len(hits) else everything


def _fit_context(
    bursts: Sequence[LabelledBurst], evidence: Sequence[Floats], settings: FitSettings
) -> tuple[float, Floats]:
    rows = np.concatenate([context_features(own) for own in evidence])
    labels = [frame.animal for burst in bursts for frame in burst.frames]
    known = np.array([label is not None for label in labels])
    truth = np.array([bool(label) for label in labels])[known]
    size = len(CONTEXT_FEATURES)
    return fit_logistic(
        rows[known], truth, _frame_weights(bursts), low=[0.0] * size, high=[None] * size, ridge=settings.ridge
    )


def _frame_weights(bursts: Sequence[LabelledBurst]) -> Floats:
    """A weight for each labelled frame: data sets, classes within them, and bursts within these count the same."""
    keys = [
        (burst.dataset, bool(frame.animal), burst.name)
        for burst in bursts
        for frame in burst.frames
        if frame.animal is not None
    ]
    return _balanced(keys)


def _burst_weights(bursts: Sequence[LabelledBurst]) -> Floats:
    return _balanced([(burst.dataset, burst.animal, burst.name) for burst in bursts])


def _balanced(keys: Sequence[tuple[str, bool, str]]) -> Floats:
    """Weights of items with the keys (data set, animal, burst); animals and blanks have the same sum."""
    items = Counter(keys)
    bursts = Counter((dataset, animal) for dataset, animal, _ in items)
    sizes = Counter(dataset for dataset, _, _ in items)
    weight = np.array([sizes[key[0]] ** 0.5 / (bursts[key[:2]] * items[key]) for key in keys], dtype=np.float64)
    animal = np.array([key[1] for key in keys])
    for side in (animal, ~animal):
        weight[side] /= weight[side].sum()
    return weight


def _named(names: Sequence[str], weights: Floats) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True) if weight}
