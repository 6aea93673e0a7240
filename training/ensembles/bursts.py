"""Stacking over the frames of a burst: learnt here, read by the worker `bursts` (`UNCIA_ENSEMBLE_RULE=stacked`).

The features are those of the worker's rule `stacked/1`, class by class over the frames of a burst, from the same
evidence: scores of best windows as float16, nothing below `FLOOR`. The file is its `uncia-stacked/1`; a test holds both
sides to the same scores.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import LabelSet
from uncia.training.ensembles.stacking import StackingError
from uncia.training.evaluation.calibration import fit_logistic
from uncia.training.offline_inference.inference import ImageScores, max_by_burst
from uncia.training.offline_inference.presence import class_presence

FLOOR = 0.01
"""What scores less is noise: the worker does not keep it."""

SHARE_FROM = 0.1
"""`share` counts the frames that give the class so much."""

ENOUGH = 8
"""A class that so many bursts show, and as many do not, has weights of its own; the others share the default."""

Scores = NDArray[np.float64]
BurstFeature = Literal["mean", "geometric-mean", "log-odds", "max", "vote", "share", "frames"]
DEFAULT_FEATURES: tuple[BurstFeature, ...] = ("log-odds", "max", "share")


def _log_odds(frames: Scores) -> Scores:
    held = np.clip(frames, FLOOR, 1 - FLOOR)
    odds: Scores = 1 / (1 + np.exp(-np.log(held / (1 - held)).mean(axis=0)))
    return odds


def _vote(frames: Scores) -> Scores:
    seen = frames[frames.max(axis=1) > 0]
    votes: Scores = np.bincount(seen.argmax(axis=1), minlength=frames.shape[1]) / len(frames)
    return votes


_FEATURES: dict[BurstFeature, Callable[[Scores], Scores]] = {
    "mean": lambda frames: frames.mean(axis=0),
    "geometric-mean": lambda frames: np.exp(np.log(np.maximum(frames, FLOOR)).mean(axis=0)),
    "log-odds": _log_odds,
    "max": lambda frames: frames.max(axis=0),
    "vote": _vote,
    "share": lambda frames: (frames >= SHARE_FROM).mean(axis=0),
    "frames": lambda frames: np.full(frames.shape[1], np.log(len(frames))),
}


@dataclass(frozen=True)
class BurstScores:
    """Bursts, by name: their frames' evidence float64 (F, C), in capture order."""

    names: tuple[str, ...]
    frames: tuple[Scores, ...]

    @classmethod
    def of(cls, windows: NDArray[np.floating], bursts: NDArray[np.str_]) -> "BurstScores":
        """From answers (N, C) in capture order and the burst of each."""
        names = np.unique(bursts)
        heard = windows.astype(np.float16).astype(np.float64)
        heard[heard < FLOOR] = 0
        return cls(tuple(map(str, names)), tuple(heard[bursts == name] for name in names))

    def feature(self, name: BurstFeature) -> Scores:
        """(bursts, C)."""
        return np.stack([_FEATURES[name](frames) for frames in self.frames])


def learn_bursts(
    scores: BurstScores,
    present: NDArray[np.bool_],
    known: NDArray[np.bool_],
    labels: LabelSet,
    *,
    name: str,
    calibrated_on: str,
    features: Sequence[BurstFeature] = DEFAULT_FEATURES,
) -> dict[str, Any]:
    """The content of a `uncia-stacked/1` file. Raises `StackingError` where nothing can be learnt.

    `present` and `known` (bursts, C): whether a class was there, and whether the data say so. `calibrated_on` says in
    words what bursts these were: scores of held-out bursts are probabilities.
    """
    values = np.stack([scores.feature(feature) for feature in features], axis=2)
    # The worker scores what no frame saw as 0, whatever the weights: nothing to learn there.
    usable = known & (scores.feature("max") > 0)
    default = fit_logistic(values[usable], present[usable], ridge=1.0)
    if default is None:
        raise StackingError("stacking is learnt on bursts that show the classes, and on others: these do not")
    classes = []
    for entry in labels.classes:
        rows = usable[:, entry.index]
        there = present[rows, entry.index]
        if there.sum() < ENOUGH or (~there).sum() < ENOUGH:
            continue
        fitted = fit_logistic(values[rows, entry.index], there, ridge=1.0)
        assert fitted is not None
        classes.append({"index": entry.index, "label": entry.label, **_weights(fitted)})
    return {
        "format": "uncia-stacked/1",
        "name": name,
        "label_set": labels.id,
        "features": list(features),
        "floor": SHARE_FROM,
        "calibrated_on": calibrated_on,
        "default": _weights(default),
        "classes": classes,
    }


def learn_from(answers: ImageScores, labels: LabelSet, *, name: str, source: str) -> dict[str, Any]:
    """The same from answers about held-out pictures. `source` says in words which data these were."""
    scores = BurstScores.of(answers.window_scores, answers.bursts)
    there, known = class_presence(answers.samples, labels)
    return learn_bursts(
        scores,
        max_by_burst(there, answers.bursts) > 0,
        max_by_burst(~known, answers.bursts) == 0,
        labels,
        name=name,
        calibrated_on=f"{len(scores.names)} held-out bursts: {source}",
    )


def stacked_scores(model: dict[str, Any], scores: BurstScores) -> Scores:
    """What the worker scores with this model: (bursts, C)."""
    values = np.stack([scores.feature(feature) for feature in model["features"]], axis=2)
    classes = values.shape[1]
    bias = np.full(classes, model["default"]["bias"])
    weights = np.tile(model["default"]["weights"], (classes, 1))
    for each in model["classes"]:
        bias[each["index"]], weights[each["index"]] = each["bias"], each["weights"]
    odds = bias + (values * weights).sum(axis=2)
    found: Scores = np.where(scores.feature("max") > 0, 1 / (1 + np.exp(-odds)), 0.0)
    return found


def as_file(model: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def _weights(fitted: tuple[float, NDArray[np.float64]]) -> dict[str, Any]:
    bias, weights = fitted
    return {"bias": round(bias, 6), "weights": [round(float(each), 6) for each in weights]}
