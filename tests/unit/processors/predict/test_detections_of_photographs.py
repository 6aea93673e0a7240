"""Predict with a detector: one decode for both models, and a detector that is down, broken, replaced or absent."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.packages import write_package
from tests.unit.processors.predict.detectors import BOXES, DETECTOR_FRAME, FakeDetector, install_detector
from uncia.errors import DependencyDown, ScoresNotFinite
from uncia.events import ImagePredicted, ImageUploaded, Lane
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.imaging.jpeg_decoder import MonitoredJpeg
from uncia.processors.predict import inference
from uncia.processors.predict.inference import Predictor, crop_frames
from uncia.processors.predict.live_model import CHECK_INTERVAL_S, LiveDetector, LiveModel
from uncia.serving.detector_card import DetectorCard
from uncia.serving.model_card import ModelCard
from uncia.serving.self_tests import detector_test_frame
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.storage.object_store import ObjectContent
from uncia.triton_models.releases.installation import install

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRAME = FrameSpec(width=96, height=64, window=96)


class FakeClassifier:
    """Uniform scores; NaN for batches of more than one frame where `crops_unsound` is set."""

    crops_unsound = False
    batches: list[int]

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        type(self).batches = []

    async def classify(self, pixels: Pixels, lane: Lane, card: ModelCard) -> InferenceResult:
        self.batches.append(len(pixels))
        assert pixels.shape[1:] == (FRAME.height, FRAME.width, 3)
        bad = self.crops_unsound and len(self.batches) > 1 and not pixels.any()
        scores = np.full((len(pixels), len(card.labels.classes)), np.nan if bad else 0.25, dtype=np.float32)
        return InferenceResult(scores, scores, np.zeros_like(scores, dtype=np.int32), card.version, 1.0)

    async def close(self) -> None:
        """Nothing is open."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_package(tmp_path / "package", seed=1, frame=FRAME)
    install(tmp_path / "package", tmp_path / "repository")
    monkeypatch.setattr(inference, "Classifier", FakeClassifier)
    return tmp_path / "repository"


def picture(colour: tuple[int, int, int] = (90, 120, 60)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1280, 960), colour).save(file, "JPEG")
    return file.getvalue()


def predict(
    repository: Path,
    detector: type[FakeDetector] = FakeDetector,
    limit_s: float = 60,
    data: bytes = b"",
    clock: Clock | None = None,
) -> ImagePredicted:
    settings = Settings(model="tiny", model_repository=repository, _env_file=None)
    upload = ImageUploaded(
        upload_id="up-1", station="ridge", camera="ridge/north", bucket="uploads", key="ridge/north/x.jpg", etag="e",
        size=1, uploaded_at=NOW, announced_at=NOW,
    )  # fmt: skip
    store = SimpleNamespace(read=lambda *_, **__: ObjectContent(data or picture(), "e"))

    async def scene() -> ImagePredicted:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inference, "Detector", detector)
            live = LiveDetector(settings, clock or Clock())
            predictor = Predictor(settings, LiveModel(settings), live, store, Lane.LIVE, 4)  # type: ignore[arg-type]
            try:
                return await asyncio.wait_for(predictor.predict(upload), limit_s)
            finally:
                await predictor.close()

    return asyncio.run(scene())


def test_boxes_and_the_classes_of_the_best_animals_are_in_the_event(repository: Path) -> None:
    install_detector(repository)
    event = predict(repository)
    assert event.prediction is not None
    assert event.detection is not None
    animal, person = event.detection.detections
    assert (animal.box, animal.score, person.box) == (BOXES[0], 0.8, BOXES[1])
    assert animal.classes is not None
    assert animal.classes.unpack().tolist() == [0.25] * 4
    assert person.classes is None
    assert (event.detection.crop_model, event.detection.label_set) == ("tiny@1", event.prediction.label_set)
    assert FakeClassifier.batches == [1, 1]


