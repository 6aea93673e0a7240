"""Write a package with the same graph and a calibrated label set."""

from pathlib import Path

from uncia.errors import UnciaError
from uncia.training.calibration.label_set_calibration import ClassCalibration, ThresholdTarget, calibrate_label_set
from uncia.training.offline_inference.inference import ImageScores
from uncia.triton_models.packages.loading import OpenPackage
from uncia.triton_models.packages.writing import render_page, write_package


class CalibrationError(UnciaError):
    """These data calibrate none of the model's classes."""


def write_calibrated_package(
    out: Path, package: OpenPackage, scores: ImageScores, target: ThresholdTarget, source: str
) -> tuple[OpenPackage, list[ClassCalibration]]:
    """Calibrate on the `scores` of held-out pictures and write the package `out`; `source` describes the data.

    Raises `CalibrationError` where no class has enough bursts.
    """
    card = package.card
    bursts = len(set(scores.bursts.tolist()))
    data = f"{bursts} held-out bursts: {source}"
    labels, calibrations = calibrate_label_set(card.labels, scores.window_scores, scores.samples, target, data)
    if not calibrations:
        raise CalibrationError(
            f"{bursts} bursts calibrate none of these classes: a class needs three bursts that show it and three that "
            "do not. Labels or taxa of the data must be those of the model"
        )
    rows: list[tuple[object, ...]] = [("class", "threshold", "found", "false alarms", "calibrated")]
    for entry in calibrations:
        rows.append(
            (
                entry.label,
                "none" if entry.threshold is None else f"{entry.threshold:g}",
                f"{entry.found} of {entry.present}",
                f"{entry.false_alarms} of {entry.absent}",
                "yes" if entry.calibrated else "no",
            )
        )
    text = [
        f"The graph of {card.model} ({card.onnx_sha256[:12]}), with thresholds and calibration fitted on {data}.",
        f"Target: {target}. The counts are those of the bursts that the thresholds were chosen on; others will differ.",
    ]
    written = write_package(
        out,
        package.graph.read_bytes(),
        model=card.model,
        frame=card.frame,
        labels=labels,
        weights=card.weights,
        licence=card.licence,
        page=render_page(f"{card.model}, calibrated", text, {"Classes": rows}),
        built_from=card.built_from,
    )
    return written, calibrations
