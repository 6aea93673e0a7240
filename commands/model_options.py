"""Options that the commands of `uncia models` share."""

from pathlib import Path
from typing import Annotated

import typer

from uncia.errors import SettingsError
from uncia.settings import Settings, read_settings
from uncia.triton_models.triton_config import BACKENDS, Backend

Repository = Annotated[
    Path | None, typer.Option(help="Triton's model repository.", show_default="UNCIA_MODEL_REPOSITORY")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BackendName = Annotated[
    str, typer.Option(help="python: runs anywhere. onnxruntime: for NVIDIA's container, with TensorRT on a GPU.")
]


def settings_with(repository: Path | None) -> Settings:
    """The settings, with this model repository where one is given."""
    return read_settings(model_repository=repository) if repository else read_settings()


def chosen_backend(name: str) -> Backend:
    """One of Triton's backends by name. Raises `SettingsError`."""
    for backend in BACKENDS:
        if backend == name:
            return backend
    raise SettingsError(f"no backend {name!r}: use {' or '.join(BACKENDS)}")
