"""NaN for one photograph rejects it; NaN for the self-test too is a broken model, for which predict waits."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.packages import write_package
from uncia.events import ImagePredicted, ImageUploaded, Lane
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.processors.predict import inference
from uncia.processors.predict.inference import Predictor
from uncia.processors.predict.live_model import LiveDetector, LiveModel
from uncia.serving.model_card import ModelCard
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.storage.object_store import ObjectContent
from uncia.triton_models.releases.installation import install

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRAME = FrameSpec(width=96, height=64, window=96)


class Triton:
    """Answers photographs with NaN, and the self-test's pattern as `sound` says."""

    sound = True

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        self.card = card

    async def classify(self, pixels: Pixels, lane: Lane, card: ModelCard) -> InferenceResult:
        good = self.sound and np.array_equal(pixels[0], self_test_pattern(FRAME))
        scores = np.full((1, len(card.labels.classes)), 0.25 if good else np.nan, dtype=np.float32)
        return InferenceResult(scores, scores, np.zeros_like(scores, dtype=np.int32), card.version, 1.0)

    async def close(self) -> None:
        """Nothing is open."""


def answer(tmp_path: Path, limit_s: float) -> ImagePredicted:
    write_package(tmp_path / "package", seed=1, frame=FRAME)
    install(tmp_path / "package", tmp_path / "repository")
    settings = Settings(model="tiny", model_repository=tmp_path / "repository")
    file = io.BytesIO()
    Image.new("RGB", (256, 192), (90, 120, 60)).save(file, "JPEG")
    store = SimpleNamespace(read=lambda *_, **__: ObjectContent(file.getvalue(), "e"))
    upload = ImageUploaded(
        upload_id="up-1", station="ridge", camera="ridge/north", bucket="uploads", key="ridge/north/x.jpg", etag="e",
        size=1, uploaded_at=NOW, announced_at=NOW,
    )  # fmt: skip

    async def scene() -> ImagePredicted:
        predict = Predictor(settings, LiveModel(settings), LiveDetector(settings), store, Lane.LIVE, 4)  # type: ignore[arg-type]
        try:
            return await asyncio.wait_for(predict.predict(upload), limit_s)
        finally:
            await predict.close()

    return asyncio.run(scene())


def test_a_photograph_on_which_a_working_model_fails_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "Classifier", Triton)
    answered = answer(tmp_path, 60)
    assert answered.prediction is None
    assert answered.rejection is not None
    assert answered.rejection.reason == "model-unsound"
    assert answered.sha256 is not None


def test_predict_waits_for_a_broken_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Triton, "sound", False)
    monkeypatch.setattr(inference, "Classifier", Triton)
    with pytest.raises(TimeoutError):
        answer(tmp_path, 3)
