"""Photographs, frames, configurations and cameras for the tests of bursts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from uncia.events import (
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    Detection,
    DetectionCategory,
    DetectionResult,
    FocusScore,
    ImagePredicted,
    LuminanceGrid,
    Prediction,
    Rejection,
    Trigger,
)
from uncia.processors.bursts.changes import PendingEvent, StateChanges
from uncia.processors.bursts.class_names import ClassName
from uncia.processors.bursts.config import BurstConfig, BurstOverrides
from uncia.processors.bursts.engine import BurstEngine
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.sessions import Sessioniser
from uncia.processors.bursts.state import CameraState
from uncia.processors.bursts.verdict import VerdictBuilder

CAMERA, STATION = "ridge/north", "ridge"
DAY = datetime(2026, 3, 1)
LOG = datetime(2026, 3, 20, 12, tzinfo=UTC)
CONFIG = BurstConfig(
    gap=timedelta(seconds=15),
    idle=timedelta(seconds=20),
    lateness=timedelta(seconds=900),
    max_frames=200,
    ensemble="log-odds",
    certain_from=0.7,
)
NAMES = ("cat", "goat", "stone", "snow leopard")
GROUPS = ("animal", "animal", "nothing", "animal")


@dataclass(frozen=True)
class Found:
    """A detection as a test describes it."""

    score: float = 0.9
    box: tuple[float, float, float, float] = (0.3, 0.3, 0.2, 0.3)
    category: DetectionCategory = DetectionCategory.ANIMAL
    classes: tuple[float, ...] | None = None
    """Class scores of its crop, in the order of `NAMES`."""


@dataclass(frozen=True)
class Photo:
    """A photograph as a test describes it: capture time (seconds of its day), metadata, and the model's scores."""

    name: str
    taken: float
    sequence: int | None = None
    length: int | None = None
    event: int | None = None
    trigger: Trigger = Trigger.MOTION
    scores: tuple[float, ...] = (0.6, 0.2, 0.1, 0.0)
    focus: float | None = None
    rejected: bool = False
    model: str = "lite"
    label_set: str = "test@1"
    serial: str | None = None
    make: str | None = None
    overrides: BurstOverrides | None = None
    camera_model: str | None = None
    image: str | None = None
    """Its content, where that is shared with exact copies."""
    file: str | None = None
    """Its key below the camera's folder."""
    uploaded: float = 0
    """Upload time in seconds of log time."""
    size: tuple[int, int] | None = None
    reason: str = "image-truncated"
    """The reason of its rejection, if `rejected`."""
    source: CaptureTimeSource = CaptureTimeSource.EXIF
    boxes: tuple["Found", ...] | None = None
    """The detections; None: no detector was asked."""
    grey: int | None = None
    """The luminance of the photograph; with a bright patch at each of its animal boxes."""


def prediction_of(photo: Photo) -> Prediction:
    """The model's output for this photograph."""
    vector = ClassVector.pack(np.array(photo.scores, dtype=np.float32))
    best = int(np.argmax(photo.scores))
    focus: tuple[FocusScore, ...] = ()
    if photo.focus is not None:
        box = (0.1, 0.2, 0.3, 0.4)
        focus = (
            FocusScore(taxon="snow leopard taxon", label="snow leopard", score=photo.focus, threshold=0.02, box=box),
        )
    top = ClassScore(
        index=best,
        label=NAMES[best],
        taxon=f"{NAMES[best]} taxon",
        group=GROUPS[best],
        score=photo.scores[best],
        box=(0, 0, 0.5, 0.5),
    )
    return Prediction(
        model=photo.model,
        version="1",
        label_set=photo.label_set,
        settings="set-1",
        asked_at=LOG,
        inference_ms=1,
        whole=vector,
        windows=vector,
        top=(top,),
        focus=focus,
    )


def predicted(photo: Photo, camera: str = CAMERA) -> ImagePredicted:
    """The prediction event of this photograph."""
    return ImagePredicted(
        upload_id=f"upl-{photo.name}",
        image_id=f"img-{photo.image or photo.name}",
        station=camera.split("/")[0],
        camera=camera,
        bucket="camera-uploads",
        key=f"{camera}/{photo.file or f'{photo.name}.JPG'}",
        etag="e",
        size=1,
        uploaded_at=LOG + timedelta(seconds=photo.uploaded),
        predicted_at=LOG,
        capture=Capture(
            time=DAY + timedelta(seconds=photo.taken),
            time_source=photo.source,
            trigger=photo.trigger,
            sequence=photo.sequence,
            sequence_length=photo.length,
            event_number=photo.event,
            serial=photo.serial,
            make=photo.make,
            model=photo.camera_model,
            width=photo.size[0] if photo.size else None,
            height=photo.size[1] if photo.size else None,
        ),
        prediction=None if photo.rejected else prediction_of(photo),
        detection=None if photo.boxes is None or photo.rejected else detections(photo.boxes),
        luminance=None if photo.grey is None or photo.rejected else luminance(photo),
        rejection=Rejection(reason=photo.reason, message="cut short") if photo.rejected else None,
    )


