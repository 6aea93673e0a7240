"""Ready-made predictions: what the bursts worker is measured with."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.no_op_model import build
from benchmarks.plan import shots
from benchmarks.predictions import Predictions
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


def test_whole_bursts_of_any_length_are_told_by_their_camera(card: ModelCard) -> None:
    made = list(Predictions(card).of(shots(0, 2, 2), length=3))
    told = [(each.camera, each.capture.sequence, each.capture.sequence_length) for each in made]
    assert sorted(told) == [(camera, n, 3) for camera in ("bench-0/cam-00", "bench-1/cam-00") for n in (1, 2, 3)]
    assert len({each.image_id for each in made}) == 6


def test_a_prediction_is_the_same_every_time_and_survives_the_wire(card: ModelCard) -> None:
    first, again = (next(Predictions(card).of(shots(5, 1, 4))) for _ in range(2))
    assert first.to_bytes() == again.to_bytes()
    assert ImagePredicted.from_bytes(first.to_bytes()) == first
    assert first.prediction is not None
    assert len(first.prediction.whole.unpack()) == len(card.labels.classes)


def test_the_model_that_does_nothing_has_the_real_ones_contract_and_answers_its_self_test(
    card: ModelCard, tmp_path: Path
) -> None:
    build(tmp_path, Settings())
    build(tmp_path, Settings())  # over what is there
    folder = tmp_path / Settings().model
    assert read_installed_card(tmp_path, card.model) == card
    assert (folder / "config.pbtxt").read_bytes() == (MODEL / "config.pbtxt").read_bytes()
    stored = np.load(folder / card.versions[0] / f"{card.windows}.npy")
    assert np.array_equal(stored[0], card.self_test.windows.unpack())
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]
    assert FrameSpec() == card.frame
