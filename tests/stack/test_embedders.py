"""An embedder on the real Triton: imported by a description, chosen by a setting, replaced while the worker runs."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.test_individuals import CROPS, PARTS, TAXON, Camera
from tests.temporary_stack import temporary_stack
from tests.unit.triton_models.importing.embedders import DIMENSIONS, described, embedder, torch_embedder
from tests.waiting import SCALE
from uncia.events import IndividualSighted
from uncia.infra.local.stack import Stack
from uncia.processors.identify.descriptions import description_key
from uncia.processors.identify.matching.description import Description
from uncia.serving.embedder_card import read_active_embedder_card
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)


def import_embedder(graph: Path, repository: Path) -> None:
    """`uncia models import`, as a person runs it."""
    description = described(graph.parent, taxa=[TAXON], input={"fit": "letterbox"})
    command = [sys.executable, "-m", "uncia", "models", "import", str(graph), "--description", str(description)]
    done = subprocess.run(
        [*command, "--repository", str(repository)], capture_output=True, text=True, timeout=SCALE * 60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "UNCIA_IDENTIFY_EMBEDDER" in done.stdout or "makes it live" in done.stdout


@pytest.fixture(scope="module")
def embedding() -> Iterator[Stack]:
    """A stack that identifies snow leopards with an embedder that torch exported."""
    pytest.importorskip("torch")
    folder = Path(tempfile.mkdtemp(prefix="uncia embedders "))
    models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    torch_embedder(folder / "coats.onnx")
    import_embedder(folder / "coats.onnx", models)
    chosen = {"UNCIA_IDENTIFY_TAXA": TAXON, "UNCIA_IDENTIFY_SETTLE_S": "1", "UNCIA_IDENTIFY_EMBEDDER": "coats"}
    with temporary_stack(folder, chosen, repository=models) as stack:
        stack.up(PARTS, timeout_s=SCALE * 180)
        yield stack


@pytest.fixture
def camera(embedding: Stack) -> Camera:
    return Camera(embedding, f"ridge-{uuid.uuid4().hex[:8]}/north")


def descriptions(stack: Stack, camera: Camera, event: IndividualSighted) -> list[Description]:
    """The descriptions of the crops of a sighting, as they are stored."""
    settings = stack.admin_settings()
    store = ObjectStore(settings)
    try:
        keys = [description_key(camera.name, crop.crop_id) for crop in event.crops]
        return [Description.from_bytes(store.get(settings.bucket, key, max_bytes=1 << 24)) for key in keys]
    finally:
        store.close()


def test_the_embedder_passes_its_self_test_on_triton(embedding: Stack) -> None:
    with ModelControl(embedding.admin_settings()) as control:
        assert control.probe("coats").healthy


def test_crops_have_vectors_and_the_next_version_takes_over_without_a_restart(embedding: Stack, camera: Camera) -> None:
    settings = embedding.admin_settings()
    card = read_active_embedder_card(settings)
    assert card is not None
    known = camera.burst(51)
    event = camera.wait(known)
    assert event.matcher == card.embedder_id
    assert [len(one.embedding) for one in descriptions(embedding, camera, event)] == [DIMENSIONS] * CROPS
    code = camera.decide_new(known)

    other = embedder(settings.model_repository.parent / "other.onnx")
    import_embedder(other, settings.model_repository)
    subprocess.run(
        [sys.executable, "-m", "uncia", "models", "promote", "coats@2"],
        env={**os.environ, **embedding.environment(), "UNCIA_MODEL_REPOSITORY": str(settings.model_repository)},
        check=True,
        timeout=SCALE * 120,
    )
    again = camera.wait(camera.burst(51), lambda event: bool(event.candidates))
    # The reference was described by the version before, whose vectors are not compared with these.
    assert again.matcher is not None
    assert again.matcher.startswith("coats@2/")
    assert again.candidates[0].individual_id == camera.id_of(code)
