"""Cards of any kind: read a card without knowing whether its model is a classifier or a detector."""

import json
from pathlib import Path

from uncia.serving.detector_card import DetectorCard, read_detector_card
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.model_versions import CARD_FILE, resolve_version

__all__ = ["Card", "is_detector", "read_card", "read_installed"]

Card = ModelCard | DetectorCard


def is_detector(folder: Path) -> bool:
    """True when the card in this folder is that of a detector; cards without a kind are of classifiers."""
    try:
        content = json.loads((folder / CARD_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == "detector"


def read_card(folder: Path) -> Card:
    """The card in a version's folder, or in a package. Raises `SettingsError` with what to do."""
    return read_detector_card(folder) if is_detector(folder) else read_model_card(folder)


def read_installed(repository: Path, model: str, version: str = "") -> Card:
    """The card of one version of a model in a repository; without a version, of the live one.

    Name and version are those of the folders, which Triton uses. Raises `SettingsError` with what to do.
    """
    version = resolve_version(repository, model, version)
    return read_card(repository / model / version).model_copy(update={"model": model, "versions": (version,)})
