"""One frame, as a burst keeps it: who it is, when it was taken, what was seen in it.

A class vector has 1,000 entries, of which a few dozen say anything. What scores below `FLOOR` is noise: it is not
kept, and every rule counts it as `FLOOR` or as nothing (`ensemble` says which). That is part of the rules'
definition, not an approximation that depends on what came first: the same frames give the same evidence in any
order.
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uncia.errors import PermanentError
from uncia.events import (
    BurstFrame,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    FocusScore,
    ImagePredicted,
    JoinReason,
    Rejection,
    Trigger,
)
from uncia.events.base import UtcTime, WireModel
from uncia.processors.bursts.camera_bodies import source_of
from uncia.processors.bursts.config import MINUTE, Overrides

FLOOR = 0.01

Order = tuple[datetime, int, int, str]
"""Capture order of frames of one camera: capture time; where that is the same, event, n of m, and image id."""

Link = tuple[object, ...]
"""What versions have in common that may replace each other, see `Frame.links`."""

_UNKNOWN = source_of(None, None, None)
_ENTRY = np.dtype([("index", "<u2"), ("score", "<f2")])


@dataclass(frozen=True)
class Evidence:
    """The scores that say something: `scores[i]` is the best window's probability of class `indices[i]`."""

    indices: NDArray[np.intp]
    scores: NDArray[np.float64]


def pack_evidence(windows: ClassVector) -> str:
    """The entries of at least `FLOOR`, as base64 of (uint16 index, float16 score)."""
    vector = windows.unpack()
    if not np.isfinite(vector).all() or vector.min() < 0 or vector.max() > 1 or len(vector) > 0xFFFF:
        raise ValueError("a class vector holds probabilities, of at most 65,535 classes")
    indices = np.flatnonzero(vector >= FLOOR)
    entries = np.empty(len(indices), dtype=_ENTRY)
    entries["index"], entries["score"] = indices, vector[indices]
    return base64.b64encode(entries.tobytes()).decode()


class Frame(WireModel):
    """A frame in a burst's state: about 0.6 KB of JSON."""

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
    """Serial number, make and model, as `bodies.source_of` writes them."""
    to_the_minute: bool = False
    """Its camera writes no seconds, as far as is known by now; `bodies` decides."""
    exif_time: bool = False
    """The capture time is EXIF's, not the key's or the upload's."""
    width: int | None = None
    height: int | None = None
    """Pixels of the stored photograph."""
    placed_at: datetime | None = None
    """Where it belongs in time if its camera's clock jumped within its sequence; `clock_jumps` decides."""
    overrides: Overrides | None = None
    uploaded_at: UtcTime
    stored_again_at: UtcTime | None = None
    """The latest upload of this content under this key, where it was put there again."""
    predicted_at: UtcTime
    model: str = ""
    label_set: str = ""
    classes: int = 0
    evidence: str = ""
    top: tuple[ClassScore, ...] = ()
    focus: tuple[FocusScore, ...] = ()
    rejection: Rejection | None = None

    @classmethod
    def of(cls, event: ImagePredicted, overrides: Overrides | None = None) -> "Frame":
        """What of a prediction its burst needs, and which rules hold where it was taken.

        A sequence that contradicts itself (5 of 3) counts as none. Raises `PermanentError`, reason `schema-invalid`,
        for a class vector that is none.
        """
        capture, prediction = event.capture, event.prediction
        told = capture.sequence is not None and capture.sequence_length is not None
        sound = told and (capture.sequence or 0) <= (capture.sequence_length or 0)
        judged = {}
        if prediction is not None:
            try:
                evidence = pack_evidence(prediction.windows)
            except ValueError as error:
                raise PermanentError("schema-invalid", f"{event.topic}: prediction.windows: {error}") from error
            judged = {
                "model": f"{prediction.model}@{prediction.version}",
                "label_set": prediction.label_set,
                "classes": prediction.windows.length,
                "evidence": evidence,
                "top": prediction.top,
                "focus": prediction.focus,
            }
        return cls(
            image_id=event.image_id,
            upload_id=event.upload_id,
            bucket=event.bucket,
            key=event.key,
            captured_at=capture.time.replace(tzinfo=None),
            trigger=capture.trigger,
            sequence=capture.sequence if sound else None,
            sequence_length=capture.sequence_length if sound else None,
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
            **judged,
        )

    @cached_property
    def order(self) -> Order:
        """Where it stands among the frames of its camera."""
        event = -1 if self.event_number is None else self.event_number
        return (self.at, event, self.sequence or 0, self.image_id)

    @property
    def at(self) -> datetime:
        """Where it belongs in time: its capture time, unless its camera's clock jumped within its sequence."""
        return self.placed_at or self.captured_at

    @property
    def stored_at(self) -> datetime:
        """When the store last took this version."""
        return self.stored_again_at or self.uploaded_at

    @property
    def size_group(self) -> Link | None:
        """What all sizes of one photograph have in common: file name without extension, and EXIF capture time."""
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
    def numbered_as(self) -> Link | None:
        """The sequence that its camera numbered it in, as far as serial and event number tell; see `clock_jumps`."""
        if not self.serial or self.event_number is None or self.sequence is None or (self.sequence_length or 0) < 2:
            return None
        return ("sequence", self.serial, self.event_number, self.sequence_length)

    @property
    def full_minute(self) -> bool:
        """Its capture time is EXIF's and ends in :00."""
        return self.exif_time and not self.captured_at.second and not self.captured_at.microsecond

    def changed(self, **values: object) -> "Frame":
        """A copy with other values."""
        copy = self.model_copy(update=values)
        copy.__dict__.pop("order", None)  # `model_copy` takes along what was computed from the old values.
        return copy

    @property
    def told(self) -> bool:
        """The camera said which sequence it belongs to."""
        return self.sequence is not None or self.event_number is not None

    def gap(self, usual: timedelta) -> timedelta:
        """How far apart a neighbour may be."""
        place = self.overrides
        gap = usual if place is None or place.gap_s is None else timedelta(seconds=place.gap_s)
        return max(gap, MINUTE) if self.to_the_minute and self.trigger is not Trigger.TIME_LAPSE else gap

    @property
    def readable(self) -> bool:
        """It was judged."""
        return bool(self.model)

    @cached_property
    def unpacked(self) -> Evidence:
        """Its evidence as arrays."""
        entries = np.frombuffer(base64.b64decode(self.evidence), dtype=_ENTRY)
        return Evidence(entries["index"].astype(np.intp), entries["score"].astype(np.float64))

    def on_the_wire(
        self, *, joined: JoinReason, deciding: bool, seen: ClassScore | FocusScore | None, score: float | None
    ) -> BurstFrame:
        """As the burst's event shows it, with how the verdict's class was seen in it."""
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
            box=seen.box if seen else None,
            score=score,
        )
