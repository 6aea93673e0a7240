"""One frame as a camera's state stores it: its ids, when it was taken, and what the model found in it.

A class vector has 1,000 entries, of which a few dozen carry information. Scores below `SCORE_FLOOR` are noise: they
are not stored, and every ensemble rule counts them as `SCORE_FLOOR` or as 0 (see `ensemble`). That is part of the
rules' definition, not an approximation that depends on which frame came first: the same frames give the same evidence
in any order.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.hidden_people import STORED_BOXES
from uncia.errors import PermanentError
from uncia.events import (
    BurstFrame,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    DetectionCategory,
    DetectionResult,
    FocusScore,
    ImagePredicted,
    JoinReason,
    LuminanceGrid,
    Rejection,
    Trigger,
)
from uncia.events.base import UtcTime, WireModel
from uncia.events.values import Box
from uncia.processors.bursts.camera_bodies import source_of
from uncia.processors.bursts.config import MINUTE, BurstOverrides

SCORE_FLOOR = 0.01

SortKey = tuple[datetime, int, int, str]
"""Capture order of the frames of one camera: capture time; where that is equal, event number, n of m, and image id."""

Link = tuple[object, ...]
"""A property that versions share which may replace each other, see `FrameRecord.links`."""

MAX_BOXES = STORED_BOXES
"""Boxes stored of a frame, the best ones: as many as `predict` publishes."""

MAX_CROP_VECTORS = 3
"""Boxes of a frame whose class evidence is stored."""

MAX_LUMINANCE_BYTES = 48 * 36
"""A larger luminance grid is not stored: it would multiply the size of the state, and movement is not computed then."""

_UNKNOWN = source_of(None, None, None)
_ROUNDING = 1e-3
_ENTRY = np.dtype([("index", "<u2"), ("score", "<f2")])


@dataclass(frozen=True)
class Evidence:
    """The scores of at least `SCORE_FLOOR`: `scores[i]` is the best window's probability of class `indices[i]`."""

    indices: NDArray[np.intp]
    scores: NDArray[np.float64]


def pack_evidence(windows: ClassVector) -> str:
    """Pack the entries of at least `SCORE_FLOOR` as base64 of (uint16 index, float16 score).

    Raises `ValueError` unless the vector holds probabilities, of at most 65,535 classes.
    """
    vector = windows.unpack()
    if not np.isfinite(vector).all() or vector.min() < 0 or vector.max() > 1 or len(vector) > 0xFFFF:
        raise ValueError("a class vector holds probabilities, of at most 65,535 classes")
    indices = np.flatnonzero(vector >= SCORE_FLOOR)
    entries = np.empty(len(indices), dtype=_ENTRY)
    entries["index"], entries["score"] = indices, vector[indices]
    return base64.b64encode(entries.tobytes()).decode()


def unpack_evidence(packed: str) -> Evidence:
    """The inverse of `pack_evidence`."""
    entries = np.frombuffer(base64.b64decode(packed), dtype=_ENTRY)
    return Evidence(entries["index"].astype(np.intp), entries["score"].astype(np.float64))


class StoredBox(NamedTuple):
    """One detection of a frame. The order of the fields is the stored format."""

    category: DetectionCategory
    score: float
    box: Box
    """Exactly as it was published: ids of crops are derived from it."""
    evidence: str | None = None
    """Class evidence of its crop, packed; None where the crop was not classified."""


