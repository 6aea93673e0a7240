"""Calibrating a label set on held-out bursts: which classes change, and which stay."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.ensembles.tiny_packages import tiny_package
from uncia.serving.labels import LabelClass, LabelSet
from uncia.training.calibration.calibrated_package import CalibrationError, write_calibrated_package
from uncia.training.calibration.label_set_calibration import ThresholdTarget, calibrate_label_set
from uncia.training.datasets.dataset import Sample
from uncia.training.offline_inference.inference import ImageScores
from uncia.triton_models.packages.loading import open_package

NO_ALARM = ThresholdTarget(at_most_false_alarms=0)
LABELS = LabelSet(
    name="some",
    source="Drawn.",
    classes=(
        LabelClass(index=0, label="fox", taxon="", group="animal"),
        LabelClass(index=1, label="snow leopard", taxon="Panthera uncia", group="animal", threshold=0.02),
        LabelClass(index=2, label="nothing", taxon="", group="nothing"),
    ),
)


def bursts(label: str, scores: list[list[float]], *, frames: int = 1) -> tuple[list[Sample], list[list[float]]]:
    pictures = [
        Sample(
            Path(f"{label}{at}.jpg"),
            label,
            f"{label}-{at // frames}",
            "c",
            group="animal" if label == "fox" else "nothing",
        )
        for at in range(len(scores))
    ]
    return pictures, scores


def some() -> tuple[list[Sample], np.ndarray]:
    foxes, high = bursts("fox", [[0.6, 0.0, 0.1], [0.7, 0.0, 0.2], [0.9, 0.01, 0.1], [0.3, 0.0, 0.3]])
    blanks, low = bursts("nothing", [[0.1, 0.0, 0.9], [0.2, 0.0, 0.8], [0.4, 0.0, 0.7], [0.05, 0.0, 0.9]])
    return [*foxes, *blanks], np.array([*high, *low])


def test_a_class_gets_the_threshold_that_lets_no_false_alarm_pass() -> None:
    pictures, windows = some()
    labels, learnt = calibrate_label_set(LABELS, windows, pictures, NO_ALARM, "drawn")
    assert labels.classes[0].threshold == pytest.approx(0.5, abs=0.01)
    assert (learnt[0].found, learnt[0].present, learnt[0].false_alarms) == (3, 4, 0)


def test_a_class_gets_a_calibration() -> None:
    pictures, windows = some()
    curve = calibrate_label_set(LABELS, windows, pictures, NO_ALARM, "drawn")[0].classes[0].calibration
    assert curve is not None
    assert curve.probability(0.9) > 0.5 > curve.probability(0.05)


def test_a_class_that_the_data_do_not_show_keeps_its_threshold() -> None:
    pictures, windows = some()
    assert calibrate_label_set(LABELS, windows, pictures, NO_ALARM, "drawn")[0].classes[1] == LABELS.classes[1]


def test_the_best_frame_of_a_burst_counts() -> None:
    foxes, high = bursts("fox", [[0.01, 0, 0.1], [0.7, 0, 0.2]] * 3, frames=2)
    blanks, low = bursts("nothing", [[0.2, 0, 0.9]] * 6, frames=2)
    _, learnt = calibrate_label_set(LABELS, np.array([*high, *low]), [*foxes, *blanks], NO_ALARM, "drawn")
    assert (learnt[0].present, learnt[0].found) == (3, 3)


def test_a_burst_with_one_animal_frame_is_not_empty() -> None:
    foxes, high = bursts("fox", [[0.7, 0, 0.1]] * 3)
    mixed = [Sample(Path(f"m{at}.jpg"), "nothing", f"fox-{at}", "c", group="nothing") for at in range(3)]
    blanks, low = bursts("nothing", [[0.2, 0, 0.9]] * 3)
    windows = np.array([*high, *([[0.0, 0, 0.8]] * 3), *low])
    _, learnt = calibrate_label_set(LABELS, windows, [*foxes, *mixed, *blanks], NO_ALARM, "drawn")
    nothing = next(entry for entry in learnt if entry.label == "nothing")
    assert (nothing.present, nothing.absent) == (3, 3)


def test_the_source_says_what_it_was_learnt_on() -> None:
    pictures, windows = some()
    labels, _ = calibrate_label_set(LABELS, windows, pictures, NO_ALARM, "eight drawn bursts")
    assert labels.source == (
        "Drawn. Thresholds and calibration of 2 classes: eight drawn bursts (at most 0 false alarms)."
    )


def test_a_class_has_no_threshold_where_none_meets_the_target() -> None:
    foxes, high = bursts("fox", [[0.1, 0, 0]] * 3)
    blanks, low = bursts("nothing", [[0.5, 0, 0]] * 3)
    labels, _ = calibrate_label_set(LABELS, np.array([*high, *low]), [*foxes, *blanks], NO_ALARM, "drawn")
    assert labels.classes[0].threshold is None
    assert labels.classes[0].calibration is None


def test_a_calibrated_package_has_the_same_graph_and_other_labels(tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "tiny", 1, labels=("fox", "lynx", "nothing"))
    pictures, windows = some()
    answers = ImageScores(tuple(pictures), windows.astype(np.float16), windows.astype(np.float16))
    write_calibrated_package(tmp_path / "new", package, answers, NO_ALARM, "eight drawn bursts")
    made = open_package(tmp_path / "new")
    assert made.card.onnx_sha256 == package.card.onnx_sha256
    assert made.card.label_set != package.card.label_set
    assert made.card.labels.classes[0].threshold is not None


def test_data_of_other_classes_are_rejected(tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "tiny", 1)
    stones = [Sample(Path(f"{at}.jpg"), "stone", f"b{at}", "c") for at in range(8)]
    answers = ImageScores(tuple(stones), np.zeros((8, 3), np.float16), np.zeros((8, 3), np.float16))
    with pytest.raises(CalibrationError, match="calibrate none of these classes"):
        write_calibrated_package(tmp_path / "new", package, answers, NO_ALARM, "stones")
    assert not (tmp_path / "new").exists()
