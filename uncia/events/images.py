"""Events about one photograph: it was stored; it was classified or rejected."""

import base64
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, NonNegativeInt, PositiveInt, WithJsonSchema
from typing_extensions import TypeAliasType

from uncia.events.base import BoundedTuple, Event, FreeText, LocalTime, Name, UtcTime, WireModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = TypeAliasType(
    "Box",
    Annotated[
        tuple[float, float, float, float],
        WithJsonSchema(
            {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 4,
                "maxItems": 4,
                "description": "x, y, width, height as shares of the photograph's width and height, origin at the top "
                "left.",
            }
        ),
    ],
)
"""x, y, width, height as shares of the photograph's width and height, origin at the top left."""

RECONCILE_SOURCE = "uncia:reconcile"
"""`eventSource` of the S3 event notifications that `uncia reconcile` writes; a store writes its own name there."""


OBJECT_CHANGED = "object-changed"
"""Rejection reason: the object no longer holds the content that was announced. Nothing of its present content is in the
event; that content is announced by itself."""

OBJECT_MOVED = "object-moved"
"""Rejection reason: the object is gone, and the same content is stored under another camera's key."""

WITHDRAWN_REASONS = frozenset({OBJECT_CHANGED, OBJECT_MOVED})
"""Rejection reasons that withdraw an upload: its object is gone or was replaced, and its frame belongs to no burst."""


class Lane(StrEnum):
    """Priority of a photograph: recent photographs are predicted before old ones."""

    LIVE = "live"
    BACKFILL = "backfill"


class ImageUploaded(Event):
    """One stored photograph, from its notification: no byte of it has been read yet. Key: `camera`.

    The event has two topics, one per lane: `uncia.topics.UPLOAD_TOPICS`.
    """

    topic: ClassVar[str] = "camera.image.uploaded.v1"

    upload_id: Name
    station: Name
    camera: Name = Field(description="`<station>/<camera>`: unique in the whole system; the key of all camera topics")
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = Field(
        default=None, description="the store's id of this version of the object, in a versioned bucket"
    )
    size: NonNegativeInt = Field(description="bytes")
    uploaded_at: UtcTime = Field(description="when the store received it, by the store's clock")
    announced_at: UtcTime = Field(description="when intake read the notification")
    moved_to: str | None = Field(
        default=None,
        description="the object is gone, and the same content is under this key of another camera: "
        "answered with object-moved, unless the object is there after all",
    )
    announced_by: str = Field(default="notification", description="`notification` or `reconcile`")
    lane: Lane = Field(default=Lane.LIVE, description="`live`, or `backfill` for what was taken long ago")


class Trigger(StrEnum):
    """Why the camera fired. Motion and time-lapse never share a burst."""

    MOTION = "motion"
    TIME_LAPSE = "time-lapse"
    OTHER = "other"
    UNKNOWN = "unknown"


class CaptureTimeSource(StrEnum):
    """Where the capture time was read, best first: the photograph itself (EXIF, its maker note), the object's key
    (in it a file's name or time), the upload. `time_origin` names the exact source."""

    EXIF = "exif"
    KEY = "key"
    UPLOAD = "upload"


class Capture(WireModel):
    """What the metadata of the photograph state."""

    time: LocalTime = Field(description="the camera's own clock, without offset, as EXIF has it; to the millisecond")
    time_source: CaptureTimeSource
    time_origin: str | None = Field(
        default=None,
        description="exactly where `time` was read, best first: `date-time-original`, `date-time-digitized`, "
        "`maker-note`, `date-time`, `file-name`, `file-time` (the file's modification time, as the gateway saw it), "
        "`key`, `upload`; more may come",
    )
    utc_offset_minutes: int | None = Field(
        default=None,
        description="minutes ahead of UTC that EXIF states with the time (`OffsetTimeOriginal`); never applied to "
        "`time`",
    )
    trigger: Trigger = Trigger.UNKNOWN
    sequence: PositiveInt | None = Field(default=None, description="n of `n of m`")
    sequence_length: PositiveInt | None = Field(default=None, description="m of `n of m`")
    event_number: NonNegativeInt | None = Field(default=None, description="the camera's own count of triggers")
    make: FreeText | None = None
    model: FreeText | None = None
    serial: FreeText | None = None
    temperature_c: float | None = None
    infrared: bool | None = Field(default=None, description="the infrared illuminator was on")
    width: PositiveInt | None = Field(default=None, description="pixels of the stored photograph")
    height: PositiveInt | None = None
    warnings: tuple[FreeText, ...] = Field(default=(), description="anomalies in the metadata, in words")


