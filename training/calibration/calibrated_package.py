"""The same graph with a label set that knows its thresholds."""

from pathlib import Path

from uncia.errors import UnciaError
from uncia.training.calibration.label_set_calibration import ClassCalibration, ThresholdTarget, calibrate_label_set
from uncia.training.offline_inference.inference import ImageScores
from uncia.triton_models.packages.loading import OpenPackage
from uncia.triton_models.packages.writing import render_page, write_package


class CalibrationError(UnciaError):
    """These data say nothing of this model's classes."""


def write_calibrated_package(
    out: Path, package: OpenPackage, answers: ImageScores, promise: ThresholdTarget, source: str
) -> tuple[OpenPackage, list[ClassCalibration]]:
    """Write a package with what `answers` about held-out pictures teach; `source` says in words which data these were.

    Raises `CalibrationError` where they teach nothing.
    """
    card = package.card
    bursts = len(set(answers.bursts.tolist()))
    said = f"{bursts} held-out bursts: {source}"
    labels, learnt = calibrate_label_set(card.labels, answers.window_scores, answers.samples, promise, said)
    if not learnt:
        raise CalibrationError(
            f"{bursts} bursts teach nothing of these classes: a class needs three bursts that show it, and three that "
            "do not. Labels or taxa of the data must be those of the model"
        )
    rows: list[tuple[object, ...]] = [("class", "threshold", "found", "false alarms", "calibrated")]
    for each in learnt:
        rows.append(
            (
                each.label,
                "none" if each.threshold is None else f"{each.threshold:g}",
                f"{each.found} of {each.present}",
                f"{each.false_alarms} of {each.absent}",
                "yes" if each.calibrated else "no",
            )
        )
    told = [
        f"The graph of {card.model} ({card.onnx_sha256[:12]}), with thresholds and calibration learnt on {said}.",
        f"The promise: {promise}. Counts are of the very bursts that it was learnt on; others will differ.",
    ]
    made = write_package(
        out,
        package.graph.read_bytes(),
        model=card.model,
        frame=card.frame,
        labels=labels,
        weights=card.weights,
        licence=card.licence,
        page=render_page(f"{card.model}, calibrated", told, {"Classes": rows}),
        built_from=card.built_from,
    )
    return made, learnt
