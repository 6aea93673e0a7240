"""`python -m benchmarks.detector_over_lime`: what a detector costs and finds, relative to LIME on the same photographs.

Everything computes in one process with one thread, in turns. LIME scores the species classifier, as
`uncia explain --package` does. Samples: 900, the default of MMLSpark's `ImageLIME`, and 300, which the stream takes, as
does MMLSpark's page on snow leopards.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.explanations import Frame, boxed_photographs, composites, overlap
from benchmarks.machine import describe
from benchmarks.markdown_section import replace_section, table
from uncia.events.values import Box
from uncia.explaining.explain import ExplanationOptions, explain
from uncia.explaining.heat_map import to_photograph
from uncia.explaining.target import best_class
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, decode_frame
from uncia.settings import settings
from uncia.training.box_proposals.sources import OpenDetector, open_detector
from uncia.training.datasets.image_decoding import MAX_PIXELS
from uncia.triton_models.packages.loading import OpenPackage, open_package

DOCS = Path("docs/benchmarks.md")
BEGIN, END = "<!-- lime: written by `python -m benchmarks.detector_over_lime --docs` -->", "<!-- end of lime -->"

SAMPLES = (900, 300)
T = TypeVar("T")

_RIGHT = 0.5
"""Intersection over union from which a box counts as right."""


@dataclass
class Costs:
    """CPU seconds and overlaps of one way to find boxes, a value for each photograph."""

    decode: list[float] = field(default_factory=list)
    """From the bytes of the photograph to the model's frame."""
    boxes: list[float] = field(default_factory=list)
    """From the frame to boxes."""
    overlaps: list[float] = field(default_factory=list)
    """Intersection over union of the best box with a true one; 0 without a box."""

    def figures(self) -> dict[str, float]:
        """Medians of the times; mean overlap; share of right boxes."""
        return {
            "decode_ms": round(1000 * statistics.median(self.decode), 2),
            "boxes_ms": round(1000 * statistics.median(self.boxes), 2),
            "mean_iou": round(statistics.fmean(self.overlaps), 3),
            "best_box_right": round(statistics.fmean(found >= _RIGHT for found in self.overlaps), 3),
        }


def main(
    frames: Annotated[int, typer.Option(min=1, help="Number of photographs.")] = 6,
    photographs: Annotated[
        Path | None,
        typer.Option(help="Folder with a manifest.csv that has `file` and `boxes_xywh`.", show_default="composites"),
    ] = None,
    learnt: Annotated[
        list[Path] | None, typer.Option(help="Package of `uncia train detector`; can be given several times.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Inferences of a detector per explanation.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the composites and of the samples.")] = 12,
    docs: Annotated[bool, typer.Option("--docs", help="Also write the table of docs/benchmarks.md.")] = False,
) -> None:
    """Measure, and print the figures as JSON."""
    from threadpoolctl import threadpool_limits

    chosen = settings()
    classifier = open_package(chosen.model_repository / chosen.model)
    detectors = {"default": open_detector(chosen.model_repository / chosen.detector)}
    detectors |= {folder.name: open_detector(folder) for folder in learnt or []}
    with tempfile.TemporaryDirectory(prefix="uncia-lime-") as folder, threadpool_limits(1):
        if photographs is None:
            found = composites(Path(folder) / "composites", frames, seed)
        else:
            found = boxed_photographs(photographs, frames)
        figures = measure(classifier, detectors, found, repeats=repeats, seed=seed)
    machine = describe()
    figures |= {
        "data": "composites" if photographs is None else photographs.name,
        "measured": f"{time.strftime('%Y-%m-%d', time.gmtime())} at {machine['commit']}",
        "machine": f"{machine['machine_cpu']}, {machine['machine_cores']} cores",
        "load_average": round(os.getloadavg()[0], 1),
    }
    typer.echo(json.dumps(figures, indent=1))
    if docs:
        DOCS.write_text(replace_section(DOCS, BEGIN, END, tables(figures)), encoding="utf-8")


