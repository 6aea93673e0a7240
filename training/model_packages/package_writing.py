"""A model package: `model.onnx`, `model.json`, `labels.json`, `card.html` in a folder, written whole or not at all."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.events.images import ClassVector
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.serving.labels import LabelClass, LabelSet
from uncia.serving.model_card import CARD_FILE, LABELS_FILE, ModelCard, SelfTest
from uncia.storage.atomic_dir import whole_folder
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.calibration import softmax
from uncia.training.model_packages.card_page import card_page
from uncia.training.model_packages.evaluation import calibrate_classes, evaluate, fit_held_out_temperature
from uncia.training.model_packages.trained_model import LabelledPredictions, TrainedModel
from uncia.triton_models.recipes import dense_pass

GRAPH_FILE = "model.onnx"
PAGE_FILE = "card.html"

_TOLERANCE = 1e-4
"""Largest difference of a probability between torch and ONNX Runtime that is taken."""
_SKEW = 1e-3
"""The same between what was judged (on features out of the cache) and what the graph says of the photograph's file."""
_TRIED = 3
"""Photographs that this is tried on."""


@dataclass(frozen=True)
class TrainedPackage:
    """What was written."""

    folder: Path
    card: ModelCard
    figures: dict[str, dict[str, float]]
    """Of the test side: name to low, value, high."""


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
    """Calibrate, export, compare, and put the package in place of what was there. Raises `TrainingError`."""
    temperature = fit_held_out_temperature(trained.held_out)
    trained.network.temperature.fill_(temperature)
    trained.network.cpu().eval()
    windows = _windows(trained.held_out, temperature)
    classes = calibrate_classes(trained.classes, trained.held_out, windows, least_precision, trained.unseen)
    judged = evaluate(trained.test, temperature, seed=seed)
    labels = LabelSet(
        name=label_set_name(name),
        source=_source(trained, classes, data, least_precision),
        classes=classes,
    )
    try:
        with whole_folder(folder) as made:
            progress("exporting the graph")
            dense_pass.export(trained.network, trained.spec, made / GRAPH_FILE)
            progress("comparing ONNX Runtime with torch")
            whole, best = _compare(trained, made / GRAPH_FILE)
            compare_with_predictions(trained, made / GRAPH_FILE)
            card = ModelCard(
                model=name,
                versions=("1",),
                frame=trained.spec,
                label_set=labels.id,
                labels=labels,
                self_test=SelfTest(whole=ClassVector.pack(whole), windows=ClassVector.pack(best)),
                onnx_sha256=hashlib.sha256((made / GRAPH_FILE).read_bytes()).hexdigest(),
                weights=trained.weights,
                licence=trained.licence,
                built_from=_digest(trained, seed),
            )
            progress("writing the page")
            (made / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            (made / LABELS_FILE).write_text(labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
            page = card_page(trained, data, split, card, judged, temperature, seed)
            (made / PAGE_FILE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"the package {folder} cannot be written ({error.strerror}): make room, then give the same command again; "
            "what was there stays"
        ) from error
    figures = {} if judged is None else judged.figures
    told = {each: {"low": own.low, "value": own.value, "high": own.high} for each, own in figures.items()}
    return TrainedPackage(folder, card, told)


def _source(trained: TrainedModel, classes: Sequence[LabelClass], data: Dataset, least_precision: float) -> str:
    told = (
        f"Learnt from: {data.source}. Thresholds: the lowest with which at least {least_precision:.0%} of the "
        f"held-out bursts that a class is called in show it; calibrations from the same "
        f"{len(set(trained.held_out.bursts))} bursts."
    )
    if not trained.unseen:
        return told
    unseen = [classes[index] for index in trained.unseen]
    told += f" Known from the published network alone: {', '.join(entry.label for entry in unseen)}."
    shown = set(trained.held_out.truth.tolist())
    above = [entry.label for entry in unseen if entry.threshold is not None and entry.index not in shown]
    return f"{told} Its threshold above all of these bursts: {', '.join(above)}." if above else told


def label_set_name(name: str) -> str:
    return name.replace("_", "-").strip("-") or "labels"


def _windows(answers: LabelledPredictions, temperature: float) -> NDArray[np.float32]:
    if answers.windows is not None:
        return answers.windows
    return softmax(answers.logits, temperature).astype(np.float32)


def _ask(graph: Path, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows = session.run(["WHOLE", "WINDOWS"], {"FRAME": pixels})
    return whole, windows


def _compare(trained: TrainedModel, graph: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What torch says of the self-test. Raises `TrainingError` where ONNX Runtime says something else."""
    pattern = self_test_pattern(trained.spec)
    # Two frames that differ, so that an axis that got mixed up cannot hide.
    pixels = np.stack([pattern, 255 - pattern[:, ::-1]])
    expected = dense_pass.run_network(trained.network, pixels)
    for said, wanted in zip(_ask(graph, pixels), expected, strict=False):
        difference = float(np.abs(said - wanted).max())
        if not difference <= _TOLERANCE:
            raise TrainingError(f"ONNX Runtime and torch disagree by {difference:.2g}: nothing was written")
    return expected[0][0], expected[1][0]


def compare_with_predictions(trained: TrainedModel, graph: Path) -> None:
    """The graph, asked with the files themselves, must say what was judged. Raises `TrainingError`."""
    for answers in (trained.held_out, trained.test):
        wanted = softmax(answers.logits[:_TRIED], float(trained.network.temperature))
        for picture, own in zip(answers.pictures[:_TRIED], wanted, strict=False):
            try:
                frame = load_frame(picture.path, trained.spec)
            except (UnciaError, OSError):
                continue
            difference = float(np.abs(_ask(graph, frame[np.newaxis])[0][0] - own).max())
            if not difference <= _SKEW:
                raise TrainingError(
                    f"the exported graph says something else of {picture.path.name} than was judged (by "
                    f"{difference:.2g}): nothing was written. Was the photograph changed meanwhile? Train again"
                )


def _digest(trained: TrainedModel, seed: int) -> str:
    told = json.dumps([trained.settings, trained.weights, seed], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]
