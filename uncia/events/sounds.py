"""Events about sound recordings: a call was heard, and a recording was analysed.

They are topics of their own. Every consumer of `camera.burst.resolved.v1` reads the frames of a burst as photographs
(it cuts crops, detects again, explains, compares positions in the picture): a recording there would be a photograph
that cannot be read. The verdict on a call is the same type as that on a burst.
"""

from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from uncia.events.base import BoundedTuple, Event, FreeText, LocalTime, Name, UtcTime, WireModel
from uncia.events.bursts import BurstCategory, TaxonVerdict
from uncia.events.images import Lane, Rejection


class Spectrogram(WireModel):
    """The stored spectrogram of the window on which the verdict on a call is based."""

    bucket: Name
    key: Name = Field(description="object key of the PNG, below `spectrograms/`")
    sha256: Name
    size: PositiveInt = Field(description="bytes")
    start_s: float = Field(ge=0, description="start of what it shows, in seconds from the start of the recording")
    end_s: float = Field(ge=0)
    low_hz: float = Field(ge=0, description="frequency at its lower edge; the scale is mel")
    high_hz: float = Field(gt=0)


class SoundHeard(Event):
    """One call in a recording: one taxon from start to end, without a longer silence. Key: `camera`.

    Calls of one taxon in one recording never overlap. The same recording, model version and settings give the same
    calls with the same ids, so that a repetition replaces itself.
    """

    topic: ClassVar[str] = "camera.sound.heard.v1"

    call_id: Name = Field(description="derived from the recording, the model version, the settings, class and start")
    recording_id: Name
    upload_id: Name
    station: Name
    camera: Name = Field(description="the recorder: `<station>/<camera>`")
    bucket: Name
    key: Name = Field(description="object key of the recording")
    start_s: float = Field(ge=0, description="in seconds from the start of the recording")
    end_s: float = Field(gt=0)
    started_at: LocalTime = Field(description="start of the call, by the recorder's clock")
    ended_at: LocalTime
    windows: PositiveInt = Field(description="number of windows in which it was heard")
    category: BurstCategory = Field(description="`animal`, `person` or `vehicle`")
    verdict: TaxonVerdict = Field(description="the taxon, with its highest score in any window")
    spectrogram: Spectrogram | None = Field(
        default=None, description="None: withheld, because a person was heard in the same window, or withdrawn"
    )
    rule: str = Field(description="how the verdict follows from the windows, e.g. `best-window/1`")
    model: Name = Field(description="`name@version`")
    label_set: Name
    settings: Name = Field(description="digest of the settings that the calls depend on")
    heard_at: UtcTime = Field(description="when the model answered, or the call was withdrawn")
    withdrawn: str | None = Field(
        default=None,
        description="None: heard; `image-forgotten`: its recording was removed by `uncia forget`, and the call with it",
    )


class RecordingAnalysed(Event):
    """The result of one uploaded recording, after all its calls: how much was heard, or a rejection. Key: `camera`.

    Every recording gets one, also where nothing was heard. The latest one of an object key says which model version and
    settings its calls now count from; those of an upload that was forgotten do not count.
    """

    topic: ClassVar[str] = "camera.recording.analysed.v1"

    recording_id: Name = Field(
        description="derived from recorder and content, or from the upload id when the content could not be read"
    )
    upload_id: Name
    station: Name
    camera: Name
    bucket: Name
    key: Name
    etag: Name
    version_id: Name | None = None
    size: NonNegativeInt
    sha256: Name | None = None
    uploaded_at: UtcTime
    analysed_at: UtcTime
    lane: Lane = Lane.LIVE
    recorded_at: LocalTime = Field(description="start of the recording, by the recorder's clock")
    time_origin: str = Field(description="source of `recorded_at`: `file-name`, `file-time`, `key` or `upload`")
    duration_s: float | None = Field(default=None, ge=0, description="seconds that were read; None: rejected")
    sample_rate_hz: PositiveInt | None = None
    channels: PositiveInt | None = Field(default=None, description="their mean is analysed")
    windows: NonNegativeInt | None = Field(
        default=None, description="windows that were classified; silent ones are not"
    )
    calls: NonNegativeInt | None = None
    model: Name | None = Field(default=None, description="`name@version`")
    settings: Name | None = None
    warnings: BoundedTuple[FreeText] = Field(default=(), description="irregularities, such as a truncated file")
    rejection: Rejection | None = Field(
        default=None,
        description="`recording-empty`, `recording-unreadable`, `recording-format`, `recording-parameters`, "
        "`recording-too-large`, `recording-not-finite`, `model-unsound`, or a reason of uploads such as "
        "`object-missing`; `image-forgotten` withdraws all earlier results and calls of the upload",
    )
