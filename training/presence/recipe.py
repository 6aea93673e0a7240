"""Fit the fusion of presence on data sets, and report it on those that were left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from uncia.camtrap.presence import PresenceModel, load_presence_model
from uncia.training import TrainingError
from uncia.training.presence.evaluation import (
    Group,
    PresenceFigures,
    PresencePredictions,
    figures_of,
    leave_one_out,
    predict_presence,
)
from uncia.training.presence.fitting import DEFAULT_FIT, FitSettings, fit_presence
from uncia.training.presence.labelled_bursts import LabelledBurst, PreparedBurst, blank_parts, prepare_bursts

__all__ = ["FALSE_ALARMS", "TrainedPresence", "choose_threshold", "train_presence"]

FALSE_ALARMS = 0.05
"""Share of the blank bursts that may be called animal."""
_LEAST_BLANKS = 20
"""Blank bursts from which a threshold is chosen: of fewer, one would be 5 %."""


@dataclass(frozen=True)
class TrainedPresence:
    """The model, and its figures on the group that was left out each time."""

    model: PresenceModel
    left_out: Group | None
    """None where there is one camera only: then the figures are of the data that were learnt from."""
    by_dataset: dict[str, PresenceFigures]
    warnings: tuple[str, ...]


def train_presence(
    bursts: Sequence[LabelledBurst],
    name: str,
    *,
    settings: FitSettings = DEFAULT_FIT,
    seed: int = 0,
    resamples: int = 1000,
    false_alarms: float = FALSE_ALARMS,
) -> TrainedPresence:
    """Fit on all bursts; the figures come from models that did not see the data set, or else the camera.

    The threshold is the lowest at which these call at most `false_alarms` of all blank bursts an animal, and 0.5 where
    there are too few. With too few true boxes, the box of choice has the weights of the default model. Raises
    `TrainingError` where animals or blanks are missing.
    """
    warnings: list[str] = []
    left_out = _left_out(bursts)
    prepared = prepare_bursts([*bursts, *blank_parts(bursts)], settings.movement_threshold)
    fitted = fit_presence(prepared, name, settings)
    if left_out is None:
        warnings.append(
            "not split by camera: all bursts are of one camera, so the figures say nothing about another camera"
        )
        predictions = {bursts[0].dataset: predict_presence(fitted, prepared)}
    else:
        predictions = _by_dataset(leave_one_out(prepared, settings, by=left_out), prepared)
    if any(not burst.camera for burst in bursts):
        warnings.append("the camera of some bursts is unknown: their data set counted as one camera")
    threshold = choose_threshold(predictions.values(), false_alarms) if left_out is not None else None
    if threshold is None:
        threshold = fitted.threshold
        warnings.append(f"the threshold of {threshold:g} was not chosen on held-out data: these have too few blanks")
    figures = {
        dataset: figures_of(own, threshold=threshold, seed=seed, resamples=resamples)
        for dataset, own in sorted(predictions.items())
    }
    counts = [f"{dataset}: {own.bursts} bursts, {own.frames} frames" for dataset, own in figures.items()]
    described = fitted.model_copy(
        update={
            "learnt_on": "; ".join(counts),
            "threshold": threshold,
            "choice": fitted.choice or load_presence_model().choice,
            "learnt_at": datetime.now(UTC).strftime("%Y-%m-%d"),
            "split_by_camera": left_out is not None,
            "figures": {dataset: _short(own) for dataset, own in figures.items()},
        }
    )
    return TrainedPresence(described, left_out, figures, tuple(warnings))


def choose_threshold(predictions: Iterable[PresencePredictions], false_alarms: float = FALSE_ALARMS) -> float | None:
    """The lowest threshold, in hundredths, at which at most a share of all blank bursts is called an animal.

    None with fewer than 20 blank bursts.
    """
    blanks = np.concatenate([own.burst_scores[~own.burst_truth] for own in predictions])
    if len(blanks) < _LEAST_BLANKS:
        return None
    hundredths = (step / 100 for step in range(1, 99))
    return next((threshold for threshold in hundredths if (blanks >= threshold).mean() <= false_alarms), 0.99)


def _left_out(bursts: Sequence[LabelledBurst]) -> Group | None:
    """Data sets where there are two with both animals and blanks, else cameras, else nothing."""
    groups: tuple[tuple[Group, list[str]], ...] = (
        ("dataset", [burst.dataset for burst in bursts]),
        ("camera", [burst.place for burst in bursts]),
    )
    for group, keys in groups:
        sides = {(key, burst.animal) for key, burst in zip(keys, bursts, strict=True)}
        if sum((key, True) in sides and (key, False) in sides for key in set(keys)) > 1:
            return group
    if {burst.animal for burst in bursts} != {True, False}:
        raise TrainingError("presence needs bursts with animals and blank ones")
    return None


def _by_dataset(
    predictions: dict[str, PresencePredictions], bursts: Sequence[PreparedBurst]
) -> dict[str, PresencePredictions]:
    """The predictions of groups, joined by data set."""
    dataset_of = {own.burst.name: own.burst.dataset for own in bursts}
    parts: dict[str, list[PresencePredictions]] = {}
    for own in predictions.values():
        parts.setdefault(dataset_of[str(own.burst_names[0])], []).append(own)
    return {
        dataset: PresencePredictions(
            **{name: np.concatenate([getattr(own, name) for own in owns]) for name in vars(owns[0])}
        )
        for dataset, owns in parts.items()
    }


def _short(figures: PresenceFigures) -> dict[str, float]:
    names = ("frame_auc", "burst_auc", "right_boxes", "burst_recall", "burst_false_alarms")
    return {name: round(interval.value, 4) for name in names if (interval := getattr(figures, name)) is not None}
