"""From a detector's output to the boxes of an event."""

import base64
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tests.unit.processors.predict.detectors import detector_card
from uncia.events import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.processors.predict.detection import (
    MAX_CLASSIFIED,
    MAX_DETECTIONS,
    DetectionBuilder,
    boxes_to_classify,
    with_classes,
)
from uncia.serving.detector_client import DetectorOutput

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOX = (0.1, 0.2, 0.3, 0.4)


def output(*rows: tuple[tuple[float, ...], float, int]) -> DetectorOutput:
    """The output for one photograph: box, score, category of each row."""
    return DetectorOutput(
        np.array([[row[0] for row in rows]], dtype=np.float64).reshape(1, len(rows), 4),
        np.array([[row[1] for row in rows]], dtype=np.float32),
        np.array([[row[2] for row in rows]], dtype=np.int32),
        "3",
        12.3456,
    )


def build(*rows: tuple[tuple[float, ...], float, int], **card: Any) -> Any:
    return DetectionBuilder(detector_card(**card)).build(output(*rows), NOW)


def test_boxes_from_the_threshold_on_are_published_best_first() -> None:
    result = build((BOX, 0.25, 1), (BOX, 0.75, 0), (BOX, 0.01, 0))
    assert [(found.category, found.score) for found in result.detections] == [
        (DetectionCategory.ANIMAL, 0.75),
        (DetectionCategory.PERSON, 0.25),
    ]
    assert result.detections[0].box == BOX
    assert (result.model, result.version, result.inference_ms) == ("animal_detector", "3", 12.346)


def test_of_five_thousand_boxes_the_best_ten_are_published() -> None:
    result = build(*((BOX, 0.1 + index / 10_000, 0) for index in range(5000)))
    assert len(result.detections) == MAX_DETECTIONS
    assert min(found.score for found in result.detections) > 0.59


def test_boxes_without_an_area_are_left_out() -> None:
    assert build(((0.5, 0.5, 0.0, 0.2), 0.9, 0), ((1.0, 1.0, 0.0, 0.0), 0.9, 0)).detections == ()


def test_unused_places_are_no_boxes_at_any_threshold() -> None:
    assert build(((0, 0, 0, 0), 0.0, 0), (BOX, 0.0, 0), threshold=1e-9).detections == ()


def test_the_settings_digest_changes_with_the_frame_and_the_threshold() -> None:
    digests = {
        build().settings,
        build(threshold=0.2).settings,
        build(frame=FrameSpec(width=320, height=240)).settings,
    }
    assert len(digests) == 3
    assert build().settings == build().settings


def test_crops_of_the_best_animals_only_are_classified() -> None:
    result = build((BOX, 0.9, 1), *((BOX, 0.8 - index / 10, 0) for index in range(5)))
    indices = boxes_to_classify(result)
    assert indices == [1, 2, 3]
    assert len(indices) == MAX_CLASSIFIED
    vectors = np.eye(3, 4, dtype=np.float32)
    classified = with_classes(result, indices, vectors, crop_model="m@1", label_set="l@1")
    assert [found.classes is not None for found in classified.detections] == [False, True, True, True, False, False]
    vector = classified.detections[2].classes
    assert vector is not None
    assert base64.b64decode(vector.f16) == np.array([0, 1, 0, 0], "<f2").tobytes()
    assert (classified.crop_model, classified.label_set) == ("m@1", "l@1")


def test_weak_boxes_are_classified_only_where_they_are_the_best() -> None:
    assert boxes_to_classify(build((BOX, 0.06, 0), (BOX, 0.05, 0))) == [0]
    assert boxes_to_classify(build((BOX, 0.9, 0), (BOX, 0.1, 0), (BOX, 0.5, 0))) == [0, 1]
    assert boxes_to_classify(build((BOX, 0.9, 1))) == []


def test_boxes_that_are_only_evidence_of_presence_are_published_and_not_classified() -> None:
    result = build((BOX, 0.049, 0), (BOX, 0.02, 0), threshold=0.02)
    assert len(result.detections) == 2
    assert boxes_to_classify(result) == []
