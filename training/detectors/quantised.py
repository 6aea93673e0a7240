"""int8 for a fine-tuned detector: half of its time on a CPU, where the held-out frames show no loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.detectors.annotated_frames import AnnotatedFrame, FrameSplit
from uncia.training.detectors.evaluation import Outputs, RunDetector, detect_frames, held_out_score
from uncia.triton_models.packages.loading import open_session
from uncia.triton_models.recipes.detector_graph import OUTPUTS
from uncia.triton_models.recipes.quantisation import measure_ranges, quantise

MOST_LOST = 0.02
"""The fall of the held-out score, out of 1, from which float32 is kept. With the published weights int8 costs 0.006 of
the area under the curve."""

_RANGE_FRAMES = 48
"""Training frames whose activations are measured; the published ranges are of 56."""


@dataclass(frozen=True)
class QuantisedDetector:
    """The outcome of a quantisation."""

    graph: bytes | None
    """In int8; None where float32 is to be kept."""
    note: str
    """What was compared, for the card; empty where int8 held."""


def open_detector(graph: Path | bytes) -> RunDetector:
    """A detector's graph in ONNX Runtime as a function; computes in the calling thread. Raises `PackageError`."""
    session = open_session(graph)

    def run(pixels: Pixels) -> Outputs:
        boxes, scores, categories = session.run(list(OUTPUTS), {"FRAME": pixels})
        return boxes, scores, categories

    return run


def quantise_detector(
    graph: bytes, split: FrameSplit, spec: FrameSpec, unreadable: dict[Path, str]
) -> QuantisedDetector:
    """Quantise a float32 YOLOX graph by ranges of its own training frames, and compare both on the held-out frames.

    Without held-out frames nothing shows whether int8 holds, and float32 is kept.
    """
    if not split.held_out:
        return QuantisedDetector(None, "In float32: there are no held-out frames to compare int8 on.")
    small = quantise(graph, measure_ranges(graph, _spread(split.train, spec)))
    before, after = (
        held_out_score(detect_frames(split.held_out, open_detector(one), spec, unreadable)) for one in (graph, small)
    )
    if after < before - MOST_LOST:
        return QuantisedDetector(
            None, f"In float32: in int8 the held-out score falls from {before:.3f} to {after:.3f}."
        )
    return QuantisedDetector(small, "")


def _spread(frames: Sequence[AnnotatedFrame], spec: FrameSpec) -> list[Pixels]:
    """Up to `_RANGE_FRAMES` frames that can be read, evenly spread over all."""
    places = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), _RANGE_FRAMES)).round().astype(int))
    found = []
    for place in places:
        try:
            found.append(load_frame(frames[place].path, spec))
        except (UnciaError, OSError):
            continue
    return found
