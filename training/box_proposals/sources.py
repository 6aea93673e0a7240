"""The sources of boxes: LIME's superpixels, the best dense window, movement, the installed detector."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.vocabulary import category_of
from uncia.errors import SettingsError
from uncia.events.values import Box
from uncia.explaining.explain import ExplanationOptions, explain
from uncia.explaining.explanation import ExplanationError
from uncia.explaining.heat_map import to_photograph
from uncia.explaining.target import best_class, named_class
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard, read_detector_card
from uncia.serving.labels import LabelClass
from uncia.serving.model_versions import GRAPH_FILE, LIVE_FILE, read_version_state
from uncia.training.box_proposals.movement import moving_boxes
from uncia.training.box_proposals.proposal import Proposal, Source
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.offline_inference.inference import try_load_frame
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_session

_MOVEMENT_FRAME = FrameSpec(width=160, height=120, window=160)
_DETECTOR_SCORE = 0.1
"""Boxes of the detector below it are mostly stones."""


@dataclass(frozen=True)
class OpenDetector:
    """An `animal_detector` in ONNX Runtime."""

    card: DetectorCard
    session: Any

    def detect(self, pixels: Pixels) -> list[tuple[Box, float]]:
        """Boxes as shares of the frame with scores from 0.1 on, best first."""
        card = self.card
        boxes, scores = self.session.run([card.boxes, card.scores], {card.input: pixels[np.newaxis]})
        return [
            ((float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(score))
            for box, score in zip(boxes[0], scores[0], strict=True)
            if score >= _DETECTOR_SCORE
        ]


@dataclass(frozen=True)
class BoxSources:
    """The requested sources, and the models that they need."""

    names: tuple[Source, ...]
    classifier: OpenPackage | None = None
    """For lime and windows."""
    detector: OpenDetector | None = None
    explanation: ExplanationOptions = field(default_factory=ExplanationOptions)

    def propose(self, path: Path, label: str, moved: Sequence[tuple[Box, float]]) -> list[Proposal]:
        """The proposals for one photograph of this label; `moved` are those of `find_movement`.

        Raises `RejectedImage` for a file that cannot be read.
        """
        found: list[Proposal] = []
        if "movement" in self.names:
            found += _proposals("movement", moved, _MOVEMENT_FRAME)
        if self.detector is not None and "detector" in self.names:
            spec = self.detector.card.frame
            found += _proposals("detector", self.detector.detect(load_frame(path, spec)), spec)
        if self.classifier is not None and {"lime", "windows"} & set(self.names):
            found += self._classified(path, label, self.classifier)
        return found

    def _classified(self, path: Path, label: str, model: OpenPackage) -> list[Proposal]:
        card = model.card
        pixels = load_frame(path, card.frame)
        _, windows, places = model.predict(pixels[np.newaxis])
        entry = _class_of(label, model, windows[0])
        found: list[Proposal] = []
        if "windows" in self.names:
            box = card.frame.window_box(int(places[0, entry.index]))
            found.append(Proposal("windows", box, float(windows[0, entry.index])))
        if "lime" in self.names:

            def score(images: Pixels) -> NDArray[np.float32]:
                scores: NDArray[np.float32] = model.predict(images)[1][:, entry.index]
                return scores

            boxes = explain(pixels, score, self.explanation, batch=1).boxes
            heaviest = max((one.weight for one in boxes), default=0.0)
            found += _proposals("lime", [(one.box, one.weight / heaviest) for one in boxes], card.frame)
        return found


def open_detector(folder: Path) -> OpenDetector:
    """Open a detector's package, or the live version of its folder in the repository. Raises `PackageError`."""
    try:
        home = folder / read_version_state(folder).live if (folder / LIVE_FILE).exists() else folder
        card = read_detector_card(home)
    except SettingsError as error:
        raise PackageError(f"{folder} is not a detector's package: {error}") from error
    return OpenDetector(card, open_session(home / GRAPH_FILE))


def find_movement(paths: Sequence[Path]) -> list[list[tuple[Box, float]]]:
    """What moved in each frame of a burst, as `moving_boxes` returns it.

    A file that cannot be read has no boxes, and takes no part in the median.
    """
    frames = [try_load_frame(path, _MOVEMENT_FRAME) for path in paths]
    readable = [index for index, frame in enumerate(frames) if not isinstance(frame, str)]
    boxes = moving_boxes([frame for frame in frames if not isinstance(frame, str)])
    found: list[list[tuple[Box, float]]] = [[] for _ in paths]
    for index, own in zip(readable, boxes, strict=True):
        found[index] = own
    return found


def _class_of(label: str, model: OpenPackage, windows: NDArray[np.float32]) -> LabelClass:
    """The model's class of this label; the best class that is no blank where it has none."""
    if category_of(label) is None:
        try:
            return named_class(model.card.labels, label)
        except ExplanationError:
            pass
    return best_class(model.card.labels, windows)


def _proposals(source: Source, boxes: Sequence[tuple[Box, float]], spec: FrameSpec) -> list[Proposal]:
    return [Proposal(source, to_photograph(box, spec), min(1.0, score)) for box, score in boxes]
