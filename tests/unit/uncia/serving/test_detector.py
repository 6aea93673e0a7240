"""The detector's client maps boxes to the photograph and refuses output that is none; its self-test is compared."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.serving.detector_examples import CARD, FRAME, FakeDetector
from tests.unit.uncia.serving.fake_triton import CARD as CLASSIFIER
from tests.unit.uncia.serving.fake_triton import LABELS, fails, serving
from uncia.errors import DependencyDown, ScoresNotFinite, SettingsError
from uncia.events import Lane
from uncia.serving.cards import read_card, read_installed
from uncia.serving.detector_card import read_active_detector_card, read_detector_card
from uncia.serving.detector_client import Detector, DetectorOutput, boxes_in_photograph
from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import CARD_FILE, LABELS_FILE, initial_state, write_version_state
from uncia.serving.triton_client import ModelControl, ModelHealth
from uncia.settings import Settings

FRAMES = np.zeros((2, FRAME.height, FRAME.width, 3), dtype=np.uint8)


@pytest.fixture
def triton() -> FakeDetector:
    return FakeDetector()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / CARD.model
    (folder / "1").mkdir(parents=True)
    (folder / "1" / CARD_FILE).write_text(CARD.model_dump_json())
    write_version_state(folder, initial_state("1"))
    return folder.parent


@pytest.fixture
def settings(triton: FakeDetector, repository: Path) -> Iterator[Settings]:
    with serving(triton) as address:
        yield Settings(triton=address, detector=CARD.model, model_repository=repository, triton_timeout_s=5)


def detect(settings: Settings) -> DetectorOutput:
    async def detect_batch() -> DetectorOutput:
        detector = Detector(settings, CARD)
        try:
            return await detector.detect(FRAMES)
        finally:
            await detector.close()

    return asyncio.run(detect_batch())


def test_live_frames_have_priority_over_backfill(settings: Settings, triton: FakeDetector) -> None:
    async def work() -> None:
        detector = Detector(settings, CARD)
        await detector.detect(FRAMES, Lane.BACKFILL)
        await detector.detect(FRAMES)
        await detector.close()

    asyncio.run(work())
    backfill, live = triton.priorities
    assert 1 <= live < backfill


def test_waits_no_longer_than_the_deadline(settings: Settings, triton: FakeDetector) -> None:
    triton.behaviour = lambda context: time.sleep(1)
    with pytest.raises(DependencyDown, match=r"did not answer within 0\.2 s"):
        detect(settings.model_copy(update={"triton_timeout_s": 0.2}))


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (grpc.StatusCode.INTERNAL, "Stub process 'x' is not healthy.", "the process behind"),
        (grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'x' is not found", "does not serve"),
        (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", "refuses: Exceeds maximum queue size"),
    ],
)
def test_every_refusal_is_a_dependency_that_is_down(
    settings: Settings, triton: FakeDetector, code: grpc.StatusCode, message: str, expected: str
) -> None:
    triton.behaviour = fails(code, message)
    with pytest.raises(DependencyDown, match=expected):
        detect(settings)


def test_the_version_of_the_card_is_requested_and_the_one_that_answered_is_reported(
    settings: Settings, triton: FakeDetector
) -> None:
    triton.version = "12"
    assert detect(settings).version == "12"
    assert triton.requested == [CARD.version]


def test_boxes_are_shares_of_the_photograph_with_its_strips(settings: Settings) -> None:
    output = detect(settings)

    assert output.boxes.shape == (2, 3, 4)
    np.testing.assert_allclose(output.boxes[1, 0], [0.25, 0.1 + 0.25 * 0.6, 0.5, 0.3], atol=1e-6)
    assert (output.scores[0, 0], output.version) == (np.float32(0.9), "7")


def test_boxes_outside_the_picture_are_clipped(settings: Settings, triton: FakeDetector) -> None:
    triton.boxes = np.array([[-0.5, -0.5, 9, 9], [2, 2, 1, 1], [0.5, 0.5, -1, -1]], dtype=np.float32)
    triton.scores = np.array([0.9, 0.8, 0.7], dtype=np.float32)
    boxes = detect(settings).boxes[0]

    np.testing.assert_allclose(boxes[0], [0, 0.1, 1, 0.6], atol=1e-9)
    assert (boxes[1:, 2:] == 0).all()


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4))
def test_any_box_ends_up_inside_the_photograph(box: list[float]) -> None:
    x, y, width, height = boxes_in_photograph(np.array(box, dtype=np.float32), FRAME)

    assert 0 <= x <= x + width <= 1 + 1e-9
    assert 0 <= y <= y + height <= 1 + 1e-9


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("tensor", ["boxes", "scores"])
def test_nan_and_infinity_are_never_detections(
    settings: Settings, triton: FakeDetector, tensor: str, value: float
) -> None:
    getattr(triton, tensor).flat[0] = value

    with pytest.raises(ScoresNotFinite, match=r"tiny_detector .*reload"):
        detect(settings)


def test_nan_where_there_is_no_box_does_not_matter(settings: Settings, triton: FakeDetector) -> None:
    triton.boxes[2] = np.nan

    assert np.isfinite(detect(settings).boxes).all()


def test_a_category_that_the_card_does_not_list_is_refused(settings: Settings, triton: FakeDetector) -> None:
    triton.categories[0] = 2

    with pytest.raises(DependencyDown, match="does not list"):
        detect(settings)


def test_five_thousand_boxes_are_not_what_the_card_says(settings: Settings, triton: FakeDetector) -> None:
    triton.boxes = np.zeros((5000, 4), dtype=np.float32)

    with pytest.raises(DependencyDown, match="another shape"):
        detect(settings)


def test_the_self_test_of_a_detector_is_probed(settings: Settings) -> None:
    with ModelControl(settings) as control:
        assert control.probe(CARD.model).healthy


@pytest.mark.parametrize(
    ("tensor", "index", "value"),
    [
        ("scores", 0, 0.8),
        ("scores", 0, np.nan),
        ("scores", 2, 0.5),
        ("boxes", (0, 2), 0.1),
        ("boxes", (0, 2), np.nan),
        ("categories", 0, 1),
    ],
)
def test_another_output_than_that_of_the_card_is_wrong(
    settings: Settings, triton: FakeDetector, tensor: str, index: int | tuple[int, int], value: float
) -> None:
    getattr(triton, tensor)[index] = value
    with ModelControl(settings) as control:
        assert control.probe(CARD.model).health is ModelHealth.WRONG


def test_boxes_of_equal_scores_may_change_places(settings: Settings, triton: FakeDetector, repository: Path) -> None:
    boxes = ((0.25, 0.25, 0.5, 0.5), (0.0, 0.0, 0.25, 0.25))
    self_test = CARD.self_test.model_copy(update={"boxes": boxes, "scores": (0.9, 0.9), "categories": (0, 0)})
    card = CARD.model_copy(update={"self_test": self_test})
    (repository / CARD.model / "1" / CARD_FILE).write_text(card.model_dump_json())
    triton.boxes[0], triton.boxes[1], triton.scores[1] = boxes[1], boxes[0], 0.9
    with ModelControl(settings) as control:
        assert control.probe(CARD.model).healthy


def test_a_card_survives_being_written_and_read(settings: Settings, repository: Path) -> None:
    assert read_card(repository / CARD.model / "1") == CARD
    assert read_installed(repository, CARD.model) == CARD
    assert read_active_detector_card(settings) == CARD


def test_a_card_without_a_kind_is_that_of_a_classifier(tmp_path: Path) -> None:
    old = CLASSIFIER.model_dump_json(exclude={"kind"})
    (tmp_path / CARD_FILE).write_text(old)
    (tmp_path / LABELS_FILE).write_text(LABELS.model_dump_json())

    assert read_card(tmp_path) == CLASSIFIER
    with pytest.raises(SettingsError, match="card of a classifier"):
        read_detector_card(tmp_path)


def test_a_detector_is_no_classifier(repository: Path) -> None:
    with pytest.raises(SettingsError, match="card of a detector"):
        read_model_card(repository / CARD.model / "1")


def test_without_a_detector_there_is_no_card(settings: Settings, tmp_path: Path) -> None:
    assert read_active_detector_card(settings.model_copy(update={"detector": ""})) is None
    assert read_active_detector_card(settings.model_copy(update={"model_repository": tmp_path})) is None


def test_a_pinned_version_of_the_detector_must_be_installed(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="no version 4"):
        read_active_detector_card(settings.model_copy(update={"detector_version": "4"}))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "detector"}'])
def test_a_broken_card_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CARD_FILE).write_text(content)
    with pytest.raises(SettingsError, match=r"uncia models build|card of a classifier"):
        read_detector_card(tmp_path)


def test_the_card_lists_its_outputs() -> None:
    assert [(output.name, output.dims) for output in CARD.outputs] == [
        ("BOXES", (3, 4)),
        ("SCORES", (3,)),
        ("CATEGORIES", (3,)),
    ]
