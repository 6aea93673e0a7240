"""What queries return: rows of the catalogue as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

__all__ = [
    "AlertChange",
    "AlertHandling",
    "AlertMute",
    "AlertRevision",
    "AlertRow",
    "BurstChange",
    "BurstDetail",
    "BurstPage",
    "BurstRow",
    "CameraHealth",
    "Crop",
    "Explanation",
    "Facets",
    "FetchRequest",
    "Frame",
    "FrameDetail",
    "HeardClass",
    "Neighbours",
    "Observation",
    "OpenAlerts",
    "Photograph",
    "Rejection",
    "Review",
    "Revision",
    "SoundCall",
    "SoundDetail",
    "StoredCrop",
    "StoredExplanation",
    "StoredRecording",
    "StoredSpectrogram",
    "TaxonCount",
]


@dataclass(frozen=True)
class _FromRow:
    """A value whose fields are columns of the same names."""

    @classmethod
    def of(cls, row: Mapping[Any, Any], **more: Any) -> Self:
        """The value of a row; columns without a field are left out."""
        # Rows of SQLAlchemy look up each name slowly; a page of look-alikes has a thousand rows.
        values = {**row, **more}
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(frozen=True)
class Frame(_FromRow):
    """A frame of a burst, as far as a film strip needs it."""

    number: int
    upload_id: str
    image_id: str
    bucket: str
    key: str
    captured_at: datetime
    category: str | None
    deciding: bool
    boxes: list[dict[str, Any]] | None
    """Dictionaries of category, score, box (x, y, width, height as shares) and static."""
    rejection_reason: str | None


@dataclass(frozen=True)
class BurstRow(_FromRow):
    """One burst of a list."""

    burst_id: str
    revision: int
    status: str
    station: str
    camera: str
    trigger: str
    started_at: datetime
    ended_at: datetime
    updated_at: datetime
    frame_count: int
    category: str | None
    taxon: str | None
    label: str | None
    rank: str | None
    count: int | None
    confidence: float | None
    reviewed: bool
    reviewer: str | None
    animal_probability: float | None
    certain: bool
    focus: bool
    uncertainty: float
    best_crop: dict[str, Any] | None
    superseded_by: str | None
    gap_s: float | None
    frames: tuple[Frame, ...] = ()
    marks: tuple[str, ...] = ()
    """What reviewers have marked it with, sorted."""

    @property
    def cover(self) -> Frame | None:
        """The frame that represents the burst: of the best crop, else the deciding one, else the first readable."""
        readable = [frame for frame in self.frames if frame.rejection_reason is None]
        wanted = self.best_crop["image_id"] if self.best_crop else None
        best = [frame for frame in readable if frame.image_id == wanted]
        deciding = [frame for frame in readable if frame.deciding]
        return next(iter((*best, *deciding, *readable)), None)


@dataclass(frozen=True)
class BurstPage:
    """A page of a list. `after`: where the next page begins; None: there is none."""

    rows: tuple[BurstRow, ...]
    after: str | None


@dataclass(frozen=True)
class BurstChange:
    """A burst that changed, and the number of the change."""

    number: int
    burst_id: str


@dataclass(frozen=True)
class AlertChange:
    """An alert that changed or was acknowledged, and the number of the change; without an id: the mutes changed."""

    number: int
    alert_id: str


@dataclass(frozen=True)
class AlertMute(_FromRow):
    """A mute of a rule (empty: any) at a camera (empty: all); `until` None: it was taken back."""

    rule: str
    camera: str
    station: str
    handling_id: str
    until: datetime | None
    account: str
    note: str | None
    handled_at: datetime


@dataclass(frozen=True)
class AlertRow(_FromRow):
    """One alert by its last revision, with its last acknowledgement."""

    alert_id: str
    revision: int
    state: str
    severity: str
    rule: str
    station: str
    camera: str
    summary: str
    burst_id: str | None
    """The first burst that matches, or did; None: an alert on silence."""
    raised_at: datetime
    updated_at: datetime
    content: dict[str, Any]
    """The whole event."""
    acknowledged: bool
    handling_id: str | None
    """The last acknowledgement, or its end; None: there was none."""
    account: str | None
    note: str | None
    handled_at: datetime | None
    alert_revision: int | None
    """The revision that was acknowledged."""
    mutes: tuple[AlertMute, ...] = ()
    """Those in force that are about this alert."""


@dataclass(frozen=True)
class AlertRevision(_FromRow):
    """One revision of an alert."""

    revision: int
    state: str
    summary: str
    updated_at: datetime


@dataclass(frozen=True)
class AlertHandling(_FromRow):
    """What a person did about an alert."""

    handling_id: str
    action: str
    alert_revision: int | None
    account: str
    note: str | None
    handled_at: datetime


@dataclass(frozen=True)
class OpenAlerts:
    """The alerts that are not handled yet."""

    count: int
    severities: dict[str, int]
    newest: AlertRow | None


@dataclass(frozen=True)
class TaxonCount:
    """One taxon of the tree of taxa, with counts of its bursts."""

    taxon: str
    label: str
    rank: str | None
    ancestors: tuple[str, ...]
    """Nearest first."""
    own: int
    """Of bursts that are called just that."""
    total: int
    """With those of the taxa below."""


@dataclass(frozen=True)
class ConfidenceCount:
    """How many bursts have a confidence from `least` to `most`, both included."""

    least: float
    most: float
    bursts: int


@dataclass(frozen=True)
class RangeCounts:
    """How many bursts there are by date, time of the day and confidence; each disregards its own filter."""

    month: dict[date, int]
    """By the first day of the month."""
    hour: tuple[int, ...]
    """24 numbers, from midnight on, by the cameras' clocks."""
    confidence: tuple[ConfidenceCount, ...]
    """From the highest range on. Bursts without a confidence are in none."""


