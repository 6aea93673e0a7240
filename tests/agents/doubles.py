"""Doubles of the object store and of Triton for a worker: servers on loopback, and the settings that lead to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.agents.workers import RECORDING, key, recording_key
from tests.packages import write_package
from tests.stack.photographs import photograph
from tests.unit.processors.predict.detectors import install_detector
from tests.unit.processors.predict.s3_double import S3Double, s3_double
from tests.unit.uncia.serving.detector_examples import FakeDetector
from tests.unit.uncia.serving.fake_triton import CLASSES, FakeTriton, serving
from uncia.imaging.frame_spec import FrameSpec
from uncia.settings import Settings
from uncia.sound.spec import SoundSpec
from uncia.triton_models.releases.installation import install

PHOTOGRAPHS = 3


class ClassifierAndDetector(FakeDetector):
    """A Triton that serves both models of predict."""

    def ModelInfer(self, request: Any, context: Any) -> Any:
        if request.model_name == Settings().detector:
            return super().ModelInfer(request, context)
        return FakeTriton.ModelInfer(self, request, context)


@contextmanager
def doubles(folder: Path) -> Iterator[dict[str, Any]]:
    """A store with the first photographs and recordings, and a Triton with all models; yields the settings of both."""
    with servers(folder) as (addresses, _, _):
        yield addresses


@contextmanager
def servers(folder: Path) -> Iterator[tuple[dict[str, Any], S3Double, FakeTriton]]:
    """The same, with the store and Triton themselves."""
    card = write_package(folder / "package", frame=FrameSpec(), classes=CLASSES)
    install(folder / "package", folder / "repository")
    install_detector(folder / "repository", max_boxes=3)
    sound = SoundSpec()
    write_package(folder / "sound", model="audio_classifier", frame=sound.frame, classes=CLASSES, sound=sound)
    install(folder / "sound", folder / "repository")
    triton = ClassifierAndDetector()
    triton.version = "1"
    with s3_double() as (store, _), serving(triton) as address:
        store.objects.update({key(number): photograph(number) for number in range(1, PHOTOGRAPHS + 1)})
        store.objects.update({recording_key(number): RECORDING for number in range(1, PHOTOGRAPHS + 1)})
        stored = store.settings()
        addresses = {
            "s3_endpoint": stored.s3_endpoint,
            "s3_access_key": stored.s3_access_key,
            "s3_secret_key": stored.s3_secret_key,
            "triton": address,
            "model": card.model,
            "model_repository": folder / "repository",
            "data_dir": folder / "workers",
            "partitions": 2,
            "burst_idle_s": 3600,
            "explanation_samples": 4,
        }
        yield addresses, store, triton
