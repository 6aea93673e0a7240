"""Stacking over the frames of a burst: fitted here, used by the worker `bursts` (`UNCIA_ENSEMBLE_RULE=stacked`).

The features are those of the worker's rule `stacked/1`, class by class over the frames of a burst, from the same
evidence: scores of best windows as float16, nothing below `FLOOR`. The file has the worker's format `uncia-stacked/1`;
a test checks that both implementations give the same scores.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from uncia.serving.labels import LabelSet
from uncia.training.ensembles.stacking import StackingError
from uncia.training.evaluation.calibration import fit_logistic_curve
from uncia.training.offline_inference.inference import ImageScores, max_by_burst
from uncia.training.offline_inference.presence import class_presence

FLOOR = 0.01
"""Lower scores are noise: the worker drops them."""

SHARE_THRESHOLD = 0.1
"""The feature `share` counts the frames in which the class scores at least this."""

MIN_BURSTS_PER_CLASS = 8
"""A class that at least this many bursts show, and as many do not, has weights of its own; the others share the
default weights."""

Scores = NDArray[np.float64]
BurstFeature = Literal["mean", "geometric-mean", "log-odds", "max", "vote", "share", "frames"]
DEFAULT_FEATURES: tuple[BurstFeature, ...] = ("log-odds", "max", "share")


def _log_odds(frames: Scores) -> Scores:
    odds: Scores = expit(logit(np.clip(frames, FLOOR, 1 - FLOOR)).mean(axis=0))
    return odds


def _vote(frames: Scores) -> Scores:
    with_evidence = frames[frames.max(axis=1) > 0]
    votes: Scores = np.bincount(with_evidence.argmax(axis=1), minlength=frames.shape[1]) / len(frames)
    return votes


_FEATURES: dict[BurstFeature, Callable[[Scores], Scores]] = {
    "mean": lambda frames: frames.mean(axis=0),
    "geometric-mean": lambda frames: np.exp(np.log(np.maximum(frames, FLOOR)).mean(axis=0)),
    "log-odds": _log_odds,
    "max": lambda frames: frames.max(axis=0),
    "vote": _vote,
    "share": lambda frames: (frames >= SHARE_THRESHOLD).mean(axis=0),
    "frames": lambda frames: np.full(frames.shape[1], np.log(len(frames))),
}


@dataclass(frozen=True)
class BurstEvidence:
    """Bursts, sorted by name: their frames' evidence float64 (F, C), in capture order."""

    names: tuple[str, ...]
    frames: tuple[Scores, ...]

    @classmethod
    def of(cls, windows: NDArray[np.floating], bursts: NDArray[np.str_]) -> "BurstEvidence":
        """From scores (N, C) in capture order and the burst (N,) of each."""
        names = np.unique(bursts)
        evidence = windows.astype(np.float16).astype(np.float64)
        evidence[evidence < FLOOR] = 0
        return cls(tuple(map(str, names)), tuple(evidence[bursts == name] for name in names))

    def feature(self, name: BurstFeature) -> Scores:
        """The feature of each burst and class, (bursts, C)."""
        return np.stack([_FEATURES[name](frames) for frames in self.frames])


def fit_burst_stacking(
    scores: BurstEvidence,
    present: NDArray[np.bool_],
    known: NDArray[np.bool_],
    labels: LabelSet,
    *,
    name: str,
    calibrated_on: str,
    features: Sequence[BurstFeature] = DEFAULT_FEATURES,
) -> dict[str, Any]:
    """The content of a `uncia-stacked/1` file. Raises `StackingError` where nothing can be fitted.

    `present` and `known` (bursts, C): whether a class was there, and whether the data tell. `calibrated_on` names the
    bursts for readers: scores of held-out bursts are probabilities.
    """
    values = np.stack([scores.feature(feature) for feature in features], axis=2)
    # The worker scores a class without evidence in any frame as 0, whatever the weights: those rows fit nothing.
    usable = known & (scores.feature("max") > 0)
    default = fit_logistic_curve(values[usable], present[usable], ridge=1.0)
    if default is None:
        raise StackingError("stacking needs bursts that show the model's classes and bursts that do not")
    classes = []
    for entry in labels.classes:
        rows = usable[:, entry.index]
        present_rows = present[rows, entry.index]
        if min(present_rows.sum(), (~present_rows).sum()) < MIN_BURSTS_PER_CLASS:
            continue
        fitted = fit_logistic_curve(values[rows, entry.index], present_rows, ridge=1.0)
        assert fitted is not None
        classes.append({"index": entry.index, "label": entry.label, **_weights(fitted)})
    return {
        "format": "uncia-stacked/1",
        "name": name,
        "label_set": labels.id,
        "features": list(features),
        "floor": SHARE_THRESHOLD,
        "calibrated_on": calibrated_on,
        "default": _weights(default),
        "classes": classes,
    }


def fit_from_predictions(predictions: ImageScores, labels: LabelSet, *, name: str, source: str) -> dict[str, Any]:
    """As `fit_burst_stacking`, from predictions for held-out pictures. `source` names the data for readers."""
    scores = BurstEvidence.of(predictions.window_scores, predictions.bursts)
    present, known = class_presence(predictions.samples, labels)
    return fit_burst_stacking(
        scores,
        max_by_burst(present, predictions.bursts) > 0,
        max_by_burst(~known, predictions.bursts) == 0,
        labels,
        name=name,
        calibrated_on=f"{len(scores.names)} held-out bursts: {source}",
    )


def score_bursts(model: dict[str, Any], scores: BurstEvidence) -> Scores:
    """The scores (bursts, C) that the worker computes with the content of a `uncia-stacked/1` file."""
    values = np.stack([scores.feature(feature) for feature in model["features"]], axis=2)
    classes = values.shape[1]
    bias = np.full(classes, model["default"]["bias"])
    weights = np.tile(model["default"]["weights"], (classes, 1))
    for entry in model["classes"]:
        bias[entry["index"]], weights[entry["index"]] = entry["bias"], entry["weights"]
    odds = bias + (values * weights).sum(axis=2)
    stacked: Scores = np.where(scores.feature("max") > 0, expit(odds), 0.0)
    return stacked


def to_json(model: dict[str, Any]) -> str:
    """The text of the file."""
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def _weights(fitted: tuple[float, NDArray[np.float64]]) -> dict[str, Any]:
    bias, weights = fitted
    return {"bias": round(bias, 6), "weights": [round(float(weight), 6) for weight in weights]}
