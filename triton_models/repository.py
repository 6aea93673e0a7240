"""Writing in Triton's repository: one writer at a time, and nothing half-made in anybody's sight."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from uncia.serving.model_card import ModelCard, installed_card
from uncia.serving.model_versions import (
    CARD_FILE,
    CONFIG_FILE,
    LABELS_FILE,
    in_order,
    one_writer,
    read_standing,
    write_whole,
)
from uncia.storage import atomic_dir as folders
from uncia.triton_models.triton_config import config_pbtxt

_DRAFT = ".building-"


@contextlib.contextmanager
def lock_repository(repository: Path) -> Iterator[None]:
    """One writer at a time in one repository; what a killed one left behind is removed, or put back."""
    repository.mkdir(parents=True, exist_ok=True)
    with one_writer(repository):
        folders.tidy(repository, _DRAFT)
        yield


@contextlib.contextmanager
def staging_folder(repository: Path, name: str) -> Iterator[Path]:
    """A folder in the repository that Triton does not look at; gone afterwards, with all that is still in it."""
    with folders.draft(repository, f"{_DRAFT}{name}-") as folder:
        yield folder


def write_version(folder: Path, card: ModelCard) -> None:
    """Everything of a version but its graph, into its folder; for either backend, since one may take over."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / LABELS_FILE).write_text(card.labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
    serving = files("uncia.triton_models.serving").joinpath("onnx_python_backend.py").read_bytes()
    (folder / "model.py").write_bytes(serving)


def write_config(repository: Path, model: str, served: Iterable[str] = (), beside: Iterable[str] | None = None) -> None:
    """Tell Triton, when it is next asked to load the model, what to serve: as said here, else as its standing says."""
    standing = read_standing(repository / model)
    cards = [installed_card(repository, model, version) for version in in_order(set(served)) or standing.served]
    behind = in_order(set(standing.beside if beside is None else beside))
    # The python backend serves what was built for either.
    backend = cards[0].backend if len({card.backend for card in cards}) == 1 else "python"
    write_whole(repository / model / CONFIG_FILE, config_pbtxt(cards, backend, behind))


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
