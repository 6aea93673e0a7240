"""Write a trained detector as a package: `model.onnx`, `model.json`, `card.html`, atomically.

`uncia models install` installs it as the next version of its model, `animal_detector` unless it is given another name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE
from uncia.serving.self_tests import detector_test_frame
from uncia.storage.atomic_dir import atomic_directory
from uncia.storage.durable import describe_write_error
from uncia.training import TrainingError
from uncia.training.detectors.annotated_frames import AnnotatedFrames, FrameSplit
from uncia.training.detectors.evaluation import RunDetector, detect_frames, evaluate
from uncia.training.detectors.quantised import open_detector, quantise_detector
from uncia.training.evaluation.bootstrap import Interval
from uncia.training.model_packages.trained_model import CurvePoint
from uncia.triton_models.packages.writing import PAGE_FILE, TableRows, render_page
from uncia.triton_models.recipes.detector_graph import export, run_network
from uncia.triton_models.recipes.detector_weights import NAME
from uncia.triton_models.repository import sha256

_TOLERANCE = 2e-3
"""Largest accepted difference of a score between torch and ONNX Runtime."""
_SHOWN_FROM = 0.01
_FEW_BURSTS = 20
"""Test bursts below which the card warns: the intervals say little then."""


@dataclass
class FinishedDetector:
    """A detector that was trained, as a graph from pixels to boxes, and what its card says about it."""

    graph: nn.Module
    """In evaluation mode; takes and returns the tensors of an `animal_detector`."""
    spec: FrameSpec
    categories: tuple[DetectionCategory, ...]
    weights: str
    licence: str
    settings: dict[str, str]
    curve: list[CurvePoint]
    unreadable: dict[Path, str]
    before: RunDetector | None = None
    """The detector before training, for the comparison; None where it started from random weights."""
    quantisable: bool = False
    """Whether its graph can be computed in int8."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DetectorPackage:
    """A package that was written."""

    folder: Path
    card: DetectorCard
    figures: dict[str, dict[str, Interval]]
    """Metrics on the test frames: `before` (where there was a detector before) and `after`."""
    notes: tuple[str, ...]


