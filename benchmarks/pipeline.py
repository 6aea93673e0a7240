"""What the stream computes for one photograph, without a stream: decoding, detector, classifier and crops.

The functions are those of `predict`; only Triton is replaced, by ONNX Runtime in this process.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from uncia import ids
from uncia.events import DetectionResult
from uncia.imaging.exif import read_exif
from uncia.imaging.frames import Pixels, decode_photograph
from uncia.processors.predict.detection import DetectionBuilder, boxes_to_classify, with_classes
from uncia.processors.predict.image_loading import ModelFrames, PhotographFrames, frames_of
from uncia.processors.predict.inference import crop_frames
from uncia.processors.predict.prediction import PredictionBuilder
from uncia.serving.base_card import BaseCard
from uncia.serving.detector_card import read_detector_card
from uncia.serving.detector_client import DetectorOutput, boxes_in_photograph
from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import GRAPH_FILE
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings

MAX_PIXELS = 150_000_000

Tensors = list[NDArray[np.generic]]


@dataclass(frozen=True)
class Models:
    """Classifier and, unless there is none, detector. Thread-safe: they compute in the calling threads."""

    classifier: Path
    """Folder of a version in Triton's model repository, as is the detector's."""
    detector: Path | None
    threads: int = 1
    """Threads of one inference."""

    def open(self) -> "Pipeline":
        """Load the graphs."""
        return Pipeline(self)


class Pipeline:
    """Computes predictions from the bytes of photographs. Thread-safe, except `seconds`."""

    def __init__(self, models: Models) -> None:
        self._card = read_model_card(models.classifier)
        self._detector_card = read_detector_card(models.detector) if models.detector else None
        self._builder = PredictionBuilder(Settings(), self._card)
        self.classify = _session(models.classifier, self._card, models.threads)
        self.detect: Callable[[Pixels], Tensors] | None = None
        if models.detector and self._detector_card:
            self.detect = _session(models.detector, self._detector_card, models.threads)
        self.wanted = ModelFrames(self._card.frame, self._detector_card.frame if self._detector_card else None)
        self.seconds: dict[str, float] = {}
        """CPU seconds of the calling thread by stage, over all calls of `timed`."""
        self.crops = 0
        """Boxes that `timed` classified."""

    def decode(self, data: bytes) -> PhotographFrames:
        """The frames of a photograph for both models, and its luminance grid."""
        specs = [spec for spec in (self.wanted.classifier, self.wanted.detector) if spec is not None]
        return frames_of(decode_photograph(data, specs, max_pixels=MAX_PIXELS), self.wanted)

    def infer(self, photographs: Sequence[PhotographFrames]) -> None:
        """Both models on a batch of photographs, then the classifier on the best boxes of each."""
        self.classify(np.stack([one.classifier for one in photographs]))
        if self.detect is None:
            return
        outputs = self.detect(np.stack([one.detector for one in photographs if one.detector is not None]))
        for index, one in enumerate(photographs):
            if len(crops := self._crops(one, self._detections([output[index : index + 1] for output in outputs]))):
                self.classify(crops)

    def timed(self, data: bytes) -> None:
        """Process one photograph, and add the time of every stage to `seconds`."""
        with self._stage("hash and EXIF"):
            ids.content_hash(data)
            read_exif(data)
        specs = [spec for spec in (self.wanted.classifier, self.wanted.detector) if spec is not None]
        with self._stage("decode"):
            decoded = decode_photograph(data, specs, max_pixels=MAX_PIXELS)
        with self._stage("scale, luminance"):
            frames = frames_of(decoded, self.wanted)
        with self._stage("classifier"):
            outputs = self.classify(frames.classifier[None])
        with self._stage("events"):
            now = datetime.now(UTC)
            whole, windows, places = outputs
            result = InferenceResult(
                whole.astype(np.float32), windows.astype(np.float32), places.astype(np.int32), "1", 0.0
            )
            self._builder.build(result, "station", now).model_dump_json()
        if self.detect is None or frames.detector is None:
            return
        with self._stage("detector"):
            found = self.detect(frames.detector[None])
        with self._stage("events"):
            detections = self._detections(found)
        with self._stage("crops"):
            crops = self._crops(frames, detections)
            vectors = self.classify(crops)[0] if len(crops) else np.empty((0, 0), np.float32)
        self.crops += len(crops)
        with self._stage("events"):
            indices = boxes_to_classify(detections)
            with_classes(detections, indices, vectors, crop_model="", label_set="").model_dump_json()

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - began

    def _detections(self, outputs: Tensors) -> DetectionResult:
        card = self._detector_card
        assert card is not None
        boxes, scores, categories = outputs
        shown = boxes_in_photograph(boxes.astype(np.float32), card.frame)
        output = DetectorOutput(shown, scores.astype(np.float32), categories.astype(np.int32), "1", 0.0)
        return DetectionBuilder(card).build(output, datetime.now(UTC))

    def _crops(self, frames: PhotographFrames, detections: DetectionResult) -> Pixels:
        found = [detections.detections[index] for index in boxes_to_classify(detections)]
        assert frames.picture is not None
        return crop_frames(frames.picture, found, self.wanted.classifier)


def _session(version: Path, card: BaseCard, threads: int) -> Callable[[Pixels], Tensors]:
    """A function that runs the graph that Triton serves: its outputs in the order of the card."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(version / GRAPH_FILE), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in card.outputs]
    return lambda frames: list(session.run(outputs, {card.input: frames}))
