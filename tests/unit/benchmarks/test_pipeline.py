"""The work of `predict` without a stream: every stage is timed, and the crops of animals are classified."""

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.pipeline import Models, Tensors
from tests.packages import write_package
from tests.unit.training.presence.tiny_detector import write_detector
from uncia.imaging.frames import Pixels


@pytest.fixture(scope="module")
def photograph() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 160, 120)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def models(tmp_path: Path) -> Models:
    write_package(tmp_path / "classifier")
    return Models(tmp_path / "classifier", write_detector(tmp_path / "detector"))


def test_every_stage_of_a_photograph_is_timed(models: Models, photograph: bytes) -> None:
    pipeline = models.open()
    for _ in range(2):
        pipeline.timed(photograph)

    stages = {"hash and EXIF", "decode", "scale, luminance", "classifier", "detector", "crops", "events"}
    assert pipeline.seconds.keys() == stages
    assert all(seconds > 0 for seconds in pipeline.seconds.values())


def test_the_best_animals_of_each_photograph_are_classified(models: Models, photograph: bytes) -> None:
    pipeline = models.open()
    pipeline.timed(photograph)

    # One animal is sure enough, of one without area and two weak ones.
    assert pipeline.crops == 1


def test_a_batch_is_detected_and_classified_as_the_stream_does(models: Models, photograph: bytes) -> None:
    pipeline = models.open()
    batches: list[int] = []
    classify = pipeline.classify

    def counted(pixels: Pixels) -> Tensors:
        batches.append(len(pixels))
        return classify(pixels)

    pipeline.classify = counted
    pipeline.infer([pipeline.decode(photograph)])

    assert batches == [1, 1]


def test_without_a_detector_only_the_classifier_runs(models: Models, photograph: bytes) -> None:
    pipeline = Models(models.classifier, None).open()
    pipeline.timed(photograph)
    pipeline.infer([pipeline.decode(photograph)] * 2)

    assert pipeline.seconds.keys().isdisjoint({"detector", "crops"})
    assert pipeline.decode(photograph).detector is None
