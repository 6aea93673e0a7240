"""The topics: name, event, key, partitioning and retention. Every topic is declared here, and nowhere else.

`uncia.topology` adds the parts that write and read them. Topic creation, `docs/events.md` and the AsyncAPI document are
generated from the two.
"""

from dataclasses import dataclass

from uncia.events import (
    BurstResolved,
    ClockJudged,
    ClockTicked,
    CropPublished,
    DeadLetterSettled,
    DeploymentChanged,
    Event,
    ExplanationRequested,
    FrameLate,
    ImageExplained,
    ImagePredicted,
    ImageUploaded,
    StaticObjectsChanged,
    StaticObjectsCleared,
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
    """Has the camera partition count and partitioner, so that all messages of a camera are in one partition."""
    broker_config: tuple[tuple[str, str], ...] = ()
    """Further topic settings, as Kafka names them."""

    def full_name(self, settings: Settings) -> str:
        """The name on the broker, namespace included."""
        return f"{settings.namespace}.{self.name}" if settings.namespace else self.name

    def config(self) -> dict[str, str]:
        """Topic settings as Kafka names them."""
        config = {"max.message.bytes": str(self.max_message_bytes)}
        if self.compacted:
            config["cleanup.policy"] = "compact"
        elif self.retention_days is None:
            config["retention.ms"] = "-1"
        else:
            config["retention.ms"] = str(self.retention_days * DAY_MS)
        return {**config, **dict(self.broker_config)}


LOG_TIME = (("message.timestamp.type", "LogAppendTime"),)
"""Messages carry the time at which the broker wrote them: one clock, rising along a partition. Bursts close by it."""


STORAGE_CHANGED = Topic(
    name="storage.object.changed",
    description="The object store's notifications, unchanged.",
    key="the object's path",
    format="SeaweedFS protobuf `filer_pb.EventNotification`, or an S3 event notification (JSON 2.1 to 2.6)",
    retention_days=30,
    max_message_bytes=4 * 1_048_576,
    co_partitioned=False,
)
IMAGE_UPLOADED = Topic(
    name=ImageUploaded.topic,
    description="One stored photograph of the live lane.",
    key="camera",
    event=ImageUploaded,
)
IMAGE_BACKFILLED = Topic(
    name="camera.image.backfilled.v1",
    description="One stored photograph that was taken long before it was uploaded: the same event as on "
    "`camera.image.uploaded.v1`, predicted with lower priority than live photographs.",
    key="camera",
    event=ImageUploaded,
)
IMAGE_PREDICTED = Topic(
    name=ImagePredicted.topic,
    description="The prediction of one photograph, or the reason of its rejection.",
    key="camera",
    event=ImagePredicted,
    broker_config=LOG_TIME,
)
BURST_RESOLVED = Topic(
    name=BurstResolved.topic,
    description="Provisional, final or revised verdict on one burst, with a rising revision.",
    key="burst id (in the partition of its camera)",
    event=BurstResolved,
    compacted=True,
)
FRAME_LATE = Topic(
    name=FrameLate.topic,
    description="A frame that came too late to revise the burst it belonged to; it is in a burst of its own.",
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
    description="The passage of time as an event, so that the closing of bursts can be replayed.",
    key="none (one per partition)",
    event=ClockTicked,
    retention_days=7,
    broker_config=LOG_TIME,
)
DEPLOYMENT_CHANGED = Topic(
    name=DeploymentChanged.topic,
    description="Where and when a camera is deployed, its UTC offset and its own settings. Holds exact positions: for "
    " internal readers only, never for the public.",
    key="`camera|deployment` (in the partition of its camera)",
    event=DeploymentChanged,
    compacted=True,
)
CLOCK_JUDGED = Topic(
    name=ClockJudged.topic,
    description="Whether a camera's clock can be trusted, and why not. Published again when that changes.",
    key="camera",
    event=ClockJudged,
    compacted=True,
)
DEAD_LETTER = Topic(
    name="uncia.dead-letter.v1",
    description="A message that can never be processed: its original bytes, key and headers, and why "
    "(`__connect.errors.*` headers, named as Kafka Connect does).",
    key="as the original",
    format="as the original",
    max_message_bytes=4 * 1_048_576,
    co_partitioned=False,
)
DEAD_LETTER_SETTLED = Topic(
    name=DeadLetterSettled.topic,
    description="What became of a dead letter: sent back, or dropped.",
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
"""A changelog is read from beginning to end at every start, and Kafka compacts closed segments only."""

CAMERA_STATE = Topic(
    name="uncia-bursts-cameras-changelog",
    description="State of the cameras: open bursts, unpublished results and seen images; the name is Faust's.",
    key="camera; or camera and burst id",
    format="records of `processors/bursts/state_store.py`",
    compacted=True,
    max_message_bytes=4 * 1_048_576,
    broker_config=_STATE_SEGMENTS,
)
CLOCK_STATE = Topic(
    name="uncia-clocks-clocks-changelog",
    description="Evidence about each camera's clock; the name is Faust's.",
    key="camera",
    format="records of `processors/clock_health/state_store.py`",
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
    STATIC_OBJECTS_CHANGED,
    STATIC_OBJECTS_CLEARED,
    CLOCK_TICKED,
    DEPLOYMENT_CHANGED,
    CLOCK_JUDGED,
    DEAD_LETTER,
    DEAD_LETTER_SETTLED,
)

UPLOAD_TOPICS: tuple[Topic, ...] = (IMAGE_UPLOADED, IMAGE_BACKFILLED)
"""Every upload is on one of these, by its lane. A consumer of all uploads reads both."""

CHANGELOGS: tuple[Topic, ...] = (CAMERA_STATE, CLOCK_STATE)
"""The state of a worker, which alone creates, reads and writes it. Not part of `TOPICS`: their
records may change with any version."""
