"""The topics: name, event, key, partitioning and retention. Every topic is declared here and only here.

`uncia.topology` lists the parts that write and read them. Topic creation, `docs/events.md` and the AsyncAPI document
are derived from the two.
"""

from dataclasses import dataclass

from uncia.events import (
    AlertHandled,
    AlertRaised,
    BurstResolved,
    ClockJudged,
    ClockTicked,
    CropPublished,
    DeadLetterSettled,
    DeploymentChanged,
    Event,
    ExplanationRequested,
    FetchRequested,
    FrameLate,
    HarvestHostPaused,
    HarvestPictureFetched,
    HarvestPictureRequested,
    ImageExplained,
    ImagePredicted,
    ImageUploaded,
    IndividualDecided,
    IndividualSighted,
    ObservationReviewed,
    PublicBurstResolved,
    RecordingAnalysed,
    SecondLookCompleted,
    SecondLookRequested,
    SoundHeard,
    StaticObjectsChanged,
    StaticObjectsCleared,
    StatusReported,
)
from uncia.settings import Settings

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Topic:
    """One topic: its content, key, retention and broker settings. `uncia.topology` lists who writes and reads it."""

    name: str
    description: str
    key: str
    event: type[Event] | None = None
    format: str = "JSON"
    retention_days: int | None = 365
    compacted: bool = False
    max_message_bytes: int = 1_048_576
    co_partitioned: bool = True
    """Whether it has `UNCIA_PARTITIONS` partitions and is partitioned by camera: a camera then has the same partition
    number on all such topics."""
    broker_config: tuple[tuple[str, str], ...] = ()
    """Additional topic configuration, with Kafka's names."""

    def full_name(self, settings: Settings) -> str:
        """Return the name on the broker, including the namespace."""
        return f"{settings.namespace}.{self.name}" if settings.namespace else self.name

    def config(self) -> dict[str, str]:
        """Return the topic configuration, with Kafka's names."""
        config = {"max.message.bytes": str(self.max_message_bytes)}
        if self.compacted:
            config["cleanup.policy"] = "compact"
        elif self.retention_days is None:
            config["retention.ms"] = "-1"
        else:
            config["retention.ms"] = str(self.retention_days * DAY_MS)
        return {**config, **dict(self.broker_config)}


_LOG_TIME = (("message.timestamp.type", "LogAppendTime"),)
"""Timestamps are those of the broker, not of the producer: they never decrease in a partition. Bursts close by them."""