def measure(
    classifier: OpenPackage, detectors: dict[str, OpenDetector], frames: list[Frame], *, repeats: int, seed: int
) -> dict[str, Any]:
    """Figures of LIME by number of samples, and of every detector."""
    lime = {samples: Costs() for samples in SAMPLES}
    own = {name: Costs() for name in detectors}
    for frame in frames:
        data = frame.path.read_bytes()
        # Detectors before and after each explanation: other load then affects all.
        for samples, costs in lime.items():
            for name, detector in detectors.items():
                _detect(detector, data, frame, own[name], repeats)
            _explain(classifier, data, frame, costs, ExplanationOptions(samples=samples, seed=seed))
    return {
        "photographs": len(frames),
        "frames": {
            "lime": _size(classifier.card.frame),
            **{name: _size(detector.card.frame) for name, detector in detectors.items()},
        },
        "weights": {name: detector.card.weights for name, detector in detectors.items()},
        "lime": {str(samples): costs.figures() for samples, costs in lime.items()},
        "detectors": {name: costs.figures() for name, costs in own.items()},
    }


def ratios(lime: dict[str, float], detector: dict[str, float]) -> tuple[float, float]:
    """How many times less the detector costs: from the frame to boxes, and from the bytes of the photograph."""
    whole = (lime["decode_ms"] + lime["boxes_ms"]) / (detector["decode_ms"] + detector["boxes_ms"])
    return lime["boxes_ms"] / detector["boxes_ms"], whole


def tables(figures: dict[str, Any]) -> str:
    """The section of docs/benchmarks.md, as Markdown."""
    lines = [
        f"Measured {figures['measured']} on {figures['photographs']} photographs ({figures['data']}) on "
        f"{figures['machine']}, load average {figures['load_average']}; CPU time, medians.",
        "",
    ]
    header = ["", "frame", "decoding", "boxes", "mean IoU", "right"]
    rows = []
    for samples, own in figures["lime"].items():
        rows.append([f"LIME, {samples} samples", figures["frames"]["lime"], *_cells(own, 1000, "s")])
    for name, own in figures["detectors"].items():
        rows.append([_title(name), figures["frames"][name], *_cells(own, 1, "ms")])
    lines += [table(header, rows), ""]
    header = ["detector over LIME", *(f"{samples} samples" for samples in figures["lime"])]
    header += [f"{samples} samples, decoding on both sides" for samples in figures["lime"]]
    rows = []
    for name, own in figures["detectors"].items():
        pairs = [ratios(lime, own) for lime in figures["lime"].values()]
        rows.append([_title(name), *(f"{pair[0]:,.0f}" for pair in pairs), *(f"{pair[1]:,.0f}" for pair in pairs)])
    return "\n".join([*lines, table(header, rows)])


def _cells(own: dict[str, float], divisor: int, unit: str) -> list[str]:
    return [
        f"{own['decode_ms']:.1f} ms",
        f"{own['boxes_ms'] / divisor:.1f} {unit}",
        f"{own['mean_iou']:.2f}",
        f"{own['best_box_right']:.0%}",
    ]


def _title(name: str) -> str:
    return "default `animal_detector`" if name == "default" else f"learnt, `{name}`"


def _size(spec: FrameSpec) -> str:
    return f"{spec.width} x {spec.height}"


def _explain(classifier: OpenPackage, data: bytes, frame: Frame, costs: Costs, options: ExplanationOptions) -> None:
    spec = classifier.card.frame
    seconds, decoded = _timed(lambda: decode_frame(data, spec, max_pixels=MAX_PIXELS).pixels)
    costs.decode.append(seconds)
    target = best_class(classifier.card.labels, classifier.predict(decoded[None])[1][0], settings().focus_taxa).index

    def score(images: Pixels) -> NDArray[np.float32]:
        return classifier.predict(images)[1][:, target]

    seconds, explanation = _timed(lambda: explain(decoded, score, options, batch=1))
    costs.boxes.append(seconds)
    costs.overlaps.append(_overlap([found.box for found in explanation.boxes], spec, frame))


def _detect(detector: OpenDetector, data: bytes, frame: Frame, costs: Costs, repeats: int) -> None:
    spec = detector.card.frame
    boxes: list[Box] = []
    for _ in range(repeats):
        seconds, pixels = _timed(lambda: decode_frame(data, spec, max_pixels=MAX_PIXELS).pixels)
        costs.decode.append(seconds)
        seconds, found = _timed(lambda pixels=pixels: detector.detect(pixels))  # type: ignore[misc]
        costs.boxes.append(seconds)
        boxes = [box for box, _ in found]
    costs.overlaps.append(_overlap(boxes, spec, frame))


def _overlap(boxes: list[Box], spec: FrameSpec, frame: Frame) -> float:
    if not boxes:
        return 0.0
    best = to_photograph(boxes[0], spec)
    return max((overlap(best, truth) for truth in frame.boxes), default=0.0)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this process, and the result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


if __name__ == "__main__":
    typer.run(main)
