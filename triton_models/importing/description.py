"""What a user says of his graph: a small TOML, YAML or JSON file.

name = "forest_cams"            the model's name in the repository
labels = "labels.txt"           beside this file; see `class_list`
source = "where it comes from"  and licence = "…": told on its card

[frame]
width = 480                     what the photograph is scaled to; the strips that cameras print are cut off first
height = 480
crop_top = 0.04
crop_bottom = 0.07

[input]
layout = "NCHW"                 or "NHWC"
channels = "RGB"                or "BGR"
scale = 0.00392156862745098     each pixel times this, then minus mean, then divided by std; leave out for bytes
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
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, ValidationError

from uncia.imaging.frames import FrameSpec
from uncia.triton_models.packages.validation import ModelRefused

_MOST_BYTES = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FrameDescription(_Strict):
    """What the photograph is scaled to. There is one window, the whole frame."""

    width: PositiveInt = Field(le=4096)
    height: PositiveInt = Field(le=4096)
    crop_top: float = Field(default=FrameSpec().crop_top, ge=0, lt=0.5)
    crop_bottom: float = Field(default=FrameSpec().crop_bottom, ge=0, lt=0.5)

    @property
    def spec(self) -> FrameSpec:
        """As the stream says it."""
        return FrameSpec(**self.model_dump(), window=max(self.width, self.height))


class InputDescription(_Strict):
    """How the graph wants its pixels."""

    layout: Literal["NCHW", "NHWC"]
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: FiniteFloat = 1.0
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.0, 0.0, 0.0)
    std: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (1.0, 1.0, 1.0)
    tensor: str = ""

    @property
    def plain(self) -> bool:
        """The bytes are wanted as they are."""
        return (self.scale, self.mean, self.std) == (1.0, (0.0,) * 3, (1.0,) * 3)


class OutputDescription(_Strict):
    """What the graph answers."""

    kind: Literal["logits", "probabilities"]
    tensor: str = ""


class GraphDescription(_Strict):
    """The file."""

    name: str
    labels: Path
    frame: FrameDescription
    input: InputDescription
    output: OutputDescription
    source: str = ""
    licence: str = ""


def read_description(path: Path) -> GraphDescription:
    """Read it; the labels' path is then one that can be opened. Raises `ModelRefused` with the line to mend."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelRefused(f"{path} is no description: its name must end in {', '.join(_READERS)}")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelRefused(f"the description {path} is too large: {path.stat().st_size:,} bytes")
        told = GraphDescription.model_validate(reader(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise ModelRefused(f"the description {path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "file"
        raise ModelRefused(f"{path}: {where}: {problem['msg']}") from error
    except (ValueError, OverflowError) as error:
        raise ModelRefused(f"{path} cannot be understood: {error}") from error
    except RecursionError as error:
        raise ModelRefused(f"{path} cannot be understood: it is nested too deeply") from error
    if 0.0 in told.input.std:
        raise ModelRefused(f"{path}: input.std: a standard deviation of 0 divides by nothing")
    return told.model_copy(update={"labels": path.parent / told.labels})


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
