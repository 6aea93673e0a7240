"""The table of published models: who publishes which file under which licence, and how it is opened."""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError

TABLE = "published.toml"

Format = Literal["yolov9-s", "yolov9-c", "rtdetr-r18", "rtdetr-r101", "ultralytics", "speciesnet", "onnx"]

_STRONG_COPYLEFT = ("AGPL", "GPL")


class PublishedModel(BaseModel):
    """One file of one publisher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    variant: str
    default: bool = False
    publisher: str
    page: str
    address: str
    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    md5: str = Field(default="", pattern=r"^([0-9a-f]{32})?$")
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    licence: str
    architecture: str
    format: Format
    megabytes: int = Field(gt=0)

    @property
    def full_name(self) -> str:
        """`name/variant`, as `uncia models fetch` accepts it."""
        return f"{self.name}/{self.variant}"

    @property
    def model_name(self) -> str:
        """The name of the package's model in the repository."""
        return f"{self.name}_{self.variant}".replace("-", "_")

    @property
    def strong_copyleft(self) -> bool:
        """Its licence extends to what is made from it, such as a service that uses it (AGPL) or a distribution."""
        return self.licence.startswith(_STRONG_COPYLEFT)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: tuple[PublishedModel, ...]


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """All entries of the table in the package."""
    return read_catalogue(Path(str(files(__package__).joinpath(TABLE))))


def read_catalogue(path: Path) -> tuple[PublishedModel, ...]:
    """All entries of a table. Raises `SettingsError`."""
    try:
        return _Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).model
    except (OSError, ValueError, ValidationError) as error:
        raise SettingsError(f"{path} is no table of published models: {error}") from error


def find_model(name: str, models: tuple[PublishedModel, ...]) -> PublishedModel:
    """The entry of `name/variant`; of `name` alone, its default variant. Raises `SettingsError`."""
    name, _, variant = name.partition("/")
    named = [entry for entry in models if entry.name == name]
    if not named:
        known = sorted({entry.name for entry in models})
        raise SettingsError(f"{name} is not known; `uncia models fetch` knows {', '.join(known)}")
    for entry in named:
        if entry.variant == variant or (not variant and entry.default):
            return entry
    variants = ", ".join(entry.variant for entry in named)
    raise SettingsError(f"{name} has no variant {variant or 'by default'}: use one of {variants}, as {name}/VARIANT")
