"""Events about bursts. A burst is the frames of one trigger of one camera, with one verdict on all of them."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, LocalTime, Name, UtcTime, WireModel
from uncia.events.detections import BoxSource, DetectionCategory
from uncia.events.images import ClassScore, Rejection, Trigger
from uncia.events.values import Box


class BurstCategory(StrEnum):
    """What a burst or a frame shows; `blank`: no animal, person or vehicle."""

    ANIMAL = "animal"
    PERSON = "person"
    VEHICLE = "vehicle"
    BLANK = "blank"


class BurstStatus(StrEnum):
    """State of a verdict. `superseded` is the last state of a burst id; `superseded_by` names its successor, if any."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVISED = "revised"
    SUPERSEDED = "superseded"


class CloseReason(StrEnum):
    """Why the burst closed: all frames of its sequence arrived, later frames arrived, or none for a while (`idle`)."""

    SEQUENCE = "sequence"
    WATERMARK = "watermark"
    IDLE = "idle"


class JoinReason(StrEnum):
    """Rule that put a frame into its burst. Depends on the frames only, not on their order of arrival."""

    FIRST = "first"
    SEQUENCE = "sequence"
    GAP = "gap"


class FrameBox(WireModel):
    """One detection in a frame of a burst, or a box made where the animal is and no detector found it."""

    category: DetectionCategory
    score: float = Field(
        ge=0, le=1, description="the detector's score; not a probability; 0 where the box was made without the detector"
    )
    box: Box
    source: BoxSource | None = Field(
        default=None,
        description="what the box was made of where no detector found it: `movement`, or `dense` for the window in "
        "which a focus taxon scored best",
    )
    best: bool | None = Field(
        default=None, description="true: the box of choice: where the animal of this frame most probably is"
    )
    static: bool | None = Field(
        default=None, description="true: the same box was found in many bursts of this camera: it counts as background"
    )
    second_look: bool | None = Field(
        default=None,
        description="true: only the second look found it, and its score is lowered: several detections of a photograph "
        "find more by chance than one",
    )


class BurstFrame(WireModel):
    """One frame of the burst; frames are listed in order of capture."""

    image_id: str
    upload_id: str
    key: str
    bucket: str
    captured_at: LocalTime
    sequence: int | None = None
    joined: JoinReason | None = Field(
        default=None, description="rule that joined it to the frames before it; `first` for the earliest frame"
    )
    uploaded_at: UtcTime
    predicted_at: UtcTime
    top: ClassScore | None = Field(default=None, description="class with the highest score in this frame")
    rejection: Rejection | None = None
    deciding: bool = Field(default=False, description="the verdict is based on this frame")
    box: Box | None = Field(
        default=None, description="window with the highest score of the verdict's class in this frame"
    )
    score: float | None = Field(default=None, description="score of the verdict's class in that window")
    category: BurstCategory | None = Field(default=None, description="what this frame shows by itself")
    animal_probability: float | None = Field(
        default=None, ge=0, le=1, description="calibrated probability that an animal is in this frame"
    )
    boxes: tuple[FrameBox, ...] | None = Field(
        default=None,
        max_length=100,
        description="the detections, best first, and last a box with a `source`, where the animal is without a "
        "detection; None where no detector is installed",
    )
    second_look: str | None = Field(
        default=None,
        description="the rule of the second look at this frame, e.g. `tiles-2x2/1`, which may have raised scores of "
        "`boxes`; None: it had none",
    )


class CropReference(WireModel):
    """A box whose crop represents the burst."""

    image_id: str
    box: Box
    category: DetectionCategory
    score: float = Field(ge=0, le=1)
    source: BoxSource | None = Field(default=None, description="as in `boxes`")


class TaxonVerdict(WireModel):
    """One taxon in the burst, with its combined score over all frames."""

    taxon: str
    label: str
    group: str
    rank: str | None = Field(
        default=None, description="taxonomic rank: `species`, `genus`, `family`, `order`, `class`, ...; None: unknown"
    )
    score: float = Field(ge=0, le=1)
    confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="calibrated probability that the taxon is present; absent without a calibration",
    )
    threshold: float | None = Field(default=None, description="calibrated threshold that was applied; focus taxa only")
    certain: bool = Field(description="false: below the calibrated threshold, or there is none")
    focus: bool = False


MAX_FURTHER = 100


class FurtherObservation(WireModel):
    """What a review saw beside its main observation, once for each taxon."""

    category: BurstCategory
    taxon: Name | None = None
    label: Name | None = None


class BurstReview(WireModel):
    """The review of a burst that counts. `camera.observation.reviewed.v1` has all of it, and all earlier ones."""

    review_id: str
    reviewer: str
    decision: str = Field(description="`confirm`, `correct`, `blank` or `unknown`")
    category: BurstCategory | None = Field(default=None, description="None: `blank` or `unknown`")
    taxon: str | None = None
    label: str | None = None
    rank: str | None = None
    count: PositiveInt | None = None
    further: tuple[FurtherObservation, ...] | None = Field(
        default=None,
        max_length=MAX_FURTHER,
        description="its other observations; `category` to `count` are those of the first; None: no other",
    )
    reviewed_at: UtcTime


