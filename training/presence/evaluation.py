"""How well presence is decided on data that nothing was fitted on: one data set or camera is left out at a time.

Intervals are bootstrap intervals over bursts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.presence import EvidenceWeights, PresenceModel, intersection_over_union
from uncia.training import TrainingError
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.metrics import area_under_curve
from uncia.training.presence.fitting import DEFAULT_FIT, FitSettings, fit_presence
from uncia.training.presence.labelled_bursts import PreparedBurst

__all__ = [
    "VARIANTS",
    "PresenceFigures",
    "PresencePredictions",
    "detector_alone",
    "figures_of",
    "leave_one_out",
    "predict_presence",
    "variant_settings",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Group = Literal["dataset", "camera"]

VARIANTS: dict[str, tuple[str, ...]] = {
    "detector and size": ("score", "size"),
    "and movement": ("score", "size", "moved", "recurrence", "scene_moved", "peak_moved"),
    "and dense pass": ("score", "size", "dense"),
    "all": ("score", "size", "moved", "recurrence", "scene_moved", "peak_moved", "dense"),
}
"""Features by name of the variant, for tables that show what each part contributes."""

_BOX_IS_RIGHT = 0.5


@dataclass(frozen=True)
class PresencePredictions:
    """Probabilities of F labelled frames and B bursts, and their truth."""

    frame_truth: Bools
    frame_scores: Floats
    frame_bursts: NDArray[np.str_]
    burst_truth: Bools
    burst_scores: Floats
    burst_names: NDArray[np.str_]
    right_boxes: Bools
    """Of each frame with true boxes, whether the box of choice fits one of them (IoU 0.5)."""
    right_box_bursts: NDArray[np.str_]


@dataclass(frozen=True)
class PresenceFigures:
    """Figures of one data set; None where the data cannot tell."""

    frames: int
    blank_frames: int
    bursts: int
    blank_bursts: int
    frame_auc: Interval | None
    burst_auc: Interval | None
    right_boxes: Interval | None
    frame_recall: Interval | None
    """Share of the animal frames at or over the threshold."""
    frame_false_alarms: Interval | None
    """Share of the blank frames at or over the threshold."""
    burst_recall: Interval | None
    burst_false_alarms: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {name: value.as_dict() if isinstance(value, Interval) else value for name, value in vars(self).items()}


def detector_alone() -> PresenceModel:
    """The score of the best box and nothing else: the baseline. Its values order bursts; they are no probabilities."""
    only_score = EvidenceWeights(bias=0.0, features={"score": 1.0})
    return PresenceModel(name="detector-alone", single=only_score, still=only_score, moving=only_score)


def predict_presence(model: PresenceModel, bursts: Sequence[PreparedBurst]) -> PresencePredictions:
    """Apply a model to all bursts, which were prepared with its movement threshold."""
    truth: list[bool] = []
    scores: list[float] = []
    names: list[str] = []
    right: list[bool] = []
    right_names: list[str] = []
    burst_scores: list[float] = []
    for own in bursts:
        result = model.assess_features(own.best)
        burst_scores.append(result.burst_probability)
        for frame, score, box in zip(own.burst.frames, result.frame_probabilities, result.best_boxes, strict=True):
            if frame.animal is None or own.burst.part:  # a part's frames count in their burst already
                continue
            truth.append(frame.animal)
            scores.append(float(score))
            names.append(own.burst.name)
            if frame.animal and frame.true_boxes is not None and len(frame.true_boxes):
                right.append(box is not None and _fits(frame.evidence.boxes[box], frame.true_boxes))
                right_names.append(own.burst.name)
    return PresencePredictions(
        np.array(truth, dtype=bool),
        np.array(scores, dtype=np.float64),
        np.array(names, dtype=np.str_),
        np.array([own.burst.animal for own in bursts], dtype=bool),
        np.array(burst_scores, dtype=np.float64),
        np.array([own.burst.name for own in bursts], dtype=np.str_),
        np.array(right, dtype=bool),
        np.array(right_names, dtype=np.str_),
    )


def leave_one_out(
    bursts: Sequence[PreparedBurst], settings: FitSettings = DEFAULT_FIT, *, by: Group = "dataset"
) -> dict[str, PresencePredictions]:
    """Predictions by data set (or camera), each by a model that was fitted on all the others.

    A camera that is unknown counts as its data set. Raises `TrainingError` where the others lack animals or blanks.
    """
    groups = [own.burst.dataset if by == "dataset" else own.burst.place for own in bursts]
    found = {}
    for group in sorted(set(groups)):
        others = [own for own, at in zip(bursts, groups, strict=True) if at != group]
        if not others:
            raise TrainingError("leaving one out needs two data sets or cameras")
        model = fit_presence(others, "held-out", settings)
        found[group] = predict_presence(model, [own for own, at in zip(bursts, groups, strict=True) if at == group])
    return found


def figures_of(
    predictions: PresencePredictions, *, threshold: float = 0.5, seed: int = 0, resamples: int = 1000
) -> PresenceFigures:
    """All figures of some predictions, with 95 % intervals over bursts."""
    at = predictions

    def interval(
        values: NDArray[Any], bursts: NDArray[np.str_], statistic: Callable[[Floats], float] | None = None
    ) -> Interval | None:
        if not len(values):
            return None
        if statistic is None:
            return bootstrap_interval(values, bursts, seed=seed, resamples=resamples)
        return bootstrap_interval(values, bursts, statistic=statistic, seed=seed, resamples=resamples)

    def auc(truth: Bools, scores: Floats, bursts: NDArray[np.str_]) -> Interval | None:
        if truth.all() or not truth.any():
            return None
        return interval(np.column_stack([truth, scores]), bursts, area_under_curve)

    def over(truth: Bools, scores: Floats, bursts: NDArray[np.str_]) -> Interval | None:
        return interval(scores[truth] >= threshold, bursts[truth])

    frame = (at.frame_truth, at.frame_scores, at.frame_bursts)
    burst = (at.burst_truth, at.burst_scores, at.burst_names)
    return PresenceFigures(
        frames=len(at.frame_truth),
        blank_frames=int((~at.frame_truth).sum()),
        bursts=len(at.burst_truth),
        blank_bursts=int((~at.burst_truth).sum()),
        frame_auc=auc(*frame),
        burst_auc=auc(*burst),
        right_boxes=interval(at.right_boxes, at.right_box_bursts),
        frame_recall=over(*frame),
        frame_false_alarms=over(~at.frame_truth, *frame[1:]),
        burst_recall=over(*burst),
        burst_false_alarms=over(~at.burst_truth, *burst[1:]),
    )


def variant_settings(variant: str, base: FitSettings = DEFAULT_FIT) -> FitSettings:
    """Fit settings with the features of a variant."""
    return replace(base, features=VARIANTS[variant])


def _fits(box: NDArray[np.floating], truth: Floats) -> bool:
    own = np.asarray(box, dtype=np.float64)[None]
    return bool(intersection_over_union(own, truth).max() >= _BOX_IS_RIGHT)