@dataclass(frozen=True)
class Facets:
    """How many bursts there are for each value of each filter, with the other filters as they are."""

    total: int
    category: dict[str, int] = field(default_factory=dict)
    """By category; "": none."""
    taxon: tuple[TaxonCount, ...] = ()
    without_taxon: int = 0
    station: dict[str, int] = field(default_factory=dict)
    camera: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    reviewed: dict[bool, int] = field(default_factory=dict)
    flag: dict[str, int] = field(default_factory=dict)
    ranges: RangeCounts | None = None
    """None: not counted, because the columns in memory are not there yet."""


@dataclass(frozen=True)
class FrameDetail(Frame):
    """A frame with what is known of its photograph. Fields of the photograph are None where it was not read."""

    sequence: int | None
    joined: str | None
    uploaded_at: datetime
    predicted_at: datetime
    animal_probability: float | None
    top_label: str | None
    top_taxon: str | None
    top_score: float | None
    box: list[float] | None
    score: float | None
    rejection_message: str | None
    width: int | None = None
    height: int | None = None
    make: str | None = None
    model: str | None = None
    temperature_c: float | None = None
    infrared: bool | None = None
    time_source: str | None = None
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    classifier: str | None = None
    detector: str | None = None
    warnings: list[str] | None = None


@dataclass(frozen=True)
class Revision(_FromRow):
    """One revision of a burst."""

    revision: int
    status: str
    published_at: datetime
    frame_count: int
    category: str | None
    taxon: str | None
    label: str | None
    rank: str | None
    count: int | None
    confidence: float | None
    animal_probability: float | None
    rule: str
    models: list[str]
    fusion: str | None
    settings: str
    closed_by: str | None
    closed_at: datetime | None
    superseded_by: str | None
    changes: list[str]
    flags: list[str]


@dataclass(frozen=True)
class Observation(_FromRow):
    """What models (`source` is `model`) or a reviewer (`human`) saw in a burst."""

    source: str
    number: int
    category: str | None
    taxon: str | None
    label: str | None
    rank: str | None
    count: int | None
    score: float | None
    confidence: float | None
    certain: bool | None
    focus: bool | None
    observed_by: str | None
    observed_at: datetime | None
    review_id: str | None
    boxes: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Review(_FromRow):
    """One decision of a reviewer."""

    review_id: str
    burst_revision: int | None
    reviewer: str
    decision: str
    observations: list[dict[str, Any]]
    rejected_boxes: list[dict[str, Any]]
    marks: list[str] | None
    comment: str | None
    supersedes: str | None
    reviewed_at: datetime


