"""How a recipe becomes a model of the repository: atomically, and only when something changed.

A version's folder is built in a staging folder and moved into the repository, so that neither Triton nor a worker ever
reads half a model. A version that the same recipe built from the same sources stays unchanged; so do the other
versions, and which of them is live.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Generic, TypeVar

from uncia.errors import SettingsError, UnciaError
from uncia.serving.cards import Card, read_card
from uncia.serving.model_versions import CONFIG_FILE, GRAPH_FILE, initial_state, read_version_state, write_version_state
from uncia.storage.atomic_dir import replace_directory
from uncia.triton_models.recipes import SHARED_MODULES
from uncia.triton_models.repository import exclusive_access, sha256, staging_folder, write_config
from uncia.triton_models.triton_config import Backend

VERSION = "1"
"""The version that a recipe builds."""

Progress = Callable[[str], None]
CardT = TypeVar("CardT", bound=Card)


class BuildError(UnciaError):
    """The model could not be built; an existing one is unchanged."""


@dataclass(frozen=True)
class BuiltModel(Generic[CardT]):
    """A model that a recipe built, or that was up to date."""

    folder: Path
    """The model's folder, with all its versions."""
    card: CardT
    """The card of the version that was built."""
    fresh: bool
    """False: the existing version was up to date."""


def build_model(
    repository: Path, name: str, current: Callable[[], CardT | None], make: Callable[[Path], CardT]
) -> BuiltModel[CardT]:
    """Build version 1 of `<repository>/<name>`, unless `current` returns the card of one that is up to date.

    `make` writes the version into the folder `1` of the staging folder that it is given. What it raises passes through.
    """
    folder = repository / name
    with exclusive_access(repository):
        if (card := current()) is not None:
            return BuiltModel(folder, card, fresh=False)
        with staging_folder(repository, name) as made:
            card = make(made)
            move_into_place(made, folder)
    return BuiltModel(folder, card, fresh=True)


def move_into_place(made: Path, folder: Path) -> None:
    """Move the built version into the model's folder; a folder of an older layout is replaced."""
    name = folder.name
    try:
        state = read_version_state(folder)
    except SettingsError:
        (made / name).mkdir()
        (made / VERSION).rename(made / name / VERSION)
        write_version_state(made / name, initial_state(VERSION))
        write_config(made, name)
        replace_directory(made / name, folder, made)
        return
    replace_directory(made / VERSION, folder / VERSION, made)
    write_config(folder.parent, name)
    # Rewritten unchanged, so that workers notice and read the card again.
    write_version_state(folder, state)


def fingerprint(backend: Backend, packages: Iterable[str], *sources: str) -> str:
    """Digest of all that determines a folder: recipes, serving code, shared modules, package versions, `sources`.

    Raises `PackageNotFoundError`.
    """
    hasher = hashlib.sha256(backend.encode())
    for package in ("uncia.triton_models.recipes", "uncia.triton_models.serving"):
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.endswith((".py", ".csv", ".json")):
                hasher.update(entry.name.encode() + entry.read_bytes())
    for module in SHARED_MODULES:
        hasher.update(files("uncia").joinpath(module).read_bytes())
    for package in packages:
        hasher.update(f"{package}=={version(package)}\n".encode())
    for source in sources:
        hasher.update(f"{source}\n".encode())
    return hasher.hexdigest()[:24]


def up_to_date(folder: Path, made_of: str, kind: type[CardT]) -> CardT | None:
    """The card of the version that a recipe built; None where any file of it is missing, changed or outdated."""
    try:
        read_version_state(folder)
        card = read_card(folder / VERSION)
        if not isinstance(card, kind) or card.built_from != made_of:
            return None
        wanted = [folder / CONFIG_FILE, *([folder / VERSION / "model.py"] if card.backend == "python" else [])]
        if not all(path.stat().st_size for path in wanted):
            return None
        return card if sha256(folder / VERSION / GRAPH_FILE) == card.onnx_sha256 else None
    except (SettingsError, OSError):
        return None
