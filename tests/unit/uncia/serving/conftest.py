"""A fake Triton and a repository with one card, for each test anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.uncia.serving.fake_triton import CARD, LABELS, FakeTriton, serving
from uncia.serving.model_versions import CARD_FILE, LABELS_FILE, initial_state, write_version_state
from uncia.settings import Settings


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / CARD.model
    version = folder / CARD.version
    version.mkdir(parents=True)
    (version / CARD_FILE).write_text(CARD.model_dump_json())
    (version / LABELS_FILE).write_text(LABELS.model_dump_json())
    write_version_state(folder, initial_state(CARD.version))
    return folder.parent


@pytest.fixture
def triton() -> FakeTriton:
    return FakeTriton()


@pytest.fixture
def settings(triton: FakeTriton, repository: Path) -> Iterator[Settings]:
    with serving(triton) as address:
        yield Settings(triton=address, model=CARD.model, model_repository=repository, triton_timeout_s=5)
