"""What is exported: bursts with their frames, boxes and observations, and deployments, as values.

Writers take an iterable of `BurstRecord` in order of capture, and hold one at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from uncia.events import Sensitivity

__all__ = ["BoxRecord", "BurstRecord", "DeploymentRecord", "FrameRecord", "ObservationRecord", "Verdict"]

Box = tuple[float, float, float, float]
"""x, y, width, height as shares of the photograph."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a burst shows. Category None: nothing could be read, or the reviewer cannot tell."""

    category: str | None
    taxon: str | None = None
    label: str | None = None
    rank: str | None = None
    count: int | None = None
    confidence: float | None = None

    @property
    def name(self) -> str:
        """The taxon, else the label, else the category; empty where nothing is known."""
        return self.taxon or self.label or self.category or ""


@dataclass(frozen=True, slots=True)
class BoxRecord:
    """One detection of a detector. `static`: the same box is in many bursts of the camera: background."""

    category: str
    score: float
    box: Box
    static: bool = False


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One photograph of a burst. `boxes` None: no detector was installed, or it was rejected."""

    image_id: str
    upload_id: str
    bucket: str
    key: str
    captured_at: datetime
    """By the camera's clock, without an offset."""
    category: str | None = None
    deciding: bool = False
    boxes: tuple[BoxRecord, ...] | None = None
    detector: str | None = None
    predicted_at: datetime | None = None
    rejection_reason: str | None = None
    rejection_message: str | None = None
    width: int | None = None
    height: int | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    temperature_c: float | None = None
    infrared: bool | None = None
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None

    def own_boxes(self, least_score: float = 0.0) -> list[BoxRecord]:
        """The boxes with at least this score that are no static objects and have an area."""
        return [
            each
            for each in self.boxes or ()
            if not each.static and each.score >= least_score and each.box[2] > 0 and each.box[3] > 0
        ]


@dataclass(frozen=True, slots=True)
class ObservationRecord:
    """What models (`source` is `model`) or the review that counts (`human`) saw; number 0 is the verdict."""

    source: str
    number: int
    verdict: Verdict
    score: float | None = None
    certain: bool | None = None
    observed_by: str | None = None
    observed_at: datetime | None = None
    boxes: tuple[tuple[str, Box], ...] = ()
    """Boxes that the reviewer drew or accepted, with the id of their photograph."""


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A deployment with its exact position."""

    camera: str
    station: str
    deployment_id: str
    starts_at: datetime
    ends_at: datetime | None
    """None: the camera is still deployed."""
    utc_offset_minutes: int
    latitude: float = field(repr=False)
    longitude: float = field(repr=False)
    coordinate_uncertainty_m: float | None = None
    sensitivity: Sensitivity = Sensitivity.EXTREME
    taxa_sensitivity: Sensitivity = Sensitivity.NONE
    """Of the taxa that were seen by the camera; the stricter of the two levels applies."""
    capture_method: str | None = None
    overrides: Mapping[str, float] = field(default_factory=dict)
    """Settings of bursts that differ from the general ones, by column of the catalogue, in seconds."""
    active_days: int | None = None
    """Days on which the camera took a photograph."""
    last_capture: datetime | None = None
    """By the camera's clock; None: no photograph of the deployment is known."""
    clock_suspect: bool | None = None
    """Whether the camera's clock is suspicious or wrong; None: not assessed."""
    shared_id: bool = False
    """Whether deployments of other cameras have the same id."""

    @property
    def unique_id(self) -> str:
        """An id that no other deployment of the catalogue has."""
        return f"{self.deployment_id} @ {self.camera}" if self.shared_id else self.deployment_id

    @property
    def zone(self) -> timezone:
        """The UTC offset of the camera's clock."""
        return timezone(timedelta(minutes=self.utc_offset_minutes))

    def moment(self, local: datetime) -> datetime:
        """A time by the camera's clock, with its offset, to the second."""
        return local.replace(tzinfo=self.zone, microsecond=0)


@dataclass(frozen=True, slots=True)
class BurstRecord:
    """One burst with all that is exported of it."""

    burst_id: str
    station: str
    camera: str
    started_at: datetime
    ended_at: datetime
    frame_count: int
    shown: Verdict
    frames: tuple[FrameRecord, ...]
    observations: tuple[ObservationRecord, ...] = ()
    trigger: str = "unknown"
    status: str = "final"
    reviewed: bool = False
    reviewer: str | None = None
    model: Verdict = Verdict(None)
    animal_probability: float | None = None
    certain: bool = False
    flags: tuple[str, ...] = ()
    """Of the models."""
    marks: tuple[str, ...] = ()
    """Of reviewers."""
    gap_s: float | None = None
    deployment: DeploymentRecord | None = None

    @property
    def verdict_row(self) -> ObservationRecord | None:
        """The models' verdict."""
        return next((each for each in self.observations if each.source == "model" and each.number == 0), None)

    @property
    def human_rows(self) -> list[ObservationRecord]:
        """What the reviewer saw."""
        return [each for each in self.observations if each.source == "human"]

    @property
    def shows_person(self) -> bool:
        """Whether a person, or a vehicle, is or may be in the burst."""
        return (
            self.shown.category in ("person", "vehicle")
            or self.model.category in ("person", "vehicle")
            or any(each.verdict.category in ("person", "vehicle") for each in self.human_rows)
            or any(box.category != "animal" and not box.static for frame in self.frames for box in frame.boxes or ())
        )

    @property
    def cover(self) -> FrameRecord | None:
        """The frame that the verdict is based on, else the first readable one, else the first."""
        deciding = [frame for frame in self.frames if frame.deciding]
        readable = [frame for frame in self.frames if frame.rejection_reason is None]
        return next(iter((*deciding, *readable, *self.frames)), None)