STORAGE_CHANGED = Topic(
    name="storage.object.changed",
    description="Notifications of the object store, unmodified.",
    key="the object's path",
    format="SeaweedFS protobuf `filer_pb.EventNotification`, or an S3 event notification (JSON 2.1 to 2.6)",
    retention_days=30,
    max_message_bytes=4 * 1_048_576,
    co_partitioned=False,
)
IMAGE_UPLOADED = Topic(
    name=ImageUploaded.topic,
    description="A stored photograph of the live lane.",
    key="camera",
    event=ImageUploaded,
)
IMAGE_BACKFILLED = Topic(
    name="camera.image.backfilled.v1",
    description="A stored photograph that was taken long before its upload. The event is the same as on "
    "`camera.image.uploaded.v1`; the photograph is predicted with lower priority than live ones.",
    key="camera",
    event=ImageUploaded,
)
IMAGE_PREDICTED = Topic(
    name=ImagePredicted.topic,
    description="The prediction of a photograph, or the reason for its rejection.",
    key="camera",
    event=ImagePredicted,
    broker_config=_LOG_TIME,
)
BURST_RESOLVED = Topic(
    name=BurstResolved.topic,
    description="Provisional, final or revised verdict on a burst, with an increasing revision.",
    key="burst id (in the partition of its camera)",
    event=BurstResolved,
    compacted=True,
)
FRAME_LATE = Topic(
    name=FrameLate.topic,
    description="A frame that arrived too late to revise its burst and became a burst of its own.",
    key="camera",
    event=FrameLate,
)
CROP_PUBLISHED = Topic(
    name=CropPublished.topic,
    description="A crop of a detection was stored, or withdrawn.",
    key="camera",
    event=CropPublished,
)
EXPLANATION_REQUESTED = Topic(
    name=ExplanationRequested.topic,
    description="A photograph whose prediction is to be explained.",
    key="camera",
    event=ExplanationRequested,
    retention_days=30,
)
IMAGE_EXPLAINED = Topic(
    name=ImageExplained.topic,
    description="Which parts of a photograph led to a class score: heat map and boxes.",
    key="camera",
    event=ImageExplained,
)
FETCH_REQUESTED = Topic(
    name=FetchRequested.topic,
    description="A whole photograph that a gateway behind a thin link holds is to be sent.",
    key="camera",
    event=FetchRequested,
    retention_days=30,
)
OBSERVATION_REVIEWED = Topic(
    name=ObservationReviewed.topic,
    description="A person's decision on a burst: confirmed, corrected, blank, marked, or undone.",
    key="burst id (in the partition of its camera)",
    event=ObservationReviewed,
    retention_days=None,
)
SECOND_LOOK_REQUESTED = Topic(
    name=SecondLookRequested.topic,
    description="Frames of an inconclusive burst that are to be detected again, in tiles.",
    key="camera",
    event=SecondLookRequested,
    retention_days=30,
)
SECOND_LOOK_COMPLETED = Topic(
    name=SecondLookCompleted.topic,
    description="What the second look at a burst found.",
    key="camera",
    event=SecondLookCompleted,
    broker_config=_LOG_TIME,
)
STATIC_OBJECTS_CHANGED = Topic(
    name=StaticObjectsChanged.topic,
    description="The places of a camera where boxes count as background. Published again when they change.",
    key="camera",
    event=StaticObjectsChanged,
    compacted=True,
)
STATIC_OBJECTS_CLEARED = Topic(
    name=StaticObjectsCleared.topic,
    description="An order to forget the static objects of a camera.",
    key="camera",
    event=StaticObjectsCleared,
)
CLOCK_TICKED = Topic(
    name=ClockTicked.topic,
    description="The progress of log time, so that bursts close in the same way when the log is replayed.",
    key="none (one tick per partition)",
    event=ClockTicked,
    retention_days=7,
    broker_config=_LOG_TIME,
)
DEPLOYMENT_CHANGED = Topic(
    name=DeploymentChanged.topic,
    description="A deployment of a camera: position, period, UTC offset and settings. Contains exact positions: for "
    "internal consumers only.",
    key="`camera|deployment` (in the partition of its camera)",
    event=DeploymentChanged,
    compacted=True,
)
CLOCK_JUDGED = Topic(
    name=ClockJudged.topic,
    description="Assessment of a camera's clock, with reasons. Published again when it changes.",
    key="camera",
    event=ClockJudged,
    compacted=True,
)
ALERT_RAISED = Topic(
    name=AlertRaised.topic,
    description="An alert was raised, updated or withdrawn, by the rules of the team. Contains no position.",
    key="alert id (in the partition of its camera)",
    event=AlertRaised,
    compacted=True,
)
ALERT_HANDLED = Topic(
    name=AlertHandled.topic,
    description="A person acknowledged an alert, muted a rule or a camera, or took either back.",
    key="alert id, or `mute|rule|camera` (in the partition of its camera; of a rule everywhere, by the key)",
    event=AlertHandled,
    retention_days=None,
)
INDIVIDUAL_SIGHTED = Topic(
    name=IndividualSighted.topic,
    description="Which known individuals a burst may show, or shows as a person decided. Internal.",
    key="burst id (in the partition of its camera)",
    event=IndividualSighted,
    compacted=True,
)
INDIVIDUAL_DECIDED = Topic(
    name=IndividualDecided.topic,
    description="A person's decision about individuals: same, new, unsure, rejected, merged, linked, split, renamed, "
    "undone. The registry of individuals is a fold of this topic. Internal.",
    key="burst id (in the partition of its camera), or individual id (by the key)",
    event=IndividualDecided,
    retention_days=None,
)
SOUND_HEARD = Topic(
    name=SoundHeard.topic,
    description="A call in a sound recording: taxon, score, start and end in seconds. Its recording's "
    "`camera.recording.analysed.v1` follows.",
    key="camera",
    event=SoundHeard,
)
RECORDING_ANALYSED = Topic(
    name=RecordingAnalysed.topic,
    description="The result of one sound recording, after its calls: how much was heard, or the reason for its "
    "rejection.",
    key="camera",
    event=RecordingAnalysed,
)
PUBLIC_BURST_RESOLVED = Topic(
    name=PublicBurstResolved.topic,
    description="An animal was photographed, as coarsely as its sensitivity demands, and without its camera.",
    key="public id (random; all in partition 0)",
    event=PublicBurstResolved,
    compacted=True,
    co_partitioned=False,
)
HARVEST_PICTURE_REQUESTED = Topic(
    name=HarvestPictureRequested.topic,
    description="A picture of a public source that a worker is to download for a harvest.",
    key="host of the URL",
    event=HarvestPictureRequested,
    retention_days=7,
    co_partitioned=False,
)
HARVEST_PICTURE_FETCHED = Topic(
    name=HarvestPictureFetched.topic,
    description="A picture was downloaded for a harvest, or could not be.",
    key="harvest id",
    event=HarvestPictureFetched,
    retention_days=7,
    co_partitioned=False,
)
HARVEST_HOST_PAUSED = Topic(
    name=HarvestHostPaused.topic,
    description="A host of pictures is to be left alone until a time, by every worker.",
    key="host",
    event=HarvestHostPaused,
    retention_days=7,
    co_partitioned=False,
)
STATUS_REPORTED = Topic(
    name=StatusReported.topic,
    description="A report of a cellular camera about its battery, signal, card or temperature.",
    key="camera",
    event=StatusReported,
)
DEAD_LETTER = Topic(
    name="uncia.dead-letter.v1",
    description="A message that can never be processed, with its original bytes, key and headers. `__connect.errors.*` "
    "headers contain the reason, named as in Kafka Connect.",
    key="that of the original message",
    format="that of the original message",
    max_message_bytes=4 * 1_048_576,
    co_partitioned=False,
)
DEAD_LETTER_SETTLED = Topic(
    name=DeadLetterSettled.topic,
    description="A dead letter was retried or dropped.",
    key="the dead letter's `<partition>:<offset>`",
    event=DeadLetterSettled,
    compacted=True,
    co_partitioned=False,
)