@dataclass(frozen=True)
class Crop(_FromRow):
    """A crop that the store holds."""

    crop_id: str
    image_id: str
    bucket: str
    key: str
    pixel_width: int | None
    pixel_height: int | None
    x: float
    y: float
    width: float
    height: float
    category: str
    score: float


@dataclass(frozen=True)
class Explanation(_FromRow):
    """An explanation, or its request: `explained_at` is None while it is pending."""

    explanation_id: str
    image_id: str
    method: str
    reason: str | None = None
    requested_at: datetime | None = None
    model: str | None = None
    label: str | None = None
    taxon: str | None = None
    score: float | None = None
    bucket: str | None = None
    heat_map_key: str | None = None
    r2: float | None = None
    boxes: list[dict[str, Any]] = field(default_factory=list)
    explained_at: datetime | None = None
    rejection_reason: str | None = None
    rejection_message: str | None = None


@dataclass(frozen=True)
class FetchRequest(_FromRow):
    """A request of the whole photograph of a thumbnail."""

    fetch_id: str
    reason: str
    requested_by: str | None
    """Account of the person, where a page sent the request."""
    requested_at: datetime


@dataclass(frozen=True)
class BurstDetail:
    """Everything about one burst."""

    burst: BurstRow
    version: int
    """Position of its newest event in the log, see `changes.offset_of`."""
    expected_frames: int | None
    unreadable: int
    model_category: str | None
    model_taxon: str | None
    model_label: str | None
    model_count: int | None
    taxon_score: float | None
    taxon_confidence: float | None
    crops_withheld: bool | None
    fusion: str | None
    rule: str
    models: list[str]
    settings: str
    closed_by: str | None
    closed_at: datetime | None
    supersedes: list[str]
    split_from: str | None
    deployment_id: str | None
    frames: tuple[FrameDetail, ...]
    flags: dict[str, tuple[str, ...]]
    """By source, `model` and `human`."""
    observations: tuple[Observation, ...]
    reviews: tuple[Review, ...]
    """The newest first, undone ones included."""
    revisions: tuple[Revision, ...]
    """The newest first."""
    crops: tuple[Crop, ...]
    explanations: tuple[Explanation, ...]
    fetches: dict[str, FetchRequest]
    """Requests of whole photographs, by the id of the frame's image, also of those that have arrived."""


@dataclass(frozen=True)
class Neighbours:
    """The bursts of the same camera just before and after one, in the order of capture; none at either end."""

    before: BurstRow | None
    after: BurstRow | None


@dataclass(frozen=True)
class ReportedQuantity(_FromRow):
    """What a cellular camera reported last of its battery, signal, card or temperature."""

    reported_at: datetime
    """When the report was received."""
    profile: str
    """The camera profile by which it was read."""
    percent: float | None
    """Of the battery's charge, the signal's strength, or the card's space that is free."""
    bars: int | None
    bars_of: int | None
    volts: float | None
    dbm: float | None
    free_mb: float | None
    total_mb: float | None
    photographs: int | None
    """As the camera counts them."""
    celsius: float | None


