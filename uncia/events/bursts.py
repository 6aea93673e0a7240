"""Events about one burst: the frames that one trigger of one camera took, and what they show together."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, LocalTime, UtcTime, WireModel
from uncia.events.images import Box, ClassScore, Rejection, Trigger


class BurstStatus(StrEnum):
    """How settled a verdict is. `superseded` retires a burst id for good and names its successor, if it has one."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVISED = "revised"
    SUPERSEDED = "superseded"


class CloseReason(StrEnum):
    """What ended the burst."""

    SEQUENCE = "sequence"
    WATERMARK = "watermark"
    IDLE = "idle"


class JoinReason(StrEnum):
    """Why a frame is in its burst: a function of the frames alone, not of their arrival."""

    FIRST = "first"
    SEQUENCE = "sequence"
    GAP = "gap"


class BurstFrame(WireModel):
    """One frame of the burst, in the order of capture."""

    image_id: str
    upload_id: str
    key: str
    bucket: str
    captured_at: LocalTime
    sequence: int | None = None
    joined: JoinReason | None = Field(
        default=None, description="why it belongs to the same burst as the frames before it; `first` for the earliest"
    )
    uploaded_at: UtcTime
    predicted_at: UtcTime
    top: ClassScore | None = Field(default=None, description="the frame's best class")
    rejection: Rejection | None = None
    deciding: bool = Field(default=False, description="the verdict is based on this frame")
    box: Box | None = Field(default=None, description="where the verdict's class has its highest score in this frame")
    score: float | None = Field(default=None, description="the verdict's class in this frame, best window")


class TaxonVerdict(WireModel):
    """A taxon that the burst shows, with its combined score."""

    taxon: str
    label: str
    group: str
    score: float = Field(ge=0, le=1)
    confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="calibrated probability that the taxon is present; None without a calibration",
    )
    threshold: float | None = Field(default=None, description="the calibrated threshold that decided; focus taxa only")
    certain: bool = Field(description="False: uncertain, below the calibrated threshold or without one")
    focus: bool = False


class BurstResolved(Event):
    """The verdict on one burst. Key: `burst_id`; partition: its camera's. Readers keep the highest `revision`."""

    topic: ClassVar[str] = "camera.burst.resolved.v1"

    burst_id: str
    revision: PositiveInt = Field(description="rises with every event of this burst id")
    status: BurstStatus
    station: str
    camera: str
    trigger: Trigger
    started_at: LocalTime = Field(description="capture time of the earliest frame, by the camera's clock")
    ended_at: LocalTime
    frames: BoundedTuple[BurstFrame] = ()
    frames_left_out: PositiveInt | None = Field(
        default=None, description="number of further frames of the burst, left out because the event would be too large"
    )
    expected_frames: int | None = Field(default=None, description="m of `n of m`, where the camera numbers its frames")
    unreadable: NonNegativeInt = Field(default=0, description="how many of the frames were rejected")
    verdict: TaxonVerdict | None = Field(default=None, description="None: no frame could be classified")
    taxa: BoundedTuple[TaxonVerdict] = Field(
        default=(), description="every taxon found in the burst, the verdict first"
    )
    rule: str = Field(description="the ensemble rule and its version, e.g. `log-odds/1`")
    models: tuple[str, ...] = Field(default=(), description="`name@version` of every model that made a prediction")
    settings: str = Field(description="digest of the burst settings")
    closed_by: CloseReason | None = None
    closed_at: UtcTime | None = Field(default=None, description="log time at which the burst was closed")
    superseded_by: str | None = Field(
        default=None,
        description="the burst id that holds these frames now; None in a superseded burst whose photographs "
        "belong to another camera now",
    )
    supersedes: tuple[str, ...] = ()
    split_from: str | None = Field(default=None, description="the burst that these frames were a part of")
    changes: tuple[str, ...] = Field(default=(), description="what a revision changed, in words")
    flags: tuple[str, ...] = Field(
        default=(),
        description="`mixed-models`, `two-cameras`, `late`, `clock-jump`, and marks of later stages, "
        "e.g. a static object",
    )

    @property
    def frame_count(self) -> int:
        """All frames of the burst, listed or not."""
        return len(self.frames) + (self.frames_left_out or 0)

    def truncated_to(self, most_bytes: int) -> "BurstResolved":
        """The same in at most so many bytes, frames left out where it has to be.

        The deciding frames are listed first of all, then the first and the last, then the others in order of capture.
        A function of the event alone.
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
    """A frame came after its burst could still be revised. Key: `camera`. It is in a burst of its own now."""

    topic: ClassVar[str] = "camera.frame.late.v1"

    image_id: str
    upload_id: str
    station: str
    camera: str
    captured_at: LocalTime = Field(description="by the camera's clock")
    arrived_at: UtcTime = Field(description="log time at which it was read")
    missed_burst_id: str = Field(description="the burst that spans its capture time and is past revising")
    late_s: float = Field(ge=0, description="seconds of log time since that burst closed")
    burst_id: str = Field(description="the burst that contains it now")