_STATE_SEGMENTS = (
    ("segment.bytes", str(16 * 1_048_576)),
    ("segment.ms", "600000"),
    ("min.cleanable.dirty.ratio", "0.1"),
)
"""Small segments: a worker reads its whole changelog at every start, and Kafka compacts only closed segments."""

CAMERA_STATE = Topic(
    name="uncia-bursts-cameras-changelog",
    description="State of each camera: open bursts, unpublished results and seen images. Faust determines the name.",
    key="camera; or camera and burst id",
    format="records of `processors/bursts/state_store.py`",
    compacted=True,
    max_message_bytes=4 * 1_048_576,
    broker_config=_STATE_SEGMENTS,
)
CLOCK_STATE = Topic(
    name="uncia-clocks-clocks-changelog",
    description="Evidence about each camera's clock. Faust determines the name.",
    key="camera",
    format="records of `processors/clock_health/state_store.py`",
    compacted=True,
    broker_config=_STATE_SEGMENTS,
)
ALERT_STATE = Topic(
    name="uncia-alerts-alerts-changelog",
    description="The alerts of each camera that can still change. Faust determines the name.",
    key="camera",
    format="records of `processors/alerts/state_store.py`",
    compacted=True,
    broker_config=_STATE_SEGMENTS,
)
REDACT_STATE = Topic(
    name="uncia-redact-published-changelog",
    description="Which burst has which public id, and when it is published. Faust determines the name.",
    key="burst id (in the partition of its camera)",
    format="records of `processors/redact/state_store.py`",
    compacted=True,
    broker_config=_STATE_SEGMENTS,
)

IDENTIFY_STATE = Topic(
    name="uncia-identify-sightings-changelog",
    description="The sightings of individuals as last published, and what is to be matched. Faust determines the name.",
    key="burst id (in the partition of its camera)",
    format="records of `processors/identify/state_store.py`",
    compacted=True,
    broker_config=_STATE_SEGMENTS,
)

TOPICS: tuple[Topic, ...] = (
    STORAGE_CHANGED,
    IMAGE_UPLOADED,
    IMAGE_BACKFILLED,
    IMAGE_PREDICTED,
    BURST_RESOLVED,
    FRAME_LATE,
    CROP_PUBLISHED,
    EXPLANATION_REQUESTED,
    IMAGE_EXPLAINED,
    FETCH_REQUESTED,
    OBSERVATION_REVIEWED,
    SECOND_LOOK_REQUESTED,
    SECOND_LOOK_COMPLETED,
    STATIC_OBJECTS_CHANGED,
    STATIC_OBJECTS_CLEARED,
    CLOCK_TICKED,
    DEPLOYMENT_CHANGED,
    CLOCK_JUDGED,
    ALERT_RAISED,
    ALERT_HANDLED,
    INDIVIDUAL_SIGHTED,
    INDIVIDUAL_DECIDED,
    SOUND_HEARD,
    RECORDING_ANALYSED,
    PUBLIC_BURST_RESOLVED,
    STATUS_REPORTED,
    HARVEST_PICTURE_REQUESTED,
    HARVEST_PICTURE_FETCHED,
    HARVEST_HOST_PAUSED,
    DEAD_LETTER,
    DEAD_LETTER_SETTLED,
)

UPLOAD_TOPICS: tuple[Topic, ...] = (IMAGE_UPLOADED, IMAGE_BACKFILLED)
"""The topics of the two lanes. A consumer of all uploads reads both."""

CHANGELOGS: tuple[Topic, ...] = (CAMERA_STATE, IDENTIFY_STATE, CLOCK_STATE, ALERT_STATE, REDACT_STATE)
"""The changelogs of workers. Only the owning worker creates, reads and writes each. Not part of `TOPICS`, because their
format can change with any version."""
