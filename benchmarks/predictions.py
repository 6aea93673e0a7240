"""Predictions as `predict` writes them, made without a photograph: what the bursts worker is fed with. Pure."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from benchmarks.plan import BURST, Shot
from uncia.events import (
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    ImagePredicted,
    Prediction,
    Trigger,
)
from uncia.serving.model_card import ModelCard

_VECTORS = 64
_TOP = 5
_THEN = datetime(2026, 1, 10, 6, tzinfo=UTC)


class Predictions:
    """Answers to shots, with vectors of the model's own classes: some classes likely, most hardly so."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    def of(self, shots: Iterable[Shot], length: int = BURST) -> Iterator[ImagePredicted]:
        """An answer to each shot of bursts of `length` frames; what comes behind that is left out."""
        return (self._to(shot, length) for shot in shots if shot.sequence <= length)

    def _to(self, shot: Shot, length: int) -> ImagePredicted:
        content = hashlib.sha256(shot.key.encode()).hexdigest()
        return ImagePredicted(
            upload_id=f"upl-{content[:24]}",
            image_id=f"img-{content[24:48]}",
            station=shot.camera.partition("/")[0],
            camera=shot.camera,
            bucket="camera-uploads",
            key=shot.key,
            etag=content[:32],
            size=300_000,
            sha256=content,
            uploaded_at=_THEN,
            predicted_at=_THEN,
            capture=Capture(
                time=shot.taken,
                time_source=CaptureTimeSource.EXIF,
                trigger=Trigger.MOTION,
                sequence=shot.sequence,
                sequence_length=length,
                event_number=shot.event,
                make="RECONYX",
                model="PC800 PROFESSIONAL",
                width=2048,
                height=1440,
            ),
            prediction=self._said[shot.picture % _VECTORS],
        )

    @cached_property
    def _said(self) -> list[Prediction]:
        chance = np.random.default_rng(4)
        return [self._one(chance) for _ in range(_VECTORS)]

    def _one(self, chance: np.random.Generator) -> Prediction:
        classes = self._card.labels.classes
        scores = np.exp(chance.normal(0, 2.5, len(classes)))
        scores /= scores.sum()
        best = [int(index) for index in np.argsort(-scores)[:_TOP]]
        return Prediction(
            model=self._card.model,
            version=self._card.versions[0],
            label_set=self._card.label_set,
            settings="set-bench",
            asked_at=_THEN,
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
