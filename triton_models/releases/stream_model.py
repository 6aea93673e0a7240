"""The model that the stream asks, and how another one comes to be asked: `UNCIA_MODEL` names it, not a promotion."""

import shlex
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.model_versions import read_standing
from uncia.settings import Settings, read_settings


def stream_version(settings: Settings) -> str:
    """The version that the stream asks of its model: the pinned one, else the live one; empty where there is none."""
    try:
        return settings.model_version or read_standing(settings.model_repository / settings.model).live
    except SettingsError:
        return ""


def describe_stream_model(settings: Settings) -> str:
    """Which model and version the stream asks, for people."""
    version = stream_version(settings)
    if not version:
        return f"The stream asks {settings.model} (UNCIA_MODEL), which is not installed."
    pinned = ", UNCIA_MODEL_VERSION" if settings.model_version else ""
    return f"The stream asks {settings.model}@{version} (UNCIA_MODEL{pinned})."


def describe_switch(package: Path, settings: Settings) -> str:
    """How the stream comes to ask what is in a package's folder: it becomes the next version of the stream's model."""
    repository = settings.model_repository
    given = f" --repository {shlex.quote(str(repository))}" if repository != read_settings().model_repository else ""
    command = f"uncia models install {shlex.quote(str(package))} --name {settings.model}{given}"
    return f"To have the stream ask it: `{command}`, then promote the version that this names."
