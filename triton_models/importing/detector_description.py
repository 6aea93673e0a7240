"""Read the description of a user's detector: a small TOML, YAML or JSON file with `kind = "detector"`.

kind = "detector"
name = "animal_detector"          the model's name in the repository
categories = ["animal", "person", "vehicle"]   the network's classes in order; "" for a class that is left out
threshold = 0.02                  boxes with a lower score are no detections
source = "where it comes from"    with licence, trained_on and notes: shown on its card

[frame]                           the frame that clients send
width = 640
height = 480
crop_top = 0.04                   the camera's info strips, cut off before scaling
crop_bottom = 0.07

[input]
width = 640                       the network's input; without, that of the frame
height = 640
fit = "letterbox"                 or "stretch"; where both sizes are equal, it makes no difference
anchor = "centre"                 or "top-left": where a letterboxed frame lies
fill = 114                        grey of the border, 0 to 255
layout = "NCHW"                   layout, channels, scale, mean, std, tensor: as for classifiers
scale = 0.00392156862745098

[output]
kind = "yolo"                     one tensor; "rtdetr" and "pair": two tensors, boxes and scores
layout = "channels-first"         (batch, 4 + classes, boxes), or "channels-last" (batch, boxes, 4 + classes)
objectness = false                true: a score of "is an object" stands between box and classes
format = "centre"                 x, y, width, height of the centre; or "corner" (of the top left), or "corners"
units = "pixels"                  of the network's input, or "shares" of it
scores = "probabilities"          or "logits"
suppression = true                false for networks that return each object once
iou = 0.5                         boxes that overlap more are the same object
boxes = "pred_boxes"              the names of the tensors: `tensor` for "yolo", `boxes` and `scores_tensor` otherwise
scores_tensor = "pred_logits"

The defaults of "rtdetr" are format = "centre", units = "shares", scores = "logits" and suppression = false.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, FiniteFloat, PositiveInt, field_validator, model_validator

from uncia.camtrap.vocabulary import category_of
from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.detectors import CATEGORIES
from uncia.triton_models.importing.description import InputDescription, StrictModel, read_fields

_RTDETR_DEFAULTS = {"format": "centre", "units": "shares", "scores": "logits", "suppression": False}


class Placement(NamedTuple):
    """Where the frame lies within the network's input, in pixels."""

    x: int
    y: int
    width: int
    height: int


class DetectorFrame(StrictModel):
    """The frame that clients send."""

    width: PositiveInt = Field(default=640, le=4096)
    height: PositiveInt = Field(default=480, le=4096)
    crop_top: float = Field(default=FrameSpec().crop_top, ge=0, lt=0.5)
    crop_bottom: float = Field(default=FrameSpec().crop_bottom, ge=0, lt=0.5)

    @property
    def spec(self) -> FrameSpec:
        """The same as the stream's type."""
        return FrameSpec(**self.model_dump(), window=max(self.width, self.height))


class DetectorInput(InputDescription):
    """The pixels that the network expects, and how the frame is laid into its input."""

    width: PositiveInt | None = Field(default=None, le=4096)
    height: PositiveInt | None = Field(default=None, le=4096)
    fit: Literal["letterbox", "stretch"] = "stretch"
    anchor: Literal["centre", "top-left"] = "centre"
    fill: float = Field(default=114, ge=0, le=255)


class DetectorOutput(StrictModel):
    """The output of the network."""

    kind: Literal["yolo", "rtdetr", "pair"]
    layout: Literal["channels-first", "channels-last"] = "channels-first"
    objectness: bool = False
    format: Literal["centre", "corner", "corners"] = "centre"
    units: Literal["pixels", "shares"] = "pixels"
    scores: Literal["probabilities", "logits"] = "probabilities"
    suppression: bool = True
    iou: FiniteFloat = Field(default=0.5, gt=0, le=1)
    tensor: str = ""
    boxes: str = ""
    scores_tensor: str = ""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("kind") == "rtdetr":
            return {**_RTDETR_DEFAULTS, **fields}
        return fields


class DetectorDescription(StrictModel):
    """The content of the file."""

    kind: Literal["detector"]
    name: str
    categories: tuple[str, ...] = Field(min_length=1, max_length=1000)
    threshold: FiniteFloat = Field(default=0.02, gt=0, lt=1)
    frame: DetectorFrame = DetectorFrame()
    input: DetectorInput
    output: DetectorOutput
    source: str = ""
    licence: str = ""
    trained_on: str = ""
    notes: str = ""

    @field_validator("categories")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(category_of(name) if name else "" for name in names)
        for name, category in zip(names, found, strict=True):
            if category is None or category == "nothing":
                known = ", ".join(CATEGORIES)
                raise ValueError(f'{name!r} is no category: use {known}, or "" for a class that is left out')
        if not any(found):
            raise ValueError("every class is left out")
        return tuple(category or "" for category in found)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the network's input."""
        return self.input.width or self.frame.width, self.input.height or self.frame.height

    @property
    def placement(self) -> Placement:
        """Where the frame lies in the network's input."""
        width, height = self.input_size
        if self.input.fit == "stretch":
            return Placement(0, 0, width, height)
        ratio = min(width / self.frame.width, height / self.frame.height)
        inner = (min(width, round(self.frame.width * ratio)), min(height, round(self.frame.height * ratio)))
        if self.input.anchor == "top-left":
            return Placement(0, 0, *inner)
        return Placement((width - inner[0]) // 2, (height - inner[1]) // 2, *inner)


def read_detector_description(path: Path) -> DetectorDescription:
    """The content of the file. Raises `ModelRefused` with the faulty entry."""
    return read_fields(path, DetectorDescription)
