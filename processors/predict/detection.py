"""From a detector's output for one photograph to the boxes of an event, and which of them are classified. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from uncia import ids
from uncia.events import ClassVector, Detection, DetectionCategory, DetectionResult
from uncia.events.values import Box
from uncia.serving.detector_card import DetectorCard
from uncia.serving.detector_client import DetectorOutput

MAX_DETECTIONS = 10
"""Boxes of a photograph that are published."""

MAX_CLASSIFIED = 3
"""Boxes of a photograph whose crops are classified."""

CLASSIFIED_FROM = 0.2
"""Score from which more than the best animal is classified: each crop costs as much CPU as the photograph itself, and
weaker boxes are mostly background (on 148 frames 0.82 crops a photograph instead of 1.08)."""

BEST_CLASSIFIED_FROM = 0.05
"""Score from which the best animal is classified; weaker boxes are evidence of presence only."""

_BOX_DIGITS = 5
"""Of the shares in a box: a twentieth of a pixel of a photograph of 12 megapixels."""

_RULE = "detect/1"
"""Bump when identical boxes produce different output."""


class DetectionBuilder:
    """Builds the detections of photographs from the output of one detector version."""

    def __init__(self, card: DetectorCard) -> None:
        self._card = card
        shaped = {
            "rule": _RULE,
            "frame": card.frame.model_dump(mode="json"),
            "threshold": card.threshold,
            "most": MAX_DETECTIONS,
            "classified": MAX_CLASSIFIED,
            "classified_from": CLASSIFIED_FROM,
            "best_classified_from": BEST_CLASSIFIED_FROM,
        }
        self._settings = ids.settings_digest(json.dumps(shaped, sort_keys=True))

    def build(self, output: DetectorOutput, asked_at: datetime) -> DetectionResult:
        """The boxes of one photograph: row 0 of the output, from the card's threshold on, best first.

        Boxes without an area are left out.
        """
        rows = zip(output.boxes[0], output.scores[0], output.categories[0], strict=True)
        found = [
            Detection(category=self._category(int(category)), score=_score(score), box=_box(box))
            for box, score, category in rows
            if score >= self._card.threshold and score > 0 and box[2] > 0 and box[3] > 0
        ]
        # Persons first where not all are kept: the box hides a person from those who need not see people.
        found.sort(key=lambda detection: (detection.category is not DetectionCategory.PERSON, -detection.score))
        del found[MAX_DETECTIONS:]
        found.sort(key=lambda detection: -detection.score)
        return DetectionResult(
            model=self._card.model,
            version=output.version,
            settings=self._settings,
            asked_at=asked_at,
            inference_ms=round(output.inference_ms, 3),
            categories=tuple(DetectionCategory(category) for category in self._card.categories),
            detections=tuple(found),
        )

    def _category(self, index: int) -> DetectionCategory:
        return DetectionCategory(self._card.categories[index])


def boxes_to_classify(result: DetectionResult) -> list[int]:
    """Indices into `result.detections` of the best animal from `BEST_CLASSIFIED_FROM` on, and of others from
    `CLASSIFIED_FROM` on: at most `MAX_CLASSIFIED`."""
    animals = [
        index
        for index, found in enumerate(result.detections)
        if found.category is DetectionCategory.ANIMAL and found.score >= BEST_CLASSIFIED_FROM
    ]
    strong = [index for index in animals[1:] if result.detections[index].score >= CLASSIFIED_FROM]
    return [*animals[:1], *strong][:MAX_CLASSIFIED]


def with_classes(
    result: DetectionResult, indices: Sequence[int], vectors: np.ndarray, *, crop_model: str, label_set: str
) -> DetectionResult:
    """The result with class probabilities, shape (len(indices), classes), of the crops of these detections."""
    detections = list(result.detections)
    for index, vector in zip(indices, vectors, strict=True):
        detections[index] = detections[index].model_copy(update={"classes": ClassVector.pack(vector)})
    return result.model_copy(update={"detections": tuple(detections), "crop_model": crop_model, "label_set": label_set})


def _score(score: np.floating) -> float:
    return round(min(1.0, float(score)), 6)


def _box(box: np.ndarray) -> Box:
    x, y, width, height = (round(float(value), _BOX_DIGITS) for value in box)
    return x, y, width, height
