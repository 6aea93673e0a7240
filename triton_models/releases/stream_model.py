"""The model that the stream uses, and how to change it: `UNCIA_MODEL` selects it, not a promotion."""

import shlex
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.cards import Card
from uncia.serving.detector_card import DetectorCard
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings, read_settings


def stream_version(settings: Settings) -> str:
    """The version that the stream uses: the pinned one, else the live one; empty where the model is not installed."""
    return settings.model_version or _live(settings, settings.model)


def detector_version(settings: Settings) -> str:
    """The version of the detector that the stream uses; empty without one."""
    return settings.detector_version or _live(settings, settings.detector) if settings.detector else ""


def describe_stream_model(settings: Settings) -> str:
    """A sentence on which model and version the stream uses, and on the detector where there is one."""
    version = stream_version(settings)
    if not version:
        return f"The stream uses {settings.model} (UNCIA_MODEL), which is not installed."
    pinned = ", UNCIA_MODEL_VERSION" if settings.model_version else ""
    detector = detector_version(settings)
    detects = f" and {settings.detector}@{detector} (UNCIA_DETECTOR)" if detector else ""
    return f"The stream uses {settings.model}@{version} (UNCIA_MODEL{pinned}){detects}."


def describe_switch(card: Card, folder: Path, settings: Settings) -> str:
    """How to make the stream use the package in a folder: as the next version of the stream's model or detector."""
    name = settings.detector or card.model if isinstance(card, DetectorCard) else settings.model
    repository = settings.model_repository
    option = f" --repository {shlex.quote(str(repository))}" if repository != read_settings().model_repository else ""
    command = f"uncia models install {shlex.quote(str(folder))} --name {name}{option}"
    return f"To make the stream use it: `{command}`, then promote the version that this command prints."


def describe_sound_model(card: Card, live: str, settings: Settings) -> str:
    """How the worker `listen` uses an audio classifier, of which the version `live` is live."""
    if card.model != settings.sound_model:
        return f"To make the worker `listen` use it: set UNCIA_SOUND_MODEL={card.model} and UNCIA_LISTEN=true."
    if card.version != live:
        return f"It receives no requests yet: `uncia models promote {card.name}` makes it live."
    return "It is live: the worker `listen` uses it where UNCIA_LISTEN is true."


def describe_embedder(card: Card, live: str, settings: Settings) -> str:
    """How the worker `identify` uses an embedder, of which the version `live` is live."""
    if card.model != settings.identify_embedder:
        return (
            f"To make the worker `identify` use it: set UNCIA_IDENTIFY_EMBEDDER={card.model} and UNCIA_IDENTIFY_TAXA."
        )
    if card.version != live:
        return f"It receives no requests yet: `uncia models promote {card.name}` makes it live."
    return "It is live: the worker `identify` uses it where UNCIA_IDENTIFY_TAXA lists taxa."


def _live(settings: Settings, model: str) -> str:
    try:
        return read_version_state(settings.model_repository / model).live
    except SettingsError:
        return ""
