"""A photograph whose model version was removed while it waited is decoded again for the live version."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.packages import write_package
from uncia.errors import DependencyDown
from uncia.events import ImagePredicted, ImageUploaded, Lane
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.processors.predict import inference
from uncia.processors.predict.inference import Predictor
from uncia.processors.predict.live_model import LiveDetector, LiveModel
from uncia.serving.model_card import ModelCard
from uncia.serving.model_versions import read_version_state, write_version_state
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.storage.object_store import ObjectContent
from uncia.triton_models.releases.installation import install

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WIDE = FrameSpec(width=128, height=64, window=128)


class Triton:
    """Serves version 2 only; requests for version 1 fail as after its removal."""

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        self.folder = settings.model_repository / settings.model
        self.requests: list[tuple[str, tuple[int, ...]]] = []

    async def classify(self, pixels: Pixels, lane: Lane, card: ModelCard) -> InferenceResult:
        self.requests.append((card.version, pixels.shape))
        if card.version == "1":
            write_version_state(self.folder, read_version_state(self.folder).model_copy(update={"live": "2"}))
            raise DependencyDown("version 1 is not at ready state")
        scores = np.full((1, len(card.labels.classes)), 0.25, dtype=np.float32)
        return InferenceResult(scores, scores, np.zeros_like(scores, dtype=np.int32), card.version, 1.0)

    async def close(self) -> None:
        """Nothing is open."""


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 192), (90, 120, 60)).save(file, "JPEG")
    return file.getvalue()


def upload() -> ImageUploaded:
    return ImageUploaded(
        upload_id="up-1",
        station="ridge",
        camera="ridge/north",
        bucket="uploads",
        key="ridge/north/x.jpg",
        etag="e",
        size=1,
        uploaded_at=NOW,
        announced_at=NOW,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for seed, frame in ((1, FrameSpec(width=96, height=64, window=96)), (2, WIDE)):
        write_package(tmp_path / f"package{seed}", seed=seed, frame=frame)
        install(tmp_path / f"package{seed}", tmp_path / "repository")
    return Settings(model="tiny", model_repository=tmp_path / "repository")


def test_it_is_decoded_and_sent_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "Classifier", Triton)
    seconds = iter(range(1000))
    store = SimpleNamespace(read=lambda *_, **__: ObjectContent(picture(), "e"))

    async def scene() -> tuple[ImagePredicted, Triton]:
        model = LiveModel(settings, lambda: float(next(seconds)))
        predict = Predictor(settings, model, LiveDetector(settings), store, Lane.LIVE, 4)  # type: ignore[arg-type]
        try:
            return await predict.predict(upload()), predict._classifier  # type: ignore[return-value]
        finally:
            await predict.close()

    answer, triton = asyncio.run(scene())
    assert triton.requests == [("1", (1, 64, 96, 3)), ("2", (1, 64, 128, 3))]
    assert answer.prediction is not None
    assert (answer.prediction.version, answer.prediction.top[0].label[:4]) == ("2", "set2")
