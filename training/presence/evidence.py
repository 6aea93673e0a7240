"""Evidence of presence for the photographs of data sets: a detector's boxes and the luminance grid of each."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from uncia.camtrap.presence import FrameEvidence
from uncia.errors import RejectedImage, SettingsError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.imaging.luminance import luminance_grid
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LIVE_FILE, read_version_state
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.offline_inference.presence import sample_group
from uncia.training.presence.labelled_bursts import LabelledBurst, LabelledFrame

__all__ = ["MAX_BOXES", "MIN_SCORE", "OpenDetector", "collect_evidence", "open_detector"]

Progress = Callable[[str, int, int], None]

MIN_SCORE = 0.02
"""As in `uncia.camtrap.presence`: boxes with a lower score are no evidence."""
MAX_BOXES = 10
"""Boxes of an event at most."""
_DEFAULT_FRAME = FrameSpec(width=640, height=480)


@dataclass(frozen=True)
class OpenDetector:
    """A detector's graph in ONNX Runtime, and the frame that it takes."""

    frame: FrameSpec
    categories: tuple[str, ...]
    session: Any
    """`onnxruntime.InferenceSession` with input FRAME and outputs BOXES, SCORES and CATEGORIES."""

    def evidence(self, pixels: Pixels) -> FrameEvidence:
        """Boxes in shares of the photograph, best first, and the luminance grid of a frame."""
        boxes, scores, kinds = self.session.run(["BOXES", "SCORES", "CATEGORIES"], {"FRAME": pixels[None]})
        kept = np.flatnonzero(np.isfinite(scores[0]) & (scores[0] >= MIN_SCORE))[:MAX_BOXES]
        top, height = self.frame.crop_top, 1 - self.frame.crop_top - self.frame.crop_bottom
        found = boxes[0][kept].astype(np.float64)
        found[:, 1] = top + found[:, 1] * height
        found[:, 3] *= height
        return FrameEvidence(
            found,
            scores[0][kept].astype(np.float64),
            tuple(self.categories[kind] if kind < len(self.categories) else "" for kind in kinds[0][kept]),
            luminance_grid(pixels),
            luminance_box=(0.0, top, 1.0, height),
        )


def open_detector(place: Path) -> OpenDetector:
    """Open a detector: an ONNX file, its folder, or a model's folder in Triton's repository. Raises `TrainingError`.

    The card beside the graph gives frame and categories; without one, they are 640 x 480 and `animal`.
    """
    try:
        import onnxruntime

        home = place / read_version_state(place).live if (place / LIVE_FILE).exists() else place
        graph = home if home.is_file() else home / GRAPH_FILE
        card = _read_card(graph.with_name(CARD_FILE))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except (OSError, ValueError, SettingsError) as error:
        raise TrainingError(f"{place} is not a detector: {error}") from error
    except Exception as error:
        # ONNX Runtime has no public base class of its errors.
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise TrainingError(f"{place} is not a detector: {error}") from error
    missing = {"BOXES", "SCORES", "CATEGORIES"} - {output.name for output in session.get_outputs()}
    if missing:
        raise TrainingError(f"{place} is not a detector: it has no output {', '.join(sorted(missing))}")
    frame = FrameSpec.model_validate(card["frame"]) if "frame" in card else _DEFAULT_FRAME
    return OpenDetector(frame, tuple(card.get("categories", ("animal",))), session)


def collect_evidence(
    datasets: Sequence[Dataset],
    names: Sequence[str],
    detector: OpenDetector,
    progress: Progress = lambda step, done, total: None,
) -> tuple[list[LabelledBurst], dict[Path, str]]:
    """The bursts of all data sets with their evidence, and why files could not be read.

    Frames of a person or vehicle, and of what is neither animal nor blank, are left out with their whole burst: the
    fusion tells animals from blanks.
    """
    plans = [plan for name, data in zip(names, datasets, strict=True) for plan in _bursts(name, data)]
    total = sum(len(frames) for _, frames in plans)
    unreadable: dict[Path, str] = {}
    bursts, done = [], 0
    for plan, frames in plans:
        kept = []
        for samples in frames:
            progress("detector", done, total)
            done += 1
            path = samples[0].path
            try:
                evidence = detector.evidence(load_frame(path, detector.frame))
            except RejectedImage as error:
                unreadable[path] = str(error)
                continue
            boxes = np.array([sample.box for sample in samples if sample.box is not None], dtype=np.float64)
            animal = sample_group(samples[0]) == "animal"
            kept.append(LabelledFrame(evidence, animal, boxes.reshape(-1, 4) if len(boxes) else None, str(path)))
        if kept:
            name, dataset, camera = plan
            bursts.append(LabelledBurst(name, dataset, camera, tuple(kept), any(bool(frame.animal) for frame in kept)))
    progress("detector", total, total)
    return bursts, unreadable


def _bursts(dataset: str, data: Dataset) -> Iterator[tuple[tuple[str, str, str], list[list[Sample]]]]:
    """Name, data set and camera of each burst, and the samples of each of its files in capture order."""
    by_burst: dict[str, dict[Path, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in data.samples:
        by_burst[sample.burst][sample.path].append(sample)
    for burst, files in sorted(by_burst.items()):
        groups = {sample_group(sample) for samples in files.values() for sample in samples}
        if groups <= {"animal", "nothing"}:
            frames = sorted(files.values(), key=lambda own: (own[0].taken or datetime.min, str(own[0].path)))
            yield (f"{dataset}/{burst}", dataset, frames[0][0].camera), frames


def _read_card(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    card = json.loads(path.read_bytes())
    if not isinstance(card, dict):
        raise ValueError(f"{path} is not a model card")
    return card
