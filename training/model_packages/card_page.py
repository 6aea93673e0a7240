"""The HTML card of a model package: what it was trained on, its metrics, its mistakes. One self-contained file."""

import base64
import io
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import ModelCard
from uncia.terminal import printable_in_html
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.model_packages.evaluation import EvaluationResult
from uncia.training.model_packages.plots import line_plot, reliability_plot
from uncia.training.model_packages.trained_model import CurvePoint, TrainedModel

_TEMPLATE = "card.html.j2"
_MAX_MISTAKES = 12
_THUMBNAIL = FrameSpec(width=320, height=240, crop_top=0, crop_bottom=0, window=320)
_MAX_CLASSES = 40
"""A larger confusion matrix is unreadable; it shows the most confused classes."""
_MAX_UNREADABLE = 50

_MEANINGS = {
    "top-1": "share of photographs whose best class is correct",
    "top-5": "share of photographs with the correct class among the best five",
    "mean reciprocal rank": "1 when the correct class is always first, 0.5 when always second",
    "log loss": "0 is perfect; confident mistakes cost most",
    "calibration error": "mean distance between confidence and accuracy",
}


def render_card(
    trained: TrainedModel,
    data: Dataset,
    split: Split,
    card: ModelCard,
    evaluation: EvaluationResult | None,
    temperature: float,
    seed: int,
) -> str:
    """The page as HTML, with plots and pictures inside. `evaluation` is None without test photographs."""
    template = jinja2.Environment(
        autoescape=True, finalize=printable_in_html, undefined=jinja2.StrictUndefined
    ).from_string(files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    figures = {} if evaluation is None else evaluation.figures
    return template.render(
        card=card,
        source=data.source,
        settings={**trained.settings, "seed": str(seed)},
        by=split.by,
        subsets=_subsets(trained, split),
        classes=_classes(trained, split, card, evaluation),
        figures=[(name, _MEANINGS[name], interval) for name, interval in figures.items()],
        bursts=len(set(trained.test.bursts)),
        photographs=len(trained.test.samples),
        temperature=temperature,
        plots=_plots(trained.curve, trained.curve_step, evaluation),
        confusion=None if evaluation is None else _confusion(evaluation, [entry.label for entry in trained.classes]),
        mistakes=[] if evaluation is None else _mistakes(trained, evaluation),
        unreadable=[(str(path), reason) for path, reason in sorted(trained.unreadable.items())[:_MAX_UNREADABLE]],
        unreadable_count=len(trained.unreadable),
        notes=trained.notes,
    )


def _plots(curve: list[CurvePoint], step: str, evaluation: EvaluationResult | None) -> list[str]:
    losses = {
        "training": [(point.step, point.train_loss) for point in curve],
        "held-out": [(point.step, point.held_out_loss) for point in curve],
    }
    accuracies = {
        "training": [(point.step, point.train_accuracy) for point in curve],
        "held-out": [(point.step, point.held_out_accuracy) for point in curve],
    }
    plots = [line_plot("Loss", step, losses, low=0), line_plot("Accuracy", step, accuracies, low=0, high=1)]
    if evaluation is not None:
        plots.append(reliability_plot("Reliability on the test bursts: accuracy by confidence", evaluation.bins))
    return plots


def _subsets(trained: TrainedModel, split: Split) -> list[tuple[str, int, int, int]]:
    """Name, photographs, bursts and cameras of each subset."""
    rows = []
    for name, samples in zip(("training", "held-out", "test"), split.subsets, strict=True):
        readable = [sample for sample in samples if sample.path not in trained.unreadable]
        cameras = {sample.camera for sample in readable if sample.camera}
        rows.append((name, len(readable), len({sample.burst for sample in readable}), len(cameras)))
    return rows


def _classes(
    trained: TrainedModel, split: Split, card: ModelCard, evaluation: EvaluationResult | None
) -> list[dict[str, Any]]:
    """Each class with its photographs by subset, and how many of its test photographs were predicted correctly."""
    counts = [
        Counter(sample.label for sample in samples if sample.path not in trained.unreadable)
        for samples in split.subsets
    ]
    rows = []
    for entry in card.labels.classes:
        correct, total = 0, 0
        if evaluation is not None:
            row = evaluation.confusion[entry.index]
            correct, total = int(row[entry.index]), int(row.sum())
        rows.append(
            {"entry": entry, "counts": [count[entry.label] for count in counts], "correct": correct, "total": total}
        )
    return rows


def _confusion(evaluation: EvaluationResult, labels: list[str]) -> dict[str, Any]:
    table = evaluation.confusion
    errors = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    shown = np.sort(np.argsort(-errors, kind="stable")[:_MAX_CLASSES])
    rows = []
    for truth in shown:
        total = max(1, int(table[truth].sum()))
        cells = [(int(table[truth, other]), int(table[truth, other]) / total, truth == other) for other in shown]
        rows.append((labels[truth], cells))
    return {"labels": [labels[index] for index in shown], "rows": rows, "total": len(labels)}


def _mistakes(trained: TrainedModel, evaluation: EvaluationResult) -> list[dict[str, Any]]:
    """The most confident mistakes, at most one of each burst."""
    predicted, truth = evaluation.probabilities.argmax(axis=1), trained.test.truth
    order = np.argsort(-evaluation.probabilities.max(axis=1), kind="stable")
    mistakes: list[dict[str, Any]] = []
    bursts: set[str] = set()
    for index in order:
        sample = trained.test.samples[index]
        if predicted[index] == truth[index] or sample.burst in bursts:
            continue
        bursts.add(sample.burst)
        mistakes.append(
            {
                "file": sample.path.name,
                "truth": sample.label,
                "predicted": trained.classes[predicted[index]].label,
                "probability": float(evaluation.probabilities[index, predicted[index]]),
                "picture": _data_url(sample.path),
            }
        )
        if len(mistakes) == _MAX_MISTAKES:
            break
    return mistakes


def _data_url(path: Path) -> str:
    """A small JPEG without the file's metadata, as a data URL; empty where the file cannot be read any more."""
    try:
        pixels = load_frame(path, _THUMBNAIL)
    except (UnciaError, OSError):
        return ""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
