"""Explanations: which parts of a photograph led to a class score."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, Name, UtcTime, WireModel
from uncia.events.images import Rejection
from uncia.events.values import Box


class ExplanationMethod(StrEnum):
    """How the heat map is computed."""

    LIME = "lime"
    OCCLUSION = "occlusion"
    CLASS_ACTIVATION = "class-activation"


class ExplanationReason(StrEnum):
    """Why an explanation was requested."""

    PERSON = "person"
    """A person requested it."""
    DISAGREEMENT = "disagreement"
    """Frames of one burst disagree."""
    NEAR_THRESHOLD = "near-threshold"
    """The score is close to the calibrated threshold."""


class ExplanationRequested(Event):
    """A photograph is to be explained. Key: `camera`."""

    topic: ClassVar[str] = "camera.explanation.requested.v1"

    explanation_id: Name = Field(
        description="derived from image, model, class and method: a repeated request is the same explanation"
    )
    image_id: Name
    upload_id: Name
    station: Name
    camera: Name
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = None
    method: ExplanationMethod = ExplanationMethod.LIME
    class_index: NonNegativeInt | None = Field(default=None, description="None: the best class of the photograph")
    reason: ExplanationReason
    requested_at: UtcTime
    person_in_burst: bool | None = Field(
        default=None,
        description="true: a person is in the photograph's burst as far as the sender knows, or may be, since the "
        "detector knows none; such explanations are not stored (`UNCIA_CROPS_WITHHELD_BY_PERSON`)",
    )


class ExplainedBox(WireModel):
    """A box around superpixels that support the class."""

    box: Box
    weight: float = Field(description="summed weight of its superpixels; positive: supports the class")


class ImageExplained(Event):
    """The explanation of one photograph, or the reason why there is none. Key: `camera`."""

    topic: ClassVar[str] = "camera.image.explained.v1"

    explanation_id: Name
    image_id: Name
    station: Name
    camera: Name
    method: ExplanationMethod
    model: str | None = Field(default=None, description="`name@version` that was explained")
    label_set: str | None = None
    class_index: NonNegativeInt | None = None
    label: str | None = None
    taxon: str | None = None
    score: float | None = Field(default=None, ge=0, le=1, description="the class's score in the photograph")
    bucket: Name | None = None
    heat_map_key: Name | None = Field(default=None, description="object key of the PNG, below `explanations/`")
    weights_key: Name | None = Field(default=None, description="object key of the JSON with the weights")
    r2: float | None = Field(default=None, le=1, description="fit of the local linear model; LIME only")
    superpixels: PositiveInt | None = None
    samples: PositiveInt | None = Field(default=None, description="images that the model scored")
    boxes: BoundedTuple[ExplainedBox] = ()
    seconds: float = Field(default=0, ge=0)
    explained_at: UtcTime
    rejection: Rejection | None = None
