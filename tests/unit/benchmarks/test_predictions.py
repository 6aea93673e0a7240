"""Generated predictions, and the no-op model."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.no_op_model import build
from benchmarks.predictions import Predictions
from benchmarks.upload_plan import plan_bursts
from uncia.events import ImagePredicted
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import ModelCard, read_active_card, read_installed_card
from uncia.settings import Settings

MODEL = Settings().model_repository / Settings().model


@pytest.fixture(scope="module")
def card() -> ModelCard:
    if not MODEL.exists():
        pytest.skip("no model is built here")
    return read_active_card(Settings())


def test_bursts_of_any_length_are_complete(card: ModelCard) -> None:
    made = list(Predictions(card).of(plan_bursts(0, 2, 2), length=3))
    frames = [(image.camera, image.capture.sequence, image.capture.sequence_length) for image in made]
    assert sorted(frames) == [(camera, n, 3) for camera in ("bench-0/cam-00", "bench-1/cam-00") for n in (1, 2, 3)]
    assert len({image.image_id for image in made}) == 6


def test_a_prediction_is_deterministic_and_survives_serialization(card: ModelCard) -> None:
    first, again = (next(Predictions(card).of(plan_bursts(5, 1, 4))) for _ in range(2))
    assert first.to_bytes() == again.to_bytes()
    assert ImagePredicted.from_bytes(first.to_bytes()) == first
    assert first.prediction is not None
    assert len(first.prediction.whole.unpack()) == len(card.labels.classes)


def test_the_no_op_model_has_the_real_models_card_and_self_test_output(card: ModelCard, tmp_path: Path) -> None:
    build(tmp_path, Settings())
    build(tmp_path, Settings())  # replaces the existing one
    folder = tmp_path / Settings().model
    assert read_installed_card(tmp_path, card.model) == card
    assert (folder / "config.pbtxt").read_bytes() == (MODEL / "config.pbtxt").read_bytes()
    stored = np.load(folder / card.versions[0] / f"{card.windows}.npy")
    assert np.array_equal(stored[0], card.self_test.windows.unpack())
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert FrameSpec() == card.frame
