"""Calibrate a label set on held-out bursts: from which score a class counts as found, and how probable it then is."""

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
    """What a threshold must meet on the bursts that it is chosen on: one of the two."""

    least_precision: float | None = None
    at_most_false_alarms: int | None = None

    def __str__(self) -> str:
        if self.least_precision is not None:
            return f"precision of at least {self.least_precision:.0%}"
        return f"at most {self.at_most_false_alarms} false alarms"


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """The calibration of one class. The fields are the JSON keys of `uncia models calibrate`."""

    label: str
    present: int
    """Bursts that show the class."""
    absent: int
    found: int
    """Bursts that show the class and reach the threshold."""
    false_alarms: int
    """Bursts that do not show the class and reach the threshold."""
    threshold: float | None
    calibrated: bool


def calibrate_label_set(
    labels: LabelSet,
    windows: NDArray[np.floating],
    samples: Sequence[Sample],
    target: ThresholdTarget,
    source: str,
    *,
    least_bursts: int = 3,
) -> tuple[LabelSet, list[ClassCalibration]]:
    """The label set with thresholds and calibrations, and the counts behind them.

    `windows` (N, C): the best windows of N held-out pictures, scored as in the stream. A class that fewer than
    `least_bursts` bursts show, or do not show, is left unchanged. A class with enough bursts for which no threshold
    meets the target has none afterwards. `source` describes the data for readers.
    """
    bursts = np.array([sample.burst for sample in samples], dtype=np.str_)
    present_in_picture, known_in_picture = class_presence(samples, labels)
    # A burst shows nothing only if all of its frames do.
    empty = np.array([entry.group == "nothing" and entry.label == "nothing" for entry in labels.classes])
    best = max_by_burst(windows, bursts)
    shown = np.where(
        empty, max_by_burst(~present_in_picture, bursts) == 0, max_by_burst(present_in_picture, bursts) > 0
    )
    known = max_by_burst(~known_in_picture, bursts) == 0
    classes, calibrations = [], []
    for entry in labels.classes:
        rows = known[:, entry.index]
        present, scores = shown[rows, entry.index], np.clip(best[rows, entry.index], 0, 1)
        if min(present.sum(), (~present).sum()) < least_bursts:
            classes.append(entry)
            continue
        threshold = choose_threshold(
            scores,
            present,
            least_precision=target.least_precision,
            at_most_false_alarms=target.at_most_false_alarms,
        )
        curve = fit_calibration(scores, present)
        found = scores >= threshold if threshold is not None else np.zeros_like(present)
        calibrations.append(
            ClassCalibration(
                label=entry.label,
                present=int(present.sum()),
                absent=int((~present).sum()),
                found=int((found & present).sum()),
                false_alarms=int((found & ~present).sum()),
                threshold=threshold,
                calibrated=curve is not None,
            )
        )
        classes.append(entry.model_copy(update={"threshold": threshold, "calibration": curve}))
    before = f"{labels.source} " if labels.source else ""
    note = f"{before}Thresholds and calibration of {len(calibrations)} classes: {source} ({target})."
    return LabelSet(name=labels.name, source=note, classes=tuple(classes)), calibrations
