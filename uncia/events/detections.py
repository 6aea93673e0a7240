"""Detections: boxes around animals, persons and vehicles in one photograph, and the crops cut from them."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, LocalTime, Name, UtcTime, WireModel
from uncia.events.values import Box, ClassVector


class DetectionCategory(StrEnum):
    """What a detector finds: MegaDetector's categories."""

    ANIMAL = "animal"
    PERSON = "person"
    VEHICLE = "vehicle"


class BoxSource(StrEnum):
    """What a box was made of that no detector found: what moved, or the window in which a focus taxon scored best."""

    MOVEMENT = "movement"
    DENSE = "dense"


class Detection(WireModel):
    """One box of a photograph."""

    category: DetectionCategory
    score: float = Field(ge=0, le=1, description="the detector's score; not a probability")
    box: Box
    classes: ClassVector | None = Field(
        default=None,
        description="class probabilities of the crop, in the order of `label_set`; None where it was not classified",
    )


class DetectionResult(WireModel):
    """The output of one detector version for one photograph, best box first."""

    model: str
    version: str = Field(description="the version that Triton reports")
    settings: str = Field(description="digest of everything else that shaped the output (frame, thresholds)")
    asked_at: UtcTime = Field(description="when the request was sent")
    inference_ms: float = Field(ge=0, description="from request to response, queueing included")
    categories: tuple[DetectionCategory, ...] | None = Field(
        default=None,
        max_length=10,
        description="what this detector can find; without `person` a person may be reported as an animal",
    )
    detections: BoundedTuple[Detection] = Field(default=(), description="empty: nothing was detected")
    crop_model: str | None = Field(default=None, description="`name@version` of the model that classified the crops")
    label_set: str | None = Field(default=None, description="`<name>@<digest>` of the classes of the crops")


class CropPublished(Event):
    """A crop of a detection is in the store, or was withdrawn from it. Key: `camera`."""

    topic: ClassVar[str] = "camera.crop.published.v1"

    crop_id: Name = Field(description="derived from image id and box: the same crop has the same id and object key")
    burst_id: Name
    image_id: Name
    station: Name
    camera: Name
    bucket: Name
    key: Name = Field(description="object key of the JPEG, below `crops/`")
    sha256: Name | None = Field(default=None, description="content hash of the JPEG; None in a withdrawal")
    size: NonNegativeInt = Field(default=0, description="bytes")
    width: PositiveInt | None = Field(default=None, description="pixels of the crop")
    height: PositiveInt | None = None
    box: Box = Field(description="the detection's box in the photograph")
    crop_box: Box = Field(description="what the crop shows: the box and a margin, within the photograph")
    category: DetectionCategory
    score: float = Field(
        ge=0, le=1, description="the detector's score of the box; 0 where it was made without the detector"
    )
    source: BoxSource | None = Field(
        default=None, description="what the box was made of where no detector found it: `movement`, `dense`"
    )
    captured_at: LocalTime
    published_at: UtcTime
    withdrawn: str | None = Field(
        default=None, description="why the crop was deleted again, e.g. `person-in-burst`; None: it is in the store"
    )
