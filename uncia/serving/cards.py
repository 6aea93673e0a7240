"""Cards of any kind: read a card without knowing whether its model is a classifier, a detector or an embedder."""

import json
from collections.abc import Callable
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.base_card import card_kind
from uncia.serving.detector_card import DetectorCard, read_detector_card
from uncia.serving.embedder_card import EmbedderCard, read_embedder_card
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.model_versions import CARD_FILE, resolve_version
from uncia.settings import Settings

__all__ = ["Card", "has_labels", "is_detector", "pinned_model", "read_card", "read_installed"]

Card = ModelCard | DetectorCard | EmbedderCard


def is_detector(folder: Path) -> bool:
    """True when the card in this folder is that of a detector."""
    return _kind(folder) == "detector"


def has_labels(folder: Path) -> bool:
    """True when the card in this folder is that of a classifier, which has labels."""
    return _kind(folder) not in ("detector", "embedder")


def read_card(folder: Path) -> Card:
    """The card in a version's folder, or in a package. Raises `SettingsError` with what to do."""
    readers: dict[str, Callable[[Path], Card]] = {"detector": read_detector_card, "embedder": read_embedder_card}
    return readers.get(_kind(folder), read_model_card)(folder)


def read_installed(repository: Path, model: str, version: str = "") -> Card:
    """The card of one version of a model in a repository; without a version, of the live one.

    Name and version are those of the folders, which Triton uses. Raises `SettingsError` with what to do.
    """
    version = resolve_version(repository, model, version)
    return read_card(repository / model / version).model_copy(update={"model": model, "versions": (version,)})


def pinned_model(settings: Settings, model: str, version: str = "") -> dict[str, str]:
    """The fields of the settings, with values, that make a process use this model instead of its own.

    A detector instead of its detector, a classifier instead of its classifier. A model that is not installed counts as
    a classifier, unless it is the detector of the settings.
    """
    kind = "detector" if model == settings.detector or _is_installed_detector(settings, model, version) else "model"
    return {kind: model, f"{kind}_version": version}


def _is_installed_detector(settings: Settings, model: str, version: str) -> bool:
    repository = settings.model_repository
    try:
        return is_detector(repository / model / resolve_version(repository, model, version))
    except SettingsError:
        return False


def _kind(folder: Path) -> str:
    """What the card in this folder is of; where there is none, a classifier."""
    try:
        return card_kind(json.loads((folder / CARD_FILE).read_bytes()))
    except (OSError, ValueError):
        return card_kind(None)