class FrameRecord(WireModel):
    """A frame in a camera's state: about 0.6 KB of JSON, and with detections another 2.5 KB, of which 2.3 KB are the
    luminance grid. Its field names are the stored format."""

    image_id: str
    upload_id: str
    bucket: str
    key: str
    captured_at: datetime
    trigger: Trigger
    sequence: int | None = None
    sequence_length: int | None = None
    event_number: int | None = None
    serial: str | None = None
    source: str = _UNKNOWN
    """Serial number, make and model, as `camera_bodies.source_of` writes them."""
    to_the_minute: bool = False
    """Its camera writes no seconds, as far as is known by now; `camera_bodies` decides."""
    exif_time: bool = False
    """The capture time is from EXIF, not from the key or the upload."""
    width: int | None = None
    height: int | None = None
    """Pixels of the stored photograph."""
    placed_at: datetime | None = None
    """Its corrected time if its camera's clock jumped within its sequence; `clock_jumps` decides."""
    overrides: BurstOverrides | None = None
    uploaded_at: UtcTime
    stored_again_at: UtcTime | None = None
    """The latest upload of this content under this key, where it was uploaded again."""
    predicted_at: UtcTime
    model: str = ""
    label_set: str = ""
    classes: int = 0
    evidence: str = ""
    top: tuple[ClassScore, ...] = ()
    focus: tuple[FocusScore, ...] = ()
    rejection: Rejection | None = None
    detector: str = ""
    """`model@version` of the detector; empty: no detector was asked."""
    blind_to_persons: bool = False
    """Its detector cannot tell a person from an animal."""
    boxes: tuple[StoredBox, ...] = ()
    """The detections, best first."""
    crop_label_set: str = ""
    luminance: str = ""
    """Grey values, row by row, base64."""
    luminance_columns: int = 0
    second_look: str = ""
    """The rule of its second look; never stored with the frame (`second_looks`), as are the boxes of it."""
    second_look_boxes: tuple[int, ...] = ()
    """Indices of the boxes that only the second look found."""

    @classmethod
    def from_prediction(cls, event: ImagePredicted, overrides: BurstOverrides | None = None) -> "FrameRecord":
        """What a burst needs of a prediction, and the overrides that apply to it.

        A sequence that contradicts itself (5 of 3) is ignored. Raises `PermanentError`, reason `schema-invalid`, for a
        class vector that holds no probabilities and for a luminance grid of the wrong size. Boxes that are no
        rectangle within the photograph are ignored.
        """
        capture = event.capture
        consistent = (
            capture.sequence is not None
            and capture.sequence_length is not None
            and capture.sequence <= capture.sequence_length
        )
        return cls(
            image_id=event.image_id,
            upload_id=event.upload_id,
            bucket=event.bucket,
            key=event.key,
            captured_at=capture.time.replace(tzinfo=None),
            trigger=capture.trigger,
            sequence=capture.sequence if consistent else None,
            sequence_length=capture.sequence_length if consistent else None,
            event_number=capture.event_number,
            serial=capture.serial,
            source=source_of(capture.serial, capture.make, capture.model),
            exif_time=capture.time_source is CaptureTimeSource.EXIF,
            width=capture.width,
            height=capture.height,
            overrides=overrides,
            uploaded_at=event.uploaded_at,
            predicted_at=event.predicted_at,
            rejection=event.rejection,
            **_prediction_fields(event),
            **_detection_fields(event),
        )

    @cached_property
    def sort_key(self) -> SortKey:
        """Its position in capture order."""
        event = -1 if self.event_number is None else self.event_number
        return (self.effective_time, event, self.sequence or 0, self.image_id)

    @property
    def effective_time(self) -> datetime:
        """Its capture time, or its corrected time where its camera's clock jumped within its sequence."""
        return self.placed_at or self.captured_at

    @property
    def stored_at(self) -> datetime:
        """When this version was last uploaded."""
        return self.stored_again_at or self.uploaded_at

    @property
    def size_group(self) -> Link | None:
        """A link that all sizes of one photograph share: file name without extension, and EXIF capture time."""
        if not (self.exif_time and self.readable and self.width and self.height):
            return None
        name = self.key.rpartition("/")[2]
        return ("size", (name.rpartition(".")[0] or name).casefold(), self.captured_at)

    @property
    def links(self) -> tuple[Link, ...]:
        """Versions that share one of these may replace each other: key, content, photograph in another size."""
        key, image, size = ("key", self.bucket, self.key), ("image", self.image_id), self.size_group
        return (key, image) if size is None else (key, image, size)

    @property
    def sequence_link(self) -> Link | None:
        """A link that the frames of one numbered sequence share, as far as serial and event number identify it."""
        if not self.serial or self.event_number is None or self.sequence is None or (self.sequence_length or 0) < 2:
            return None
        return ("sequence", self.serial, self.event_number, self.sequence_length)

    @property
    def full_minute(self) -> bool:
        """Whether its capture time is from EXIF and ends in :00."""
        return self.exif_time and not self.captured_at.second and not self.captured_at.microsecond

    def with_changes(self, **values: object) -> "FrameRecord":
        """A copy with other values."""
        copy = self.model_copy(update=values)
        for cached in ("sort_key", "box_array"):
            copy.__dict__.pop(cached, None)  # `model_copy` copies cached values that are outdated now.
        return copy

    @property
    def numbered(self) -> bool:
        """Whether the camera wrote a sequence or event number."""
        return self.sequence is not None or self.event_number is not None

    def max_gap(self, default: timedelta) -> timedelta:
        """How far apart a neighbour in the same burst may be; `default` is the general setting."""
        overrides = self.overrides
        gap = default if overrides is None or overrides.gap_s is None else timedelta(seconds=overrides.gap_s)
        return max(gap, MINUTE) if self.to_the_minute and self.trigger is not Trigger.TIME_LAPSE else gap

    @property
    def readable(self) -> bool:
        """Whether a model scored it."""
        return bool(self.model)

    @cached_property
    def unpacked_evidence(self) -> Evidence:
        """Its evidence as arrays."""
        return unpack_evidence(self.evidence)

    @property
    def has_detections(self) -> bool:
        """Whether a detector answered for it, with boxes or without."""
        return bool(self.detector)

    @cached_property
    def box_array(self) -> NDArray[np.float64]:
        """Its boxes, shape (boxes, 4)."""
        return np.array([stored.box for stored in self.boxes], dtype=np.float64).reshape(-1, 4)

    @cached_property
    def luminance_grid(self) -> NDArray[np.uint8] | None:
        """Grey values of shape (rows, columns); None where they are unknown."""
        if not self.luminance:
            return None
        return np.frombuffer(base64.b64decode(self.luminance), dtype=np.uint8).reshape(-1, self.luminance_columns)

    def crop_evidence(self, place: int) -> Evidence | None:
        """Class evidence of the crop of a box; None where it was not classified."""
        packed = self.boxes[place].evidence
        return None if packed is None else unpack_evidence(packed)

    def to_event_frame(self, *, joined: JoinReason, deciding: bool, box: Box | None, score: float | None) -> BurstFrame:
        """The frame in the burst's event. `box` and `score`: where and how strongly it shows the verdict's class."""
        return BurstFrame(
            image_id=self.image_id,
            upload_id=self.upload_id,
            key=self.key,
            bucket=self.bucket,
            captured_at=self.captured_at,
            sequence=self.sequence,
            joined=joined,
            uploaded_at=self.uploaded_at,
            predicted_at=self.predicted_at,
            top=self.top[0] if self.top else None,
            rejection=self.rejection,
            deciding=deciding,
            box=box,
            score=score,
            second_look=self.second_look or None,
        )