class BurstResolved(Event):
    """The verdict on one burst. Key: `burst_id`; partition: its camera's. Consumers keep the highest `revision`."""

    topic: ClassVar[str] = "camera.burst.resolved.v1"

    burst_id: str
    revision: PositiveInt = Field(description="increases with every event of this burst id")
    status: BurstStatus
    station: str
    camera: str
    trigger: Trigger
    started_at: LocalTime = Field(description="capture time of the earliest frame, by the camera's clock")
    ended_at: LocalTime
    frames: BoundedTuple[BurstFrame] = ()
    frames_left_out: PositiveInt | None = Field(
        default=None,
        description="number of frames of the burst that are not in `frames`, because the event would be too large",
    )
    expected_frames: int | None = Field(default=None, description="m of `n of m`, when the camera records it")
    unreadable: NonNegativeInt = Field(default=0, description="number of rejected frames")
    category: BurstCategory | None = Field(
        default=None, description="None: no frame could be read, or no detector is installed"
    )
    animal_probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="probability that an animal is in the burst, calibrated on bursts; None without a calibration",
    )
    count: PositiveInt | None = Field(
        default=None, description="most individuals of the category that are in one frame; None for a blank"
    )
    best_crop: CropReference | None = Field(default=None, description="the crop that represents the burst")
    crops_withheld: bool | None = Field(
        default=None,
        description="true: a person is in the burst, or may be, since the detector knows none; no crop of it is "
        "published",
    )
    fusion: str | None = Field(default=None, description="`name@digest` of the weights that decided the category")
    verdict: TaxonVerdict | None = Field(default=None, description="absent: no frame could be classified")
    taxa: BoundedTuple[TaxonVerdict] = Field(default=(), description="all taxa in the burst, the verdict first")
    review: BurstReview | None = Field(
        default=None,
        description="what a person decided; the other fields remain what the models see. None: not reviewed",
    )
    rule: str = Field(description="ensemble rule and its version, e.g. `log-odds/1`")
    models: tuple[str, ...] = Field(default=(), description="`name@version` of every model that classified a frame")
    settings: str = Field(description="digest of the burst settings")
    closed_by: CloseReason | None = None
    closed_at: UtcTime | None = Field(default=None, description="log time at which the burst closed")
    superseded_by: str | None = Field(
        default=None,
        description="id of the burst that now contains these frames; absent from a superseded burst whose photographs "
        "moved to another camera",
    )
    supersedes: tuple[str, ...] = ()
    split_from: str | None = Field(default=None, description="id of the burst that previously contained these frames")
    changes: tuple[str, ...] = Field(default=(), description="what the revision changed, as text")
    flags: tuple[str, ...] = Field(
        default=(),
        description="`mixed-models`, `two-cameras`, `late`, `clock-jump`, and flags of later stages, "
        "e.g. a static object",
    )

    @property
    def frame_count(self) -> int:
        """Number of frames of the burst, including those that are not listed."""
        return len(self.frames) + (self.frames_left_out or 0)

    def truncated_to(self, most_bytes: int) -> "BurstResolved":
        """Return the event in at most `most_bytes` bytes, omitting as many frames as necessary.

        Deciding frames have priority, then the first and the last, then the others in order of capture. The result
        depends on the event only.
        """
        if len(self.to_bytes()) <= most_bytes:
            return self
        sizes = [len(frame.model_dump_json().encode()) + 1 for frame in self.frames]
        last = len(self.frames) - 1
        order = sorted(range(len(self.frames)), key=lambda at: (not self.frames[at].deciding, at not in (0, last), at))
        room = most_bytes - len(self._listing(()).to_bytes())
        listed: set[int] = set()
        for at in order:
            if sizes[at] <= room:
                room -= sizes[at]
                listed.add(at)
        return self._listing(tuple(frame for at, frame in enumerate(self.frames) if at in listed))

    def _listing(self, frames: tuple[BurstFrame, ...]) -> "BurstResolved":
        left_out = self.frame_count - len(frames)
        return self.model_copy(update={"frames": frames, "frames_left_out": left_out or None})


class FrameLate(Event):
    """A frame that arrived after the allowed lateness of its burst, and became a burst of its own. Key: `camera`."""

    topic: ClassVar[str] = "camera.frame.late.v1"

    image_id: str
    upload_id: str
    station: str
    camera: str
    captured_at: LocalTime = Field(description="by the camera's clock")
    arrived_at: UtcTime = Field(description="log time of the frame's prediction")
    missed_burst_id: str = Field(
        description="id of the burst that includes its capture time but can no longer be revised"
    )
    late_s: float = Field(ge=0, description="seconds of log time since that burst closed")
    burst_id: str = Field(description="id of the burst that contains the frame")
