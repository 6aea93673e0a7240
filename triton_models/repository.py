"""Write Triton's model repository: one writer at a time, and no reader ever finds an incomplete model."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from uncia.serving.cards import Card, read_installed
from uncia.serving.model_card import ModelCard
from uncia.serving.model_versions import (
    CARD_FILE,
    CONFIG_FILE,
    LABELS_FILE,
    read_version_state,
    repository_lock,
    sort_versions,
)
from uncia.storage import atomic_dir
from uncia.storage.durable import write_durably
from uncia.triton_models.triton_config import config_pbtxt

_STAGING_PREFIX = ".building-"


@contextlib.contextmanager
def exclusive_access(repository: Path) -> Iterator[None]:
    """Hold the repository's lock; also removes or restores what a killed writer left behind."""
    repository.mkdir(parents=True, exist_ok=True)
    with repository_lock(repository):
        atomic_dir.remove_stale_staging(repository, _STAGING_PREFIX)
        yield


@contextlib.contextmanager
def staging_folder(repository: Path, name: str) -> Iterator[Path]:
    """A temporary folder in the repository that Triton ignores; removed afterwards with its content."""
    with atomic_dir.staging_directory(repository, f"{_STAGING_PREFIX}{name}-") as folder:
        yield folder


def write_version(folder: Path, card: Card) -> None:
    """Write all files of a version except its graph, for both backends, because a model may change its backend."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if isinstance(card, ModelCard):
        (folder / LABELS_FILE).write_text(card.labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
    serving = files("uncia.triton_models.serving").joinpath("onnx_python_backend.py").read_bytes()
    (folder / "model.py").write_bytes(serving)


def write_config(repository: Path, model: str, served: Iterable[str] = (), beside: Iterable[str] | None = None) -> None:
    """Write `config.pbtxt`, which Triton reads when it next loads the model.

    `served` are the versions to serve, and `beside` those of them that give way to the live one; without them, those of
    the model's version state.
    """
    state = read_version_state(repository / model)
    cards = [read_installed(repository, model, version) for version in sort_versions(set(served)) or state.served]
    behind = sort_versions(set(state.beside if beside is None else beside))
    # The python backend also serves versions that were built for onnxruntime.
    backend = cards[0].backend if len({card.backend for card in cards}) == 1 else "python"
    write_durably(repository / model / CONFIG_FILE, config_pbtxt(cards, backend, behind))


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