def _prediction_fields(event: ImagePredicted) -> dict[str, Any]:
    prediction = event.prediction
    if prediction is None:
        return {}
    try:
        evidence = pack_evidence(prediction.windows)
    except ValueError as error:
        raise PermanentError("schema-invalid", f"{event.topic}: prediction.windows: {error}") from error
    return {
        "model": f"{prediction.model}@{prediction.version}",
        "label_set": prediction.label_set,
        "classes": prediction.windows.length,
        "evidence": evidence,
        "top": prediction.top,
        "focus": prediction.focus,
    }


def _detection_fields(event: ImagePredicted) -> dict[str, Any]:
    if event.prediction is None or event.detection is None:
        return {}
    result = event.detection
    return {
        "detector": f"{result.model}@{result.version}",
        "blind_to_persons": result.categories is not None and DetectionCategory.PERSON not in result.categories,
        "boxes": stored_boxes(event.topic, result),
        "crop_label_set": result.label_set or "",
        **_luminance_fields(event, event.luminance),
    }


def stored_boxes(topic: str, result: DetectionResult) -> tuple[StoredBox, ...]:
    """The best detections, best first: the order of boxes with equal scores follows from the boxes themselves.

    Raises `PermanentError`, reason `schema-invalid`, for a class vector that holds no probabilities.
    """
    usable = [detection for detection in result.detections if is_box(detection.box)]
    usable.sort(key=lambda detection: (-detection.score, detection.category, detection.box))
    # A person among many animals must not be forgotten: the box hides the person from those who need not see people.
    kept = sorted(usable, key=lambda detection: detection.category is not DetectionCategory.PERSON)[:MAX_BOXES]
    kept.sort(key=usable.index)
    vectors = 0
    boxes = []
    for detection in kept:
        evidence = None
        if detection.classes is not None and result.label_set and vectors < MAX_CROP_VECTORS:
            try:
                evidence = pack_evidence(detection.classes)
            except ValueError as error:
                raise PermanentError("schema-invalid", f"{topic}: detection.classes: {error}") from error
            vectors += 1
        boxes.append(StoredBox(detection.category, detection.score, detection.box, evidence))
    return tuple(boxes)


def is_box(box: Box) -> bool:
    """Whether the numbers are finite and a rectangle with an area that lies within the photograph, to a rounding."""
    x, y, width, height = box
    within = x >= -_ROUNDING and y >= -_ROUNDING and x + width <= 1 + _ROUNDING and y + height <= 1 + _ROUNDING
    return within and width > 0 and height > 0


def _luminance_fields(event: ImagePredicted, grid: LuminanceGrid | None) -> dict[str, Any]:
    if grid is None or grid.rows * grid.columns > MAX_LUMINANCE_BYTES:
        return {}
    try:
        grid.unpack()
    except (ValueError, binascii.Error) as error:
        raise PermanentError("schema-invalid", f"{event.topic}: luminance: {error}") from error
    return {"luminance": grid.u8, "luminance_columns": grid.columns}
