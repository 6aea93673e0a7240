"""`python -m benchmarks.explanations`: throughput of explanations, and how well their boxes fit true boxes.

The species classifier is scored in ONNX Runtime on one thread, as `uncia explain --package` does. Two sets of frames,
each with its own figures: composites whose boxes are known to the pixel (`uncia.training.scenes`; they do not estimate
accuracy in the field), and photographs with a CSV manifest of boxes (`--photographs`), where there are some. Explained
is the best class of each frame, of whatever animal.
"""

import csv
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from uncia.events import ExplanationMethod
from uncia.events.values import Box
from uncia.explaining.explain import ExplanationOptions, explain
from uncia.explaining.explanation import Explanation
from uncia.explaining.heat_map import to_photograph
from uncia.explaining.target import best_class
from uncia.imaging.frames import Pixels
from uncia.settings import settings
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.reading import read_dataset
from uncia.training.scenes.plan import CompositeRecipe
from uncia.training.scenes.rendering import render_dataset
from uncia.triton_models.packages.loading import OpenPackage, open_package

_METHODS = (ExplanationMethod.LIME, ExplanationMethod.OCCLUSION)
_MATCH = 0.5
"""Intersection over union from which a box counts as right."""


@dataclass(frozen=True)
class Frame:
    """A photograph and the true boxes in it."""

    path: Path
    boxes: tuple[Box, ...]


def main(
    frames: Annotated[int, typer.Option(min=1, help="Number of frames of each set.")] = 20,
    samples: Annotated[int, typer.Option(min=2, help="Pictures to score per explanation.")] = 300,
    photographs: Annotated[
        Path | None, typer.Option(help="Folder of photographs with a manifest.csv that has `file` and `boxes_xywh`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the composites and of the samples.")] = 11,
    package: Annotated[
        Path | None, typer.Option(help="Model package.", show_default="the live model of the repository")
    ] = None,
) -> None:
    """Measure explanations, and print the figures as JSON."""
    model = open_package(package or settings().model_repository / settings().model)
    figures: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 1),
        "model": model.card.name,
        "samples": samples,
    }
    with tempfile.TemporaryDirectory(prefix="uncia-explanations-") as folder:
        figures["composites"] = measure(model, composites(Path(folder) / "composites", frames, seed), samples, seed)
    if photographs is None:
        figures["photographs"] = "skipped: no folder was given (--photographs)"
    else:
        figures["photographs"] = measure(model, boxed_photographs(photographs, frames), samples, seed)
    typer.echo(json.dumps(figures, indent=1))


def composites(folder: Path, count: int, seed: int) -> list[Frame]:
    """Render composites with one animal each."""
    animals = ("bear", "fox", "deer", "wild boar", "yak", "badger")
    recipe = CompositeRecipe(bursts=count, cameras=4, classes=animals, seed=seed, frames=(1, 1), empty=0)
    render_dataset(folder, recipe)
    return [Frame(sample.path, (sample.box,)) for sample in read_dataset(folder).samples if sample.box is not None][
        :count
    ]


def boxed_photographs(folder: Path, count: int) -> list[Frame]:
    """Photographs with at least one box, evenly spread over the manifest, so that every sequence has its turn."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["boxes_xywh"] not in ("", "[]")]
    chosen = [rows[at] for at in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    return [Frame(folder / row["file"], tuple(map(tuple, json.loads(row["boxes_xywh"])))) for row in chosen]


def measure(model: OpenPackage, frames: list[Frame], samples: int, seed: int) -> dict[str, Any]:
    """The figures of both methods on these frames."""
    return {
        method.value: _method_figures(model, frames, ExplanationOptions(method, samples=samples, seed=seed))
        for method in _METHODS
    } | {"frames": len(frames)}


def _method_figures(model: OpenPackage, frames: list[Frame], options: ExplanationOptions) -> dict[str, Any]:
    scored, began = 0, time.perf_counter()
    overlaps, hits, fits, counts = [], [], [], []
    for frame, explanation in _explained(model, frames, options):
        scored += explanation.samples
        boxes = [to_photograph(found.box, model.card.frame) for found in explanation.boxes]
        overlaps.append(max((overlap(boxes[0], truth) for truth in frame.boxes), default=0.0) if boxes else 0.0)
        hits.append(_peak_inside(explanation, frame.boxes, model))
        counts.append(len(boxes))
        if explanation.r2 is not None:
            fits.append(explanation.r2)
    seconds = time.perf_counter() - began
    return {
        "pictures_per_s": round(scored / seconds, 1),
        "pictures_per_explanation": round(scored / len(frames)),
        "seconds_per_explanation": round(seconds / len(frames), 1),
        "mean_iou_of_best_box": round(float(np.mean(overlaps)), 3),
        "best_box_right": round(float(np.mean(np.array(overlaps) >= _MATCH)), 3),
        "peak_in_true_box": round(float(np.mean(hits)), 3),
        "boxes_per_frame": round(float(np.mean(counts)), 2),
        "median_r2": round(float(np.median(fits)), 3) if fits else None,
    }


def _explained(
    model: OpenPackage, frames: list[Frame], options: ExplanationOptions
) -> Iterator[tuple[Frame, Explanation]]:
    for frame in frames:
        pixels = load_frame(frame.path, model.card.frame)
        target = best_class(model.card.labels, model.predict(pixels[None])[1][0], settings().focus_taxa).index

        def score(images: Pixels, target: int = target) -> NDArray[np.float32]:
            return model.predict(images)[1][:, target]

        yield frame, explain(pixels, score, options, batch=1)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union > 0 else 0.0


def _peak_inside(explanation: Explanation, truths: tuple[Box, ...], model: OpenPackage) -> bool:
    """Whether the middle of the highest segment is in a true box."""
    rows, columns = np.nonzero(explanation.segments == int(explanation.weights.argmax()))
    height, width = explanation.segments.shape
    x, y, _, _ = to_photograph((float(columns.mean()) / width, float(rows.mean()) / height, 0, 0), model.card.frame)
    return any(box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3] for box in truths)


if __name__ == "__main__":
    typer.run(main)
