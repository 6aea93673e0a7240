"""Events about photographs: uploaded, then predicted or rejected."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, FreeText, LocalTime, Name, UtcTime, WireModel
from uncia.events.detections import DetectionResult
from uncia.events.values import Box, ClassVector, LuminanceGrid

RECONCILE_SOURCE = "uncia:reconcile"
"""`eventSource` of the S3 event notifications that `uncia reconcile` writes; stores write their own name."""


OBJECT_CHANGED = "object-changed"
"""Rejection reason: the object was overwritten after its notification. The event describes nothing of the new content,
which has its own notification."""

OBJECT_MOVED = "object-moved"
"""Rejection reason: the object was deleted, and the same content is stored under a key of another camera."""

VIDEO_NOT_ANALYSED = "video-not-analysed"
"""Rejection reason: the object is a video, which no model reads yet. It is stored, and a frame of no burst."""

SOUND_RECORDING = "sound-recording"
"""Rejection reason: the object is a sound recording, by its name. It is stored, a frame of no burst, and analysed by
the worker `listen` where that runs."""

IMAGE_FORGOTTEN = "image-forgotten"
"""Rejection reason: `uncia forget` removed the photograph. A later message about the same upload changes nothing."""

WITHDRAWN_REASONS = frozenset({OBJECT_CHANGED, OBJECT_MOVED, IMAGE_FORGOTTEN})
"""Rejection reasons that withdraw an upload: its frame is removed from its burst."""


class Lane(StrEnum):
    """Priority of a photograph: recently taken photographs (`live`) are predicted before old ones (`backfill`)."""

    LIVE = "live"
    BACKFILL = "backfill"


class ImageUploaded(Event):
    """One stored photograph, as its notification describes it, before its content is read. Key: `camera`.

    The event is on two topics, one for each lane: `uncia.topics.UPLOAD_TOPICS`.
    """

    topic: ClassVar[str] = "camera.image.uploaded.v1"

    upload_id: Name
    station: Name
    camera: Name = Field(description="`<station>/<camera>`, unique in the system; message key of all camera topics")
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = Field(default=None, description="version id of the object, in a versioned bucket")
    size: NonNegativeInt = Field(description="bytes")
    uploaded_at: UtcTime = Field(description="when the object was stored, by the store's clock")
    announced_at: UtcTime = Field(description="when intake read the notification")
    moved_to: str | None = Field(
        default=None,
        description="set when the object was deleted and the same content is stored under this key of another camera: "
        "the upload is rejected with object-moved, unless the object exists",
    )
    announced_by: str = Field(default="notification", description="`notification` or `reconcile`")
    lane: Lane = Field(
        default=Lane.LIVE, description="`live`, or `backfill` for photographs that were taken long before their upload"
    )


class Trigger(StrEnum):
    """Type of trigger. A burst never contains both motion and time-lapse frames."""

    MOTION = "motion"
    TIME_LAPSE = "time-lapse"
    OTHER = "other"
    UNKNOWN = "unknown"


class CaptureTimeSource(StrEnum):
    """Source of the capture time, best first: the photograph (EXIF or maker note), the object key (a file name or file
    time in it), or the time of the upload. `time_origin` is more precise."""

    EXIF = "exif"
    KEY = "key"
    UPLOAD = "upload"


class Capture(WireModel):
    """Metadata that the camera recorded with the photograph."""

    time: LocalTime = Field(description="by the camera's clock, without a UTC offset, as in EXIF; to the millisecond")
    time_source: CaptureTimeSource
    time_origin: str | None = Field(
        default=None,
        description="precise source of `time`, best first: `date-time-original`, `date-time-digitized`, "
        "`maker-note`, `date-time`, `file-name`, `file-time` (the file's modification time, which the gateway sends), "
        "`key`, `upload`; values may be added",
    )
    utc_offset_minutes: int | None = Field(
        default=None,
        description="UTC offset in EXIF (`OffsetTimeOriginal`), in minutes; never applied to `time`",
    )
    trigger: Trigger = Trigger.UNKNOWN
    sequence: PositiveInt | None = Field(default=None, description="n of `n of m`")
    sequence_length: PositiveInt | None = Field(default=None, description="m of `n of m`")
    event_number: NonNegativeInt | None = Field(
        default=None, description="event number that the camera records: it counts its triggers"
    )
    make: FreeText | None = None
    model: FreeText | None = None
    serial: FreeText | None = None
    temperature_c: float | None = None
    battery_v: float | None = Field(default=None, description="voltage of the battery at the trigger")
    infrared: bool | None = Field(default=None, description="whether the infrared illuminator was on")
    width: PositiveInt | None = Field(default=None, description="pixels")
    height: PositiveInt | None = None
    warnings: tuple[FreeText, ...] = Field(default=(), description="irregularities in the metadata, as text")


class ClassScore(WireModel):
    """One class, its probability in the best window, and that window."""

    index: NonNegativeInt
    label: str
    taxon: str
    group: str = Field(description="animal, person, vehicle or nothing")
    score: float = Field(ge=0, le=1)
    box: Box | None = None


class FocusScore(WireModel):
    """A focus taxon of the station, with its calibrated threshold."""

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
    version: str = Field(description="model version in Triton's response")
    label_set: str = Field(description="`<name>@<digest>` of the label set that defines the classes of the vectors")
    settings: str = Field(description="digest of all other inputs of the prediction (frame, focus taxa, thresholds)")
    asked_at: UtcTime
    inference_ms: float = Field(ge=0, description="from request to response, including queueing")
    whole: ClassVector = Field(description="probabilities for the whole frame")
    windows: ClassVector = Field(description="for each class, the highest probability of any window")
    top: BoundedTuple[ClassScore] = Field(description="classes with the highest score in any window, best first")
    focus: BoundedTuple[FocusScore] = Field(default=(), description="all focus taxa of the station, present or not")


class Rejection(WireModel):
    """The reason why a photograph has no prediction."""

    reason: Name = Field(
        description="stable code: image-empty, image-truncated, image-not-jpeg, image-too-large, "
        "video-not-analysed (stored, and read by no model yet), sound-recording (analysed by the worker listen), ...; "
        "object-changed, object-moved and image-forgotten withdraw the upload, which then belongs to no burst"
    )
    message: FreeText


class ImagePredicted(Event):
    """The result of one upload: exactly one of `prediction` and `rejection`. Key: `camera`."""

    topic: ClassVar[str] = "camera.image.predicted.v1"

    upload_id: Name
    image_id: Name = Field(
        description="derived from camera and content, or from the upload id when the content could not be read"
    )
    station: Name
    camera: Name
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = Field(default=None, description="version id in the notification, in a versioned bucket")
    size: NonNegativeInt
    sha256: Name | None = None
    uploaded_at: UtcTime
    predicted_at: UtcTime
    lane: Lane = Field(default=Lane.LIVE, description="lane on which the upload was processed")
    capture: Capture
    prediction: Prediction | None = None
    detection: DetectionResult | None = Field(
        default=None, description="boxes; None where no detector is installed or the photograph was rejected"
    )
    luminance: LuminanceGrid | None = Field(default=None, description="from which movement within a burst is computed")
    rejection: Rejection | None = None
