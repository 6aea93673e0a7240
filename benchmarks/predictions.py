"""Generates prediction events like those of the worker `predict`, as input for the bursts worker. Pure."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from benchmarks.upload_plan import BURST, PlannedUpload
from uncia.events import (
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    Detection,
    DetectionCategory,
    DetectionResult,
    ImagePredicted,
    LuminanceGrid,
    Prediction,
    Trigger,
)
from uncia.imaging.luminance import COLUMNS, ROWS
from uncia.serving.model_card import ModelCard

_VECTORS = 64
_TOP = 5
_TIME = datetime(2026, 1, 10, 6, tzinfo=UTC)


class Predictions:
    """Generates predictions with random score vectors over the model's classes: few likely ones, many unlikely."""

    def __init__(self, card: ModelCard, *, detections: bool = False, luminance: bool = True) -> None:
        """`detections`: with two boxes a frame, a classified crop, and with `luminance` the luminance grid."""
        self._card = card
        self._detections = detections
        self._luminance = luminance

    def of(self, uploads: Iterable[PlannedUpload], length: int = BURST) -> Iterator[ImagePredicted]:
        """One prediction per upload, as bursts of `length` frames; frames with a higher sequence number are dropped."""
        return (self._event(upload, length) for upload in uploads if upload.sequence <= length)

    def _event(self, upload: PlannedUpload, length: int) -> ImagePredicted:
        content = hashlib.sha256(upload.key.encode()).hexdigest()
        return ImagePredicted(
            upload_id=f"upl-{content[:24]}",
            image_id=f"img-{content[24:48]}",
            station=upload.camera.partition("/")[0],
            camera=upload.camera,
            bucket="camera-uploads",
            key=upload.key,
            etag=content[:32],
            size=300_000,
            sha256=content,
            uploaded_at=_TIME,
            predicted_at=_TIME,
            capture=Capture(
                time=upload.captured_at,
                time_source=CaptureTimeSource.EXIF,
                trigger=Trigger.MOTION,
                sequence=upload.sequence,
                sequence_length=length,
                event_number=upload.event,
                make="RECONYX",
                model="PC800 PROFESSIONAL",
                width=2048,
                height=1440,
            ),
            prediction=self._variants[upload.photograph % _VECTORS],
            detection=self._found[upload.photograph % _VECTORS] if self._detections else None,
            luminance=self._grids[upload.photograph % _VECTORS] if self._detections and self._luminance else None,
        )

    @cached_property
    def _found(self) -> list[DetectionResult]:
        chance = np.random.default_rng(5)
        return [self._detection(chance, prediction.whole) for prediction in self._variants]

    @cached_property
    def _grids(self) -> list[LuminanceGrid]:
        chance = np.random.default_rng(6)
        return [LuminanceGrid.pack(chance.integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)) for _ in range(_VECTORS)]

    def _detection(self, chance: np.random.Generator, crop: ClassVector) -> DetectionResult:
        boxes = chance.uniform(0.05, 0.45, (2, 4)).round(5).tolist()
        return DetectionResult(
            model="animal_detector",
            version="1",
            settings="set-bench",
            asked_at=_TIME,
            inference_ms=60,
            detections=tuple(
                Detection(
                    category=DetectionCategory.ANIMAL,
                    score=score,
                    box=(x, y, width, height),
                    classes=crop if best else None,
                )
                for (x, y, width, height), score, best in zip(boxes, (0.8, 0.2), (True, False), strict=True)
            ),
            crop_model=f"{self._card.model}@{self._card.versions[0]}",
            label_set=self._card.label_set,
        )

    @cached_property
    def _variants(self) -> list[Prediction]:
        chance = np.random.default_rng(4)
        return [self._prediction(chance) for _ in range(_VECTORS)]

    def _prediction(self, chance: np.random.Generator) -> Prediction:
        classes = self._card.labels.classes
        scores = np.exp(chance.normal(0, 2.5, len(classes)))
        scores /= scores.sum()
        best = [int(index) for index in np.argsort(-scores)[:_TOP]]
        return Prediction(
            model=self._card.model,
            version=self._card.versions[0],
            label_set=self._card.label_set,
            settings="set-bench",
            asked_at=_TIME,
            inference_ms=30,
            whole=ClassVector.pack(scores),
            windows=ClassVector.pack(scores),
            top=tuple(
                ClassScore(
                    index=index,
                    label=classes[index].label,
                    taxon=classes[index].taxon,
                    group=classes[index].group,
                    score=float(scores[index]),
                    box=(0.1, 0.1, 0.3, 0.3),
                )
                for index in best
            ),
        )