def test_the_luminance_of_the_whole_photograph_is_in_the_event(repository: Path) -> None:
    install_detector(repository)
    event = predict(repository, data=picture((100, 100, 100)))
    assert event.luminance is not None
    assert np.abs(event.luminance.unpack().astype(int) - 100).max() <= 1


def test_a_photograph_is_decoded_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_detector(repository)
    scales: list[int] = []
    original = MonitoredJpeg.draft

    def draft(image: Any, mode: str, size: tuple[int, int]) -> Any:
        scales.append(size[0])
        return original(image, mode, size)

    monkeypatch.setattr(MonitoredJpeg, "draft", draft)
    predict(repository)
    assert len(scales) == 1
    assert scales[0] >= DETECTOR_FRAME.width


def test_without_a_detector_the_event_is_as_before(repository: Path) -> None:
    event = predict(repository)
    assert event.prediction is not None
    assert (event.detection, event.luminance) == (None, None)
    assert FakeClassifier.batches == [1]


class NotFinite(FakeDetector):
    """NaN for photographs; `sound` says whether the self-test's frame is answered."""

    sound = True

    def behave(self, pixels: Pixels, card: DetectorCard) -> None:
        if not (self.sound and np.array_equal(pixels[0], detector_test_frame(card.frame))):
            raise ScoresNotFinite("NaN")


def test_a_photograph_on_which_only_the_detector_fails_keeps_its_prediction(repository: Path) -> None:
    install_detector(repository)
    event = predict(repository, NotFinite)
    assert event.rejection is None
    assert event.prediction is not None
    assert event.detection is None
    assert [warning.partition(":")[0] for warning in event.capture.warnings[-1:]] == ["detector-unsound"]


class Broken(NotFinite):
    sound = False


class Down(FakeDetector):
    def behave(self, pixels: Pixels, card: DetectorCard) -> None:
        raise DependencyDown("no Triton")


@pytest.mark.parametrize("detector", [Broken, Down])
def test_predict_waits_for_a_detector_that_is_broken_or_down(repository: Path, detector: type[FakeDetector]) -> None:
    install_detector(repository)
    with pytest.raises(TimeoutError):
        predict(repository, detector, limit_s=2)


def test_another_detector_version_takes_the_place_of_one_that_is_down(repository: Path) -> None:
    install_detector(repository)
    clock = Clock()

    class FirstIsDown(FakeDetector):
        def behave(self, pixels: Pixels, card: DetectorCard) -> None:
            if card.version == "1":
                if not (repository / "animal_detector" / "2").exists():
                    install_detector(repository, "2", frame=FrameSpec(width=96, height=96))
                clock.now += CHECK_INTERVAL_S
                raise DependencyDown("unloaded")

    event = predict(repository, FirstIsDown, clock=clock)
    assert event.detection is not None
    assert event.detection.version == "2"


def test_crops_on_which_only_the_classifier_fails_are_not_classified(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_detector(repository)
    monkeypatch.setattr(FakeClassifier, "crops_unsound", True)
    event = predict(repository, data=picture((0, 0, 0)))
    assert event.prediction is not None
    assert event.detection is not None
    assert [found.classes for found in event.detection.detections] == [None, None]
    assert event.detection.crop_model is None


def test_crops_have_the_frame_of_the_classifier(repository: Path) -> None:
    install_detector(repository)
    event = predict(repository)
    assert event.detection is not None
    red = Image.new("RGB", (320, 240))
    red.paste((255, 0, 0), (80, 60, 240, 180))
    cropped = crop_frames(red, list(event.detection.detections), FRAME)
    assert cropped.shape == (2, FRAME.height, FRAME.width, 3)
    # The box of 160 x 120 pixels, and background at its sides: the frame is wider.
    assert cropped[0, FRAME.height // 2, FRAME.width // 2].tolist() == [255, 0, 0]
    assert cropped[0, FRAME.height // 2, 0].tolist() == [0, 0, 0]
