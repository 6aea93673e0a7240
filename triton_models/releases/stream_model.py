"""The model that the stream uses, and how to change it: `UNCIA_MODEL` selects it, not a promotion."""

import shlex
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings, read_settings


def stream_version(settings: Settings) -> str:
    """The version that the stream uses: the pinned one, else the live one; empty where the model is not installed."""
    try:
        return settings.model_version or read_version_state(settings.model_repository / settings.model).live
    except SettingsError:
        return ""


def describe_stream_model(settings: Settings) -> str:
    """A sentence on which model and version the stream uses."""
    version = stream_version(settings)
    if not version:
        return f"The stream uses {settings.model} (UNCIA_MODEL), which is not installed."
    pinned = ", UNCIA_MODEL_VERSION" if settings.model_version else ""
    return f"The stream uses {settings.model}@{version} (UNCIA_MODEL{pinned})."


def describe_switch(package: Path, settings: Settings) -> str:
    """How to make the stream use the package in a folder: as the next version of the stream's model."""
    repository = settings.model_repository
    option = f" --repository {shlex.quote(str(repository))}" if repository != read_settings().model_repository else ""
    command = f"uncia models install {shlex.quote(str(package))} --name {settings.model}{option}"
    return f"To make the stream use it: `{command}`, then promote the version that this command prints."