class ClassVector(WireModel):
    """Probabilities of all classes, compactly: little-endian float16, base64. 1,000 classes take 2.7 KB."""

    length: PositiveInt
    f16: str

    @classmethod
    def pack(cls, values: "NDArray[np.floating]") -> Self:
        """Pack a vector of shape (classes,)."""
        raw = values.astype("<f2").tobytes()
        return cls(length=values.shape[0], f16=base64.b64encode(raw).decode())

    def unpack(self) -> "NDArray[np.float32]":
        """The vector, float32, shape (classes,)."""
        import numpy as np

        vector = np.frombuffer(base64.b64decode(self.f16), dtype="<f2").astype(np.float32)
        if vector.shape != (self.length,):
            raise ValueError(f"class vector says {self.length} classes and holds {vector.shape[0]}")
        return vector


class ClassScore(WireModel):
    """One class and its score: the best window's probability, and where that window is."""

    index: NonNegativeInt
    label: str
    taxon: str
    group: str = Field(description="animal, person, vehicle or nothing")
    score: float = Field(ge=0, le=1)
    box: Box | None = None


class FocusScore(WireModel):
    """A focus taxon of the station, decided by its own calibrated threshold."""

    taxon: str
    label: str
    score: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)
    box: Box | None = None

    @property
    def present(self) -> bool:
        """True when the score reaches the threshold."""
        return self.score >= self.threshold


class Prediction(WireModel):
    """The output of one model version for one photograph."""

    model: str
    version: str = Field(description="the version that Triton reports for the response")
    label_set: str = Field(description="`<name>@<digest>` of the label set that gives the vector its meaning")
    settings: str = Field(
        description="digest of everything else that determines the prediction (frame, focus, thresholds)"
    )
    asked_at: UtcTime
    inference_ms: float = Field(ge=0, description="time from request to response, including the wait in the queue")
    whole: ClassVector = Field(description="the whole frame")
    windows: ClassVector = Field(description="for each class its best window")
    top: BoundedTuple[ClassScore] = Field(description="the best classes by window, best first")
    focus: BoundedTuple[FocusScore] = Field(default=(), description="every focus taxon, present or not")


class Rejection(WireModel):
    """Why there is no prediction."""

    reason: Name = Field(
        description="stable code: image-empty, image-truncated, image-not-jpeg, image-too-large, ...; "
        "object-changed and object-moved withdraw the upload: it belongs to no burst"
    )
    message: FreeText


class ImagePredicted(Event):
    """The result of one upload: exactly one of `prediction` and `rejection`. Key: `camera`."""

    topic: ClassVar[str] = "camera.image.predicted.v1"

    upload_id: Name
    image_id: Name = Field(description="camera and content; of the upload id where the content could not be read")
    station: Name
    camera: Name
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = Field(
        default=None, description="the store's id of the version that was announced, in a versioned bucket"
    )
    size: NonNegativeInt
    sha256: Name | None = None
    uploaded_at: UtcTime
    predicted_at: UtcTime
    lane: Lane = Field(default=Lane.LIVE, description="the lane in which it was predicted")
    capture: Capture
    prediction: Prediction | None = None
    rejection: Rejection | None = None
