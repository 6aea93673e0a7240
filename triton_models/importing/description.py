"""Read the description of a user's graph: a small TOML, YAML or JSON file.

name = "forest_cams"            the model's name in the repository
labels = "labels.txt"           relative to this file; see `class_list`
source = "where it comes from"  and licence = "…": shown on its card

[frame]
width = 480                     size that the photograph is scaled to, after the camera's info strips are cut off
height = 480
crop_top = 0.04
crop_bottom = 0.07

[input]
layout = "NCHW"                 or "NHWC"
channels = "RGB"                or "BGR"
scale = 0.00392156862745098     each pixel times this, then minus mean, then divided by std; omit for bytes
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
tensor = "images"               only where the graph has several inputs

[output]
kind = "logits"                 or "probabilities"
tensor = "scores"               only where the graph has several outputs
"""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, ValidationError, field_validator

from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.packages.validation import ModelRefused

_MOST_BYTES = 1 << 20

Described = TypeVar("Described", bound="StrictModel")


class StrictModel(BaseModel):
    """Refuses fields that it does not know, so that a misspelt one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FrameDescription(StrictModel):
    """The frame that the photograph is scaled to. Its only window is the whole frame."""

    width: PositiveInt = Field(le=4096)
    height: PositiveInt = Field(le=4096)
    crop_top: float = Field(default=FrameSpec().crop_top, ge=0, lt=0.5)
    crop_bottom: float = Field(default=FrameSpec().crop_bottom, ge=0, lt=0.5)

    @property
    def spec(self) -> FrameSpec:
        """The same as the stream's type."""
        return FrameSpec(**self.model_dump(), window=max(self.width, self.height))


class InputDescription(StrictModel):
    """The pixels that the graph expects."""

    layout: Literal["NCHW", "NHWC"]
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: FiniteFloat = 1.0
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.0, 0.0, 0.0)
    std: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (1.0, 1.0, 1.0)
    tensor: str = ""

    @field_validator("std")
    @classmethod
    def _not_zero(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if 0.0 in std:
            raise ValueError("a standard deviation must not be 0")
        return std

    @property
    def raw_bytes(self) -> bool:
        """The graph expects unscaled bytes."""
        return (self.scale, self.mean, self.std) == (1.0, (0.0,) * 3, (1.0,) * 3)


class DescribesPixels(Protocol):
    """A description of a graph that takes the frame as it is, with prepared pixels."""

    @property
    def frame(self) -> FrameDescription:
        """The frame that clients send."""

    @property
    def input(self) -> InputDescription:
        """The pixels that the graph expects."""


class OutputDescription(StrictModel):
    """The output of the graph."""

    kind: Literal["logits", "probabilities"]
    tensor: str = ""


class GraphDescription(StrictModel):
    """The content of the file."""

    name: str
    labels: Path
    frame: FrameDescription
    input: InputDescription
    output: OutputDescription
    source: str = ""
    licence: str = ""


def read_description(path: Path) -> GraphDescription:
    """The content of the file, with the path of the labels resolved. Raises `ModelRefused` with the faulty entry."""
    description = read_fields(path, GraphDescription)
    return description.model_copy(update={"labels": path.parent / description.labels})


def kind_described(path: Path) -> str:
    """What the file describes: `classifier`, `detector`, `sound` or `embedder`.

    Raises `ModelRefused` where it cannot be parsed.
    """
    fields = _parse(path)
    return str(fields.get("kind", "classifier")) if isinstance(fields, dict) else "classifier"


def read_fields(path: Path, model: type[Described]) -> Described:
    """The content of the file as a model. Raises `ModelRefused` with the faulty entry."""
    try:
        return model.model_validate(_parse(path))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "file"
        message = problem["msg"].removeprefix("Value error, ")
        raise ModelRefused(f"{path}: {where}: {message}") from error


def _parse(path: Path) -> Any:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelRefused(f"{path} is not a description: its name must end in {', '.join(_READERS)}")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelRefused(f"the description {path} is too large: {path.stat().st_size:,} bytes")
        return reader(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelRefused(f"the description {path} cannot be read ({error.strerror})") from error
    except (ValueError, OverflowError) as error:
        raise ModelRefused(f"{path} cannot be parsed: {error}") from error
    except RecursionError as error:
        raise ModelRefused(f"{path} cannot be parsed: it is nested too deeply") from error


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


_READERS: dict[str, Callable[[str], Any]] = {
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".yaml": _yaml,
    ".yml": _yaml,
}
