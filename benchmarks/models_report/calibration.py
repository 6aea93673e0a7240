"""`uncia models calibrate`: thresholds from held-out bursts, and their recall and false alarms on test bursts."""

import numpy as np

from benchmarks.models_report.data import split_data
from benchmarks.models_report.steps import Facts, Report
from uncia.serving.labels import LabelSet
from uncia.training.calibration.calibrated_package import CalibrationError, write_calibrated_package
from uncia.training.calibration.label_set_calibration import ThresholdTarget
from uncia.training.evaluation.bootstrap import bootstrap_interval
from uncia.training.offline_inference.inference import ImageScores, max_by_burst, score_images
from uncia.training.offline_inference.presence import class_presence
from uncia.triton_models.packages.loading import open_package

PROMISES = (ThresholdTarget(at_most_false_alarms=0), ThresholdTarget(least_precision=0.9))


def calibration_step(report: Report) -> Facts:
    """Calibrate for every target on the held-out bursts of the head's data, and evaluate on the test bursts."""
    data, parts = split_data(report)
    package = open_package(report.package("head"))
    held_out, test = score_images(package, parts.held_out), score_images(package, parts.test)
    evaluated = []
    for promise in PROMISES:
        try:
            made, _ = write_calibrated_package(report.package("calibrated"), package, held_out, promise, data.source)
        except CalibrationError as error:
            return {"promises": [], "why": str(error)}
        evaluated.append({"promise": str(promise), **_evaluate(report, made.card.labels, test)})
    return {"promises": evaluated}


def _evaluate(report: Report, labels: LabelSet, test: ImageScores) -> Facts:
    there, _ = class_presence(test.samples, labels)
    empty = np.array([entry.group == "nothing" for entry in labels.classes])
    shown = np.where(empty, max_by_burst(~there, test.bursts) == 0, max_by_burst(there, test.bursts) > 0)
    cuts = np.array([entry.threshold if entry.threshold is not None else np.nan for entry in labels.classes])
    known = np.isfinite(cuts)
    called = max_by_burst(test.window_scores, test.bursts)[:, known] >= cuts[known]
    names = np.broadcast_to(np.unique(test.bursts)[:, None], called.shape)
    return {
        "classes": len(cuts),
        "thresholds": int(known.sum()),
        "found": share_of(report, called, shown[:, known], names),
        "false": share_of(report, called, ~shown[:, known], names),
    }


def share_of(report: Report, called: np.ndarray, among: np.ndarray, names: np.ndarray | None = None) -> Facts:
    """Share of the bursts `among` that were `called` (both boolean), with its bootstrap interval.

    `names` are the bursts' names when several entries belong to one burst; by default every entry is its own burst.
    """
    if not among.any():
        return {"bursts": 0}
    groups = [str(index) for index in range(int(among.sum()))] if names is None else names[among]
    found = bootstrap_interval(called[among], groups, seed=report.seed, resamples=report.sizes.resamples)
    return {"bursts": int(among.sum()), "low": found.low, "value": found.value, "high": found.high}
