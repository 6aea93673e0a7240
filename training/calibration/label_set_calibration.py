"""What held-out bursts say of a label set: from which score a class counts as seen, and how likely it then is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import LabelSet
from uncia.training.datasets.dataset import Sample
from uncia.training.evaluation.calibration import fit_calibration
from uncia.training.evaluation.thresholds import choose_threshold
from uncia.training.offline_inference.inference import max_by_burst
from uncia.training.offline_inference.presence import class_presence


@dataclass(frozen=True, slots=True)
class ThresholdTarget:
    """What a threshold must keep on the bursts that it is chosen on: one of the two."""

    least_precision: float | None = None
    at_most_false_alarms: int | None = None

    def __str__(self) -> str:
        if self.least_precision is not None:
            return f"at least {self.least_precision:.0%} of what is called so is so"
        return f"at most {self.at_most_false_alarms} false alarms"


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """What was learnt of one class."""

    label: str
    present: int
    """Bursts that show it."""
    absent: int
    found: int
    """Bursts that show it and reach the threshold."""
    false_alarms: int
    threshold: float | None
    calibrated: bool


def calibrate_label_set(
    labels: LabelSet,
    windows: NDArray[np.floating],
    pictures: Sequence[Sample],
    promise: ThresholdTarget,
    source: str,
    *,
    least_bursts: int = 3,
) -> tuple[LabelSet, list[ClassCalibration]]:
    """The label set with thresholds and calibrations, and what they come from.

    `windows` (N, C): the best windows of N held-out pictures, as the stream would see them. A class that fewer than
    `least_bursts` bursts show keeps what it had: the data do not speak of it. A class that is shown but for which no
    threshold keeps the promise has none afterwards. `source` says in words which data these were.
    """
    bursts = np.array([picture.burst for picture in pictures], dtype=np.str_)
    there, known = class_presence(pictures, labels)
    # Nothing is in a burst only if it is in all frames of it.
    empty = np.array([entry.group == "nothing" and entry.label == "nothing" for entry in labels.classes])
    peaks = max_by_burst(windows, bursts)
    shown = np.where(empty, max_by_burst(~there, bursts) == 0, max_by_burst(there, bursts) > 0)
    told = max_by_burst(~known, bursts) == 0
    classes, learnt = [], []
    for entry in labels.classes:
        rows = told[:, entry.index]
        present, scores = shown[rows, entry.index], np.clip(peaks[rows, entry.index], 0, 1)
        if present.sum() < least_bursts or (~present).sum() < least_bursts:
            classes.append(entry)
            continue
        threshold = choose_threshold(
            scores,
            present,
            least_precision=promise.least_precision,
            at_most_false_alarms=promise.at_most_false_alarms,
        )
        curve = fit_calibration(scores, present)
        called = scores >= threshold if threshold is not None else np.zeros_like(present)
        learnt.append(
            ClassCalibration(
                label=entry.label,
                present=int(present.sum()),
                absent=int((~present).sum()),
                found=int((called & present).sum()),
                false_alarms=int((called & ~present).sum()),
                threshold=threshold,
                calibrated=curve is not None,
            )
        )
        classes.append(entry.model_copy(update={"threshold": threshold, "calibration": curve}))
    said = f"{labels.source} " if labels.source else ""
    note = f"{said}Thresholds and calibration of {len(learnt)} classes: {source} ({promise})."
    return LabelSet(name=labels.name, source=note, classes=tuple(classes)), learnt
