"""The page of a model package: what it learnt from, what it is worth, where it errs. One file, nothing outside it."""

import base64
import io
from collections import Counter
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from uncia.errors import UnciaError
from uncia.imaging.frames import FrameSpec
from uncia.serving.model_card import ModelCard
from uncia.terminal import on_page
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.model_packages.evaluation import TestEvaluation
from uncia.training.model_packages.plots import line_plot, reliability_plot
from uncia.training.model_packages.trained_model import TrainedModel

_TEMPLATE = "card.html.j2"
_MISTAKES = 12
_THUMBNAIL = FrameSpec(width=320, height=240, crop_top=0, crop_bottom=0, window=320)
_MOST_CLASSES = 40
"""A larger confusion matrix cannot be read; the most confused classes are shown."""
_MOST_UNREADABLE = 50

_MEANINGS = {
    "top-1": "share of photographs whose best class is right",
    "top-5": "share of photographs with the right class among the best five",
    "mean reciprocal rank": "1 when the right class is always first, 0.5 when always second",
    "log loss": "0 is perfect; sure and wrong costs most",
    "calibration error": "how far what is said lies from what happens",
}


def card_page(
    trained: TrainedModel,
    data: Dataset,
    split: Split,
    card: ModelCard,
    judged: TestEvaluation | None,
    temperature: float,
    seed: int,
) -> str:
    """HTML, with all pictures inside."""
    template = jinja2.Environment(autoescape=True, finalize=on_page, undefined=jinja2.StrictUndefined).from_string(
        files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    )
    curve, step = trained.curve, trained.curve_step
    return template.render(
        card=card,
        source=data.source,
        settings={**trained.settings, "seed": str(seed)},
        by=split.by,
        sides=_sides(trained, split),
        classes=_classes(trained, split, card, judged),
        figures=[] if judged is None else [(name, _MEANINGS[name], own) for name, own in judged.figures.items()],
        bursts=len(set(trained.test.bursts)),
        photographs=len(trained.test.pictures),
        temperature=temperature,
        plots=[
            line_plot(
                "Loss",
                step,
                {
                    "training": [(point.step, point.train_loss) for point in curve],
                    "held-out": [(point.step, point.held_out_loss) for point in curve],
                },
                low=0,
            ),
            line_plot(
                "Accuracy",
                step,
                {
                    "training": [(point.step, point.train_accuracy) for point in curve],
                    "held-out": [(point.step, point.held_out_accuracy) for point in curve],
                },
                low=0,
                high=1,
            ),
            ""
            if judged is None
            else reliability_plot("Reliability on the test bursts: right against said", judged.bins),
        ],
        confusion=None if judged is None else _confusion(judged, [entry.label for entry in trained.classes]),
        mistakes=[] if judged is None else _mistakes(trained, judged),
        unreadable=[(str(path), reason) for path, reason in sorted(trained.unreadable.items())[:_MOST_UNREADABLE]],
        unreadable_count=len(trained.unreadable),
        notes=trained.notes,
    )


def _sides(trained: TrainedModel, split: Split) -> list[tuple[str, int, int, int]]:
    """Name, photographs, bursts, cameras."""
    told = []
    for name, pictures in zip(("training", "held-out", "test"), split.subsets, strict=True):
        kept = [picture for picture in pictures if picture.path not in trained.unreadable]
        cameras = {picture.camera for picture in kept if picture.camera}
        told.append((name, len(kept), len({picture.burst for picture in kept}), len(cameras)))
    return told


def _classes(
    trained: TrainedModel, split: Split, card: ModelCard, judged: TestEvaluation | None
) -> list[dict[str, Any]]:
    counts = [Counter(p.label for p in side if p.path not in trained.unreadable) for side in split.subsets]
    told = []
    for entry in card.labels.classes:
        found, many = 0, 0
        if judged is not None:
            row = judged.confusion[entry.index]
            found, many = int(row[entry.index]), int(row.sum())
        told.append({"entry": entry, "counts": [count[entry.label] for count in counts], "found": found, "many": many})
    return told


def _confusion(judged: TestEvaluation, labels: list[str]) -> dict[str, Any]:
    table = judged.confusion
    errors = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    shown = np.sort(np.argsort(-errors, kind="stable")[:_MOST_CLASSES])
    rows = []
    for truth in shown:
        total = max(1, int(table[truth].sum()))
        cells = [(int(table[truth, said]), int(table[truth, said]) / total, truth == said) for said in shown]
        rows.append((labels[truth], cells))
    return {"labels": [labels[said] for said in shown], "rows": rows, "of": len(labels)}


def _mistakes(trained: TrainedModel, judged: TestEvaluation) -> list[dict[str, Any]]:
    """The wrong answers that were surest, one of each burst."""
    said, truth = judged.probabilities.argmax(axis=1), trained.test.truth
    order = np.argsort(-judged.probabilities.max(axis=1), kind="stable")
    found: list[dict[str, Any]] = []
    bursts: set[str] = set()
    for at in order:
        picture = trained.test.pictures[at]
        if said[at] == truth[at] or picture.burst in bursts:
            continue
        bursts.add(picture.burst)
        found.append(
            {
                "file": picture.path.name,
                "truth": picture.label,
                "said": trained.classes[said[at]].label,
                "sure": float(judged.probabilities[at, said[at]]),
                "picture": _inlined(picture.path),
            }
        )
        if len(found) == _MISTAKES:
            break
    return found


def _inlined(path: Any) -> str:
    """A small JPEG as a data address; empty where the file went away. Nothing of the file's metadata comes along."""
    try:
        pixels = load_frame(path, _THUMBNAIL)
    except (UnciaError, OSError):
        return ""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