def detections(boxes: Iterable[Found], categories: tuple[DetectionCategory, ...] | None = None) -> DetectionResult:
    """The output of a detector that can find these categories."""
    return DetectionResult(
        model="animal_detector",
        version="1",
        settings="set-2",
        asked_at=LOG,
        inference_ms=1,
        categories=categories,
        detections=tuple(
            Detection(
                category=found.category,
                score=found.score,
                box=found.box,
                classes=None if found.classes is None else ClassVector.pack(np.array(found.classes, dtype=np.float32)),
            )
            for found in boxes
        ),
        crop_model="lite@1",
        label_set="test@1",
    )


def luminance(photo: Photo) -> LuminanceGrid:
    """A flat picture with a patch at each animal box."""
    values = np.full((36, 48), photo.grey, dtype=np.uint8)
    values[::2] += 20
    for found in photo.boxes or ():
        if found.category is DetectionCategory.ANIMAL and np.isfinite(found.box).all():
            x, y, width, height = found.box
            values[int(36 * y) : int(36 * (y + height)), int(48 * x) : int(48 * (x + width))] = 220
    return LuminanceGrid.pack(values)


@lru_cache(maxsize=4096)
def frame_record(photo: Photo) -> FrameRecord:
    """The photograph as a camera's state stores it."""
    return FrameRecord.from_prediction(predicted(photo), photo.overrides)


def class_names(label_set: str, index: int) -> ClassName | None:
    """The class names of the test's label set."""
    if not label_set.startswith("test@") or index >= len(NAMES):
        return None
    return ClassName(NAMES[index], f"{NAMES[index]} taxon", GROUPS[index])


def sessioniser(config: BurstConfig = CONFIG) -> Sessioniser:
    """A sessioniser with this configuration."""
    return Sessioniser(config, VerdictBuilder(config, class_names))


def make_engine(
    records: Mapping[bytes, bytes] | None = None, config: BurstConfig = CONFIG, partitions: int = 4
) -> BurstEngine:
    """An engine with this configuration."""
    return BurstEngine(config, VerdictBuilder(config, class_names), {} if records is None else records, partitions)


class Camera:
    """A camera whose photographs arrive at seconds of log time."""

    def __init__(self, config: BurstConfig = CONFIG) -> None:
        self.sessioniser = sessioniser(config)
        self.state = CameraState(CAMERA)
        self.pending: list[PendingEvent] = []
        self.changes: list[StateChanges] = []

    def arrive(self, photo: Photo, at: float) -> list[BurstResolved]:
        """A photograph arrives. Returns the events that follow."""
        return self.apply(photo, at).events

    def apply(self, photo: Photo, at: float) -> StateChanges:
        """The same, without building the events."""
        now = LOG + timedelta(seconds=at)
        if not photo.rejected or (photo.file is None and photo.reason == "image-truncated"):
            return self._add(self.sessioniser.apply_frame(self.state, STATION, frame_record(photo), now))
        return self._add(self.sessioniser.apply_prediction(self.state, predicted(photo), photo.overrides, now))

    def tick(self, at: float) -> list[BurstResolved]:
        """A tick shows that log time has reached `at`."""
        return self._add(self.sessioniser.advance_time(self.state, LOG + timedelta(seconds=at))).events

    def _add(self, changes: StateChanges) -> StateChanges:
        self.changes.append(changes)
        self.pending += changes.pending
        return changes

    @property
    def events(self) -> list[BurstResolved]:
        """All events so far."""
        return [pending.event for pending in self.pending]

    def settled(self) -> dict[str, BurstResolved]:
        """What a subscriber has in the end: the highest revision of each id that was not superseded."""
        return settled(last.event for last in {pending.burst_id: pending for pending in self.pending}.values())


def settled(events: Iterable[BurstResolved]) -> dict[str, BurstResolved]:
    """The highest revision of each id, superseded ones left out."""
    held: dict[str, BurstResolved] = {}
    for event in events:
        if event.burst_id not in held or event.revision > held[event.burst_id].revision:
            held[event.burst_id] = event
    return {name: event for name, event in held.items() if event.status is not BurstStatus.SUPERSEDED}


def images(event: BurstResolved) -> list[str]:
    """The names of its photographs, in order."""
    return [frame.image_id.removeprefix("img-") for frame in event.frames]


def make_config(**changes: object) -> BurstConfig:
    """The usual configuration, with changes."""
    return replace(CONFIG, **changes)  # type: ignore[arg-type]