def write_detector_package(
    finished: FinishedDetector,
    data: AnnotatedFrames,
    split: FrameSplit,
    folder: Path,
    *,
    seed: int,
    int8: bool = False,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> DetectorPackage:
    """Export, compare with torch, evaluate on the test frames, and replace the package in `folder`.

    With `int8` the convolutions are computed in int8 where the graph can be and the held-out frames show no loss; the
    figures are then those of the int8 graph. Raises `TrainingError`; an existing package is then unchanged.
    """
    try:
        with atomic_directory(folder) as staging:
            progress("exporting", 0, 0)
            graph = staging / GRAPH_FILE
            export(finished.graph, finished.spec, graph)
            run = open_detector(graph)
            _compare(finished, run)
            precision, lost = "float32", ""
            if int8 and finished.quantisable:
                progress("int8", 0, 0)
                quantised = quantise_detector(graph.read_bytes(), split, finished.spec, finished.unreadable)
                lost = quantised.note
                if quantised.graph is not None:
                    graph.write_bytes(quantised.graph)
                    run, precision = open_detector(graph), "int8"
            figures = {"after": _evaluate("the trained detector", run, finished, split, seed, progress)}
            if finished.before is not None:
                figures["before"] = _evaluate(
                    "the detector before training", finished.before, finished, split, seed, progress
                )
            notes = (*finished.notes, *([lost] if lost else []), *_warnings(split, data))
            card = _card(finished, graph, run, data, split, notes, precision)
            (staging / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            page = _page(finished, card, data, split, figures, notes, precision)
            (staging / PAGE_FILE).write_text(page, encoding="utf-8")
    except OSError as error:
        problem = describe_write_error(error)
        raise TrainingError(f"{folder} could not be written ({problem}); an existing package is unchanged") from error
    return DetectorPackage(folder, card, figures, notes)


def _compare(finished: FinishedDetector, run: RunDetector) -> None:
    frame = detector_test_frame(finished.spec)
    pixels = np.stack([frame, 255 - frame[:, ::-1]])
    difference = float(np.abs(run(pixels)[1] - run_network(finished.graph, pixels)[1]).max())
    if not difference <= _TOLERANCE:
        raise TrainingError(f"ONNX Runtime and torch differ by {difference:.2g}: this pair of versions cannot be used")


def _evaluate(
    what: str,
    run: RunDetector,
    finished: FinishedDetector,
    split: FrameSplit,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> dict[str, Interval]:
    evaluated = detect_frames(
        split.test,
        run,
        finished.spec,
        finished.unreadable,
        progress=lambda done, total: progress(f"test frames, {what}", done, total),
    )
    return evaluate(evaluated, seed=seed)


def _warnings(split: FrameSplit, data: AnnotatedFrames) -> list[str]:
    found = []
    if split.by != "camera":
        found.append(
            "Not split by camera: its test frames are from cameras that it was trained on. On cameras that it never "
            "saw it is worse than these figures say; measure it there before you promote it."
        )
    bursts = len({frame.burst for frame in split.test})
    if bursts < _FEW_BURSTS:
        found.append(f"Only {bursts} test bursts: the intervals are wide.")
    if not any(not frame.boxes for frame in split.train):
        found.append("No blank frames to train on: expect false alarms. Add blanks of your cameras.")
    if data.left_out:
        found.append(
            f"{data.left_out} photographs of an animal, person or vehicle have no box and were left out: "
            "`uncia data boxes` makes some."
        )
    return found


def _card(
    finished: FinishedDetector,
    graph: Path,
    run: RunDetector,
    data: AnnotatedFrames,
    split: FrameSplit,
    notes: tuple[str, ...],
    precision: str,
) -> DetectorCard:
    boxes, scores, categories = (output[0] for output in run(detector_test_frame(finished.spec)[np.newaxis]))
    shown = int((scores >= _SHOWN_FROM).sum())
    subsets = ", ".join(
        f"{name} {len(frames)}" for name, frames in zip(("training", "held-out", "test"), split.subsets, strict=True)
    )
    return DetectorCard(
        model=NAME,
        versions=("1",),
        frame=finished.spec,
        categories=finished.categories,
        self_test=DetectorSelfTest(
            boxes=tuple(tuple(map(float, box)) for box in boxes[:shown].round(4)),
            scores=tuple(float(score) for score in scores[:shown].round(4)),
            categories=tuple(int(category) for category in categories[:shown]),
            # Processors round int8 differently.
            tolerance=0.06 if precision == "int8" else 0.03,
        ),
        onnx_sha256=sha256(graph),
        weights=f"{finished.weights}, in {precision}",
        licence=finished.licence,
        trained_on=f"{data.source}; frames: {subsets}; split by {split.by}",
        notes=" ".join(notes),
    )


def _page(
    finished: FinishedDetector,
    card: DetectorCard,
    data: AnnotatedFrames,
    split: FrameSplit,
    figures: Mapping[str, Mapping[str, Interval]],
    notes: tuple[str, ...],
    precision: str,
) -> str:
    subsets: list[list[Any]] = [["subset", "frames", "with boxes", "blank", "bursts", "cameras"]]
    for name, frames in zip(("training", "held-out", "test"), split.subsets, strict=True):
        boxed = sum(bool(frame.boxes) for frame in frames)
        cameras = {frame.camera for frame in frames if frame.camera}
        bursts = {frame.burst for frame in frames}
        subsets.append([name, len(frames), boxed, len(frames) - boxed, len(bursts), len(cameras) or "unknown"])
    before, after = figures.get("before", {}), figures["after"]
    metrics = [["metric, on the test frames", "before training", "after training"]]
    metrics += [[name, str(before.get(name, "-")), str(interval)] for name, interval in after.items()]
    curve: list[list[Any]] = [["epoch", "training loss", "held-out score", "hard blanks scoring 0.2 and more"]]
    curve += [
        [point.step, f"{point.train_loss:.3f}", f"{point.held_out_accuracy:.3f}", f"{point.train_accuracy:.2f}"]
        for point in finished.curve
    ]
    tables: dict[str, TableRows] = {
        "Evaluation, with 95 % intervals over bursts": metrics,
        "Data": subsets,
        "Training": curve,
        "Settings": [
            ["setting", "value"],
            ["frame", f"{finished.spec.width} x {finished.spec.height}"],
            ["precision", precision],
            *map(list, finished.settings.items()),
        ],
    }
    if finished.unreadable:
        listed = sorted(finished.unreadable.items())[:50]
        tables["Files that could not be read"] = [["file", "reason"], *([str(path), why] for path, why in listed)]
    paragraphs = [
        f"Detector of {', '.join(card.categories)}. Weights: {card.weights}. Licence: {card.licence}.",
        f"Data: {data.source}. Split by {split.by}.",
        *notes,
    ]
    return render_page(f"{card.model}: trained detector", paragraphs, tables)