@dataclass(frozen=True)
class CameraHealth:
    """What is known of a camera's condition."""

    camera: str
    station: str
    last_contact: datetime | None
    """When its last photograph was stored, by the store's clock."""
    last_capture: datetime | None
    """Capture time of the last photograph that was uploaded, by the camera's clock."""
    temperature_c: float | None
    """As the last photograph states it."""
    battery_v: float | None
    make: str | None
    model: str | None
    serial: str | None
    captures: int
    """Photographs in the period, by the camera's clock."""
    rejected: int
    active_days: int
    pending: int
    """Photographs that are neither predicted nor rejected yet."""
    clock: str | None
    """Verdict on its clock; None: not assessed."""
    clock_reasons: list[dict[str, Any]]
    clock_offset_s: float | None
    static_objects: list[dict[str, Any]]
    deployment_id: str | None
    """The deployment that began last; one that is planned where there is no other."""
    deployed_since: datetime | None
    deployed_until: datetime | None
    contact_interval_s: float | None
    """After so long without a contact, its deployment calls it silent."""
    reported: dict[str, ReportedQuantity] = field(default_factory=dict)
    """By quantity: `battery`, `signal`, `card`, `temperature`; empty for a camera that sends no status reports."""

    @property
    def last_report(self) -> datetime | None:
        """When its last status report was received."""
        return max((one.reported_at for one in self.reported.values()), default=None)


@dataclass(frozen=True)
class Rejection(_FromRow):
    """A photograph that could not be predicted."""

    upload_id: str
    camera: str
    bucket: str
    key: str
    uploaded_at: datetime
    captured_at: datetime | None
    rejection_reason: str | None
    rejection_message: str | None


@dataclass(frozen=True)
class CameraDay(_FromRow):
    """What a camera captured on one day of its clock."""

    camera: str
    day: date
    captures: int
    rejected: int
    temperature_min_c: float | None
    temperature_max_c: float | None
    battery_min_v: float | None


@dataclass(frozen=True)
class Photograph(_FromRow):
    """Where a photograph is stored, and which content of that place it is."""

    upload_id: str
    image_id: str
    station: str
    camera: str
    bucket: str
    key: str
    version_id: str | None


@dataclass(frozen=True)
class StoredCrop(_FromRow):
    """Where a crop is stored, with its content hash."""

    station: str
    image_id: str
    bucket: str
    key: str
    sha256: str | None


@dataclass(frozen=True)
class StoredExplanation(_FromRow):
    """Where the heat map of an explanation is stored; None where there is none."""

    station: str
    image_id: str
    bucket: str | None
    heat_map_key: str | None


@dataclass(frozen=True)
class HeardClass(_FromRow):
    """A taxon, or a class without one, that was heard in sound recordings."""

    taxon: str | None
    label: str
    calls: int


@dataclass(frozen=True)
class SoundCall(_FromRow):
    """One call in a sound recording."""

    call_id: str
    recording_id: str
    station: str
    camera: str
    """The recorder."""
    start_s: float
    """In seconds from the start of the recording."""
    end_s: float
    started_at: datetime
    """By the recorder's clock."""
    category: str
    taxon: str | None
    label: str
    score: float
    confidence: float | None
    """Calibrated probability; None: there is no calibration."""
    certain: bool
    """The score reaches a threshold that was calibrated."""
    spectrogram: dict[str, Any] | None
    """None: withheld, because a person was heard in the same window."""


@dataclass(frozen=True)
class StoredRecording(_FromRow):
    """Where a sound recording is stored, which content of that place it is, and what was read of it."""

    recording_id: str
    upload_id: str
    station: str
    camera: str
    bucket: str
    key: str
    etag: str
    version_id: str | None
    size: int
    """In bytes."""
    recorded_at: datetime
    """By the recorder's clock."""
    duration_s: float | None
    sample_rate_hz: int | None
    channels: int | None
    calls: int | None
    warnings: list[str]


@dataclass(frozen=True)
class StoredSpectrogram:
    """Where the spectrogram of a call is stored, and what it shows."""

    bucket: str
    key: str
    sha256: str
    size: int
    start_s: float
    """In seconds from the start of the recording."""
    end_s: float
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class SoundDetail:
    """Everything about one call."""

    call: SoundCall
    recording: StoredRecording
    calls: tuple[SoundCall, ...]
    """Those of the same recording in the order of their starts, this one included."""
    spectrogram: StoredSpectrogram | None
    voice: bool
    """Whether any model version heard a person in the same part of the recording."""
    threshold: float | None
    rank: str | None
    windows: int
    model: str
    label_set: str
    rule: str
    settings: str
