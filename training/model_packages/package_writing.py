"""Write a trained model as a package: `model.onnx`, `model.json`, `labels.json`, `card.html`, atomically."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.events.values import ClassVector
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.serving.labels import LabelClass, LabelSet
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LABELS_FILE
from uncia.storage.atomic_dir import atomic_directory
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.calibration import softmax
from uncia.training.model_packages.card_page import render_card
from uncia.training.model_packages.evaluation import calibrate_classes, evaluate, fit_held_out_temperature
from uncia.training.model_packages.trained_model import LabelledPredictions, TrainedModel
from uncia.triton_models.packages.writing import PAGE_FILE
from uncia.triton_models.recipes import dense_pass

_TOLERANCE = 1e-4
"""Largest accepted difference of a probability between torch and ONNX Runtime."""
_MAX_SKEW = 1e-3
"""The same between the evaluated predictions (on cached features) and the graph's for the photograph's file."""
_PHOTOGRAPHS_COMPARED = 3


@dataclass(frozen=True)
class TrainedPackage:
    """A package that was written."""

    folder: Path
    card: ModelCard
    figures: dict[str, dict[str, float]]
    """Metrics on the test bursts: name to `low`, `value`, `high`."""


def write_trained_package(
    trained: TrainedModel,
    data: Dataset,
    split: Split,
    folder: Path,
    *,
    name: str,
    seed: int,
    least_precision: float = 0.9,
    progress: Callable[[str], None] = lambda step: None,
) -> TrainedPackage:
    """Calibrate, evaluate, export and compare the model, and replace the package in `folder`.

    `least_precision` is the target of the thresholds on held-out bursts. Raises `TrainingError`; an existing package is
    then unchanged.
    """
    temperature = fit_held_out_temperature(trained.held_out)
    trained.network.temperature.fill_(temperature)
    trained.network.cpu().eval()
    windows = _best_windows(trained.held_out, temperature)
    classes = calibrate_classes(trained.classes, trained.held_out, windows, least_precision, trained.unseen)
    evaluation = evaluate(trained.test, temperature, seed=seed)
    labels = LabelSet(
        name=label_set_name(name), source=_describe_source(trained, classes, data, least_precision), classes=classes
    )
    try:
        with atomic_directory(folder) as staging:
            card = _export(trained, labels, staging, name, seed, progress)
            progress("writing the card")
            (staging / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            (staging / LABELS_FILE).write_text(labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
            page = render_card(trained, data, split, card, evaluation, temperature, seed)
            (staging / PAGE_FILE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"the package {folder} cannot be written ({error.strerror}): free some space and run the same command "
            "again; an existing package is unchanged"
        ) from error
    figures = {} if evaluation is None else evaluation.figures
    return TrainedPackage(folder, card, {name: interval.as_dict() for name, interval in figures.items()})


def _export(
    trained: TrainedModel, labels: LabelSet, folder: Path, name: str, seed: int, progress: Callable[[str], None]
) -> ModelCard:
    """Write the graph, compare it with torch, and return its card."""
    graph = folder / GRAPH_FILE
    progress("exporting the graph")
    dense_pass.export(trained.network, trained.spec, graph)
    progress("comparing ONNX Runtime with torch")
    whole, best = _compare_with_torch(trained, graph)
    compare_with_predictions(trained, graph)
    return ModelCard(
        model=name,
        versions=("1",),
        frame=trained.spec,
        label_set=labels.id,
        labels=labels,
        self_test=SelfTest(whole=ClassVector.pack(whole), windows=ClassVector.pack(best)),
        onnx_sha256=hashlib.sha256(graph.read_bytes()).hexdigest(),
        weights=trained.weights,
        licence=trained.licence,
        built_from=_digest(trained, seed),
    )


def _describe_source(
    trained: TrainedModel, classes: Sequence[LabelClass], data: Dataset, least_precision: float
) -> str:
    """The source of the label set: the data, and how its thresholds were chosen."""
    text = (
        f"Trained on: {data.source}. Thresholds: the lowest with which at least {least_precision:.0%} of the held-out "
        f"bursts above it show the class; calibrations from the same {len(set(trained.held_out.bursts))} bursts."
    )
    if not trained.unseen:
        return text
    unseen = [classes[index] for index in trained.unseen]
    text += f" Known from the published network only: {', '.join(entry.label for entry in unseen)}."
    shown = set(trained.held_out.truth.tolist())
    above = [entry.label for entry in unseen if entry.threshold is not None and entry.index not in shown]
    return f"{text} With a threshold above all of these bursts: {', '.join(above)}." if above else text


def label_set_name(name: str) -> str:
    """The name of a model's label set."""
    return name.replace("_", "-").strip("-") or "labels"


def _best_windows(predictions: LabelledPredictions, temperature: float) -> NDArray[np.float32]:
    if predictions.windows is not None:
        return predictions.windows
    return softmax(predictions.logits, temperature).astype(np.float32)


def _run_graph(graph: Path, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """WHOLE and WINDOWS (B, C), computed by ONNX Runtime as it is served."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows = session.run(["WHOLE", "WINDOWS"], {"FRAME": pixels})
    return whole, windows


def _compare_with_torch(trained: TrainedModel, graph: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """WHOLE and WINDOWS (C,) of torch for the self-test. Raises `TrainingError` where ONNX Runtime differs."""
    pattern = self_test_pattern(trained.spec)
    # Two different frames, so that swapped axes are noticed.
    pixels = np.stack([pattern, 255 - pattern[:, ::-1]])
    expected = dense_pass.run_network(trained.network, pixels)
    for output, wanted in zip(_run_graph(graph, pixels), expected, strict=False):
        difference = float(np.abs(output - wanted).max())
        if not difference <= _TOLERANCE:
            raise TrainingError(f"ONNX Runtime and torch differ by {difference:.2g}: nothing was written")
    return expected[0][0], expected[1][0]


def compare_with_predictions(trained: TrainedModel, graph: Path) -> None:
    """Raises `TrainingError` where the graph, run on the files themselves, differs from the evaluated predictions."""
    for predictions in (trained.held_out, trained.test):
        wanted = softmax(predictions.logits[:_PHOTOGRAPHS_COMPARED], float(trained.network.temperature))
        for sample, probabilities in zip(predictions.samples[:_PHOTOGRAPHS_COMPARED], wanted, strict=False):
            try:
                frame = load_frame(sample.path, trained.spec)
            except (UnciaError, OSError):
                continue
            difference = float(np.abs(_run_graph(graph, frame[np.newaxis])[0][0] - probabilities).max())
            if not difference <= _MAX_SKEW:
                raise TrainingError(
                    f"the exported graph differs from the evaluated prediction for {sample.path.name} by "
                    f"{difference:.2g}: nothing was written. Was the photograph changed meanwhile? Train again"
                )


def _digest(trained: TrainedModel, seed: int) -> str:
    content = json.dumps([trained.settings, trained.weights, seed], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]
