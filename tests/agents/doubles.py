"""Doubles of the object store and of Triton for a worker: servers on loopback, and the settings that lead to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.agents.workers import key
from tests.packages import write_package
from tests.stack.photographs import photograph
from tests.unit.processors.predict.s3_double import S3Double, s3_double
from tests.unit.uncia.serving.fake_triton import CLASSES, FakeTriton, serving
from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.releases.installation import install

PHOTOGRAPHS = 3


@contextmanager
def doubles(folder: Path) -> Iterator[dict[str, Any]]:
    """A store with the first photographs, and a Triton with a model; yields the settings of both."""
    with servers(folder) as (addresses, _, _):
        yield addresses


@contextmanager
def servers(folder: Path) -> Iterator[tuple[dict[str, Any], S3Double, FakeTriton]]:
    """The same, with the store and Triton themselves."""
    card = write_package(folder / "package", frame=FrameSpec(), classes=CLASSES)
    install(folder / "package", folder / "repository")
    triton = FakeTriton()
    triton.version = "1"
    with s3_double() as (store, _), serving(triton) as address:
        store.objects.update({key(number): photograph(number) for number in range(1, PHOTOGRAPHS + 1)})
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
