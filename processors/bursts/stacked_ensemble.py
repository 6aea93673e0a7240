"""The rule `stacked`: a logistic model, trained elsewhere, over features of one class across the frames of a burst.

Its file is JSON:

    {
      "format": "uncia-stacked/1",
      "name": "pamir-2026",                       part of every verdict, with a digest of the file
      "label_set": "imagenet-1k@5f2c0a1b2c3d",    the label set whose classes it weighs
      "features": ["mean", "max", "share"],       of one class over the frames, see `FEATURES`
      "floor": 0.1,                               lowest score that `share` counts
      "calibrated_on": "412 bursts, Pamir 2025",  only where its scores are probabilities; otherwise absent
      "default": {"bias": -4.0, "weights": [2.0, 5.0, 1.0]},
      "classes": [{"index": 289, "label": "snow leopard", "bias": -3.1, "weights": [1.2, 6.0, 0.4]}]
    }

A class scores 1 / (1 + exp(-(bias + sum of weight times feature))). Classes that are not listed use `default`, and
score 0 where there is none. A class without evidence in any frame scores 0 in either case.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError, model_validator

from uncia import ids
from uncia.errors import SettingsError
from uncia.processors.bursts.ensemble import (
    Ensemble,
    Scores,
    geometric_mean,
    log_odds,
    maximum,
    mean,
    vote,
)
from uncia.processors.bursts.frame_record import Evidence
from uncia.serving.labels import LabelSet
from uncia.settings import Settings

Feature = Literal["mean", "geometric-mean", "log-odds", "max", "vote", "share", "frames"]


def _share(frames: Sequence[Evidence], classes: int, floor: float) -> Scores:
    above = np.zeros(classes)
    for frame in frames:
        above[frame.indices[frame.scores >= floor]] += 1
    return above / len(frames)


FEATURES: dict[Feature, Callable[[Sequence[Evidence], int, float], Scores]] = {
    "mean": lambda frames, classes, _: mean(frames, classes),
    "geometric-mean": lambda frames, classes, _: geometric_mean(frames, classes),
    "log-odds": lambda frames, classes, _: log_odds(frames, classes),
    "max": lambda frames, classes, _: maximum(frames, classes),
    "vote": lambda frames, classes, _: vote(frames, classes),
    "share": _share,
    "frames": lambda frames, classes, _: np.full(classes, math.log(len(frames))),
}
"""By name: the rules of `ensemble`; `share`, the share of frames whose score is at least the floor; `frames`, the
natural logarithm of the number of frames."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureWeights(_Strict):
    """The weights of a class, one for each feature."""

    bias: FiniteFloat
    weights: tuple[FiniteFloat, ...]


class ClassWeights(FeatureWeights):
    """The weights of one class of the label set; index and label must agree with it."""

    index: NonNegativeInt
    label: str


class StackedModel(_Strict):
    """The model file."""

    format: Literal["uncia-stacked/1"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    label_set: str
    features: tuple[Feature, ...] = Field(min_length=1)
    floor: float = Field(default=0.1, gt=0, lt=1)
    calibrated_on: str | None = Field(default=None, min_length=1)
    default: FeatureWeights | None = None
    classes: tuple[ClassWeights, ...] = ()

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        for entry in (*self.classes, *([self.default] if self.default else [])):
            if len(entry.weights) != len(self.features):
                raise ValueError(f"{len(self.features)} features need as many weights, not {len(entry.weights)}")
        if len({entry.index for entry in self.classes}) < len(self.classes):
            raise ValueError("a class is listed twice")
        if self.default is None and not self.classes:
            raise ValueError("it has weights for no class")
        return self

    @property
    def digest(self) -> str:
        """A digest of the whole file."""
        return ids.digest(self.model_dump_json())[:12]

    def ensemble(self) -> Ensemble:
        """The ensemble rule that applies these weights."""

        def rule(frames: Sequence[Evidence], classes: int) -> Scores:
            bias = np.full(classes, self.default.bias if self.default else 0.0)
            weights = np.tile(self.default.weights if self.default else (0.0,) * len(self.features), (classes, 1))
            known = np.full(classes, self.default is not None)
            for entry in self.classes:
                bias[entry.index], weights[entry.index], known[entry.index] = entry.bias, entry.weights, True
            values = np.stack([FEATURES[name](frames, classes, self.floor) for name in self.features], axis=1)
            has_evidence = maximum(frames, classes) > 0
            scores: Scores = np.where(
                known & has_evidence, 1 / (1 + np.exp(-(bias + (weights * values).sum(axis=1)))), 0.0
            )
            return scores

        return Ensemble(
            f"stacked/1:{self.name}@{self.digest}", rule, self.label_set, calibrated=self.calibrated_on is not None
        )


def load_stacked_model(path: Path, find: Callable[[str], LabelSet | None]) -> StackedModel:
    """Load a model file for the classes of an installed version; `find` returns label sets by their id.

    Raises `SettingsError` that says what is wrong with the file.
    """
    try:
        model = StackedModel.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"UNCIA_ENSEMBLE_WEIGHTS: {path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "file"
        raise SettingsError(f"UNCIA_ENSEMBLE_WEIGHTS: {path}: {where}: {problem['msg']}") from error
    labels = find(model.label_set)
    if labels is None:
        raise SettingsError(
            f"UNCIA_ENSEMBLE_WEIGHTS: {path} was fitted for the label set {model.label_set}, which no installed model "
            "has: fit it again with `uncia models ensemble`, or choose another UNCIA_ENSEMBLE_RULE"
        )
    for entry in model.classes:
        label = labels.classes[entry.index].label if entry.index < len(labels.classes) else None
        if label != entry.label:
            raise SettingsError(
                f"UNCIA_ENSEMBLE_WEIGHTS: {path}: class {entry.index} is {label!r}, not {entry.label!r}"
            )
    return model


def configured_stacked_model(settings: Settings, find: Callable[[str], LabelSet | None]) -> StackedModel | None:
    """The stacked model where the settings select that rule; else None. Raises `SettingsError`."""
    if settings.ensemble_rule != "stacked":
        return None
    if settings.ensemble_weights is None:
        raise SettingsError("UNCIA_ENSEMBLE_RULE=stacked needs a model file: set UNCIA_ENSEMBLE_WEIGHTS to its path")
    return load_stacked_model(settings.ensemble_weights, find)
