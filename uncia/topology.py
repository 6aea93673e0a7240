"""The data flow as one table: every part of the system, the topics that it reads and writes, and what it needs to run.

A part is a worker (one Faust process and one consumer group), a service, a command, or an external system: the object
store and the subscribers. The worker loader, the embedded supervisor, `uncia status`, `uncia topics list`,
`docs/events.md`, `docs/topology.md` and the AsyncAPI document are derived from `PARTS`; there is no other list of
workers or of their topics.

The rows are enforced: `processors/faust_runtime` raises `TopologyError` when a worker subscribes to or writes a topic
that its row does not list, and a test compares each worker's row with the topics that its code uses.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from uncia.access import READ_ALL, BrokerRight, StoreAction, StoreRight, TritonRight
from uncia.errors import UnciaError
from uncia.storage.object_keys import (
    CROPS_PREFIX,
    EXPLANATIONS_PREFIX,
    FETCH_PREFIX,
    HARVEST_PREFIX,
    INDIVIDUALS_PREFIX,
    SPECTROGRAMS_PREFIX,
)
from uncia.topics import (
    ALERT_HANDLED,
    ALERT_RAISED,
    ALERT_STATE,
    BURST_RESOLVED,
    CAMERA_STATE,
    CLOCK_JUDGED,
    CLOCK_STATE,
    CLOCK_TICKED,
    CROP_PUBLISHED,
    DEAD_LETTER,
    DEAD_LETTER_SETTLED,
    DEPLOYMENT_CHANGED,
    EXPLANATION_REQUESTED,
    FETCH_REQUESTED,
    FRAME_LATE,
    HARVEST_HOST_PAUSED,
    HARVEST_PICTURE_FETCHED,
    HARVEST_PICTURE_REQUESTED,
    IDENTIFY_STATE,
    IMAGE_BACKFILLED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    INDIVIDUAL_DECIDED,
    INDIVIDUAL_SIGHTED,
    OBSERVATION_REVIEWED,
    PUBLIC_BURST_RESOLVED,
    RECORDING_ANALYSED,
    REDACT_STATE,
    SECOND_LOOK_COMPLETED,
    SECOND_LOOK_REQUESTED,
    SOUND_HEARD,
    STATIC_OBJECTS_CHANGED,
    STATIC_OBJECTS_CLEARED,
    STATUS_REPORTED,
    STORAGE_CHANGED,
    UPLOAD_TOPICS,
    Topic,
)


class TopologyError(UnciaError):
    """A worker used a topic that its row of the topology does not list."""


class Kind(StrEnum):
    """Kinds of parts."""

    WORKER = "worker"
    """A Faust process with its own consumer group, started by `uncia worker NAME`."""
    SERVICE = "service"
    """A long-running command. Without Faust; its group, if it has one, only shows its lag."""
    COMMAND = "command"
    """A command that a person runs."""
    EXTERNAL = "external"
    """Another system."""


@dataclass(frozen=True)
class Part:
    """One row: a part of the system and its topics."""

    name: str
    kind: Kind
    description: str
    reads: tuple[Topic, ...] = ()
    """Topics that it consumes. A worker commits offsets in its consumer group, so that it has a lag; so does a service
    with such topics, which keeps the offsets that count elsewhere."""
    follows: tuple[Topic, ...] = ()
    """Topics that it reads from the beginning and continuously, without a group: reference data, without a lag."""
    writes: tuple[Topic, ...] = ()
    changelogs: tuple[Topic, ...] = ()
    """Topics with its state, which only this part creates, writes and reads."""
    module: str = ""
    """The module with `create(settings)`; workers only."""
    needs: tuple[str, ...] = ()
    """Parts of the embedded stack that must be ready before it starts."""
    embedded: bool = False
    """True when `uncia up` starts it."""
    wanted_by: str = ""
    """Name of the setting without which `uncia up` does not start it; empty: it always does."""
    scales: str = ""
    """Maximum number of processes, as text."""
    extra: str = ""
    """The package extra that it needs; empty when the base package suffices."""
    store: tuple[StoreRight, ...] = ()
    """What it may do in the object store; empty for a part without access."""
    triton: tuple[TritonRight, ...] = ()
    """What it may do at Triton."""
    broker: tuple[BrokerRight, ...] = ()
    """What it may do at the broker beyond its topics and its group."""
    acts_for: tuple[str, ...] = ()
    """Commands that it carries out for a person, with the topics and rights of their rows."""

    @property
    def inputs(self) -> tuple[Topic, ...]:
        """All topics that it reads, without its changelogs."""
        return self.reads + self.follows

    @property
    def display_name(self) -> str:
        """The name for tables; commands with `uncia`."""
        return f"`uncia {self.name}`" if self.kind in (Kind.COMMAND, Kind.SERVICE) else self.name

    @property
    def group(self) -> str:
        """The consumer group, without the namespace; empty for a part that has none."""
        has_group = self.kind is Kind.WORKER or (self.kind is Kind.SERVICE and self.reads)
        return f"uncia-{self.name}" if has_group else ""


_INFERENCE = (TritonRight.INFERENCE,)
_BOTH = (TritonRight.INFERENCE, TritonRight.CONTROL)


def _owns(prefix: str) -> tuple[StoreRight, ...]:
    """Store and delete objects below a prefix, in addition to reading everything."""
    return (*READ_ALL, StoreRight(StoreAction.WRITE, prefix), StoreRight(StoreAction.DELETE, prefix))


_BY_PARTITIONS = "one process per partition of the camera topics (UNCIA_PARTITIONS)"

PARTS: tuple[Part, ...] = (
    Part(
        "object store",
        Kind.EXTERNAL,
        "Stores the uploads and publishes a notification of each.",
        writes=(STORAGE_CHANGED,),
    ),
    Part(
        "intake",
        Kind.WORKER,
        "Converts the store's notifications into uploads of cameras, live or backfill, and into status reports.",
        reads=(STORAGE_CHANGED,),
        writes=(IMAGE_UPLOADED, IMAGE_BACKFILLED, STATUS_REPORTED, DEAD_LETTER),
        module="uncia.processors.intake.worker",
        needs=("kafka", "seaweedfs"),
        embedded=True,
        scales="one process per partition of the notification topic",
        extra="processors",
        store=READ_ALL,
    ),
    Part(
        "predict",
        Kind.WORKER,
        "Predicts or rejects every live upload.",
        reads=(IMAGE_UPLOADED,),
        writes=(IMAGE_PREDICTED, DEAD_LETTER),
        module="uncia.processors.predict.worker",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
        store=READ_ALL,
        triton=_INFERENCE,
    ),
    Part(
        "predict-backfill",
        Kind.WORKER,
        "Predicts or rejects every backfill upload, with lower priority than live ones.",
        reads=(IMAGE_BACKFILLED,),
        writes=(IMAGE_PREDICTED, DEAD_LETTER),
        module="uncia.processors.predict.backfill",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
        store=READ_ALL,
        triton=_INFERENCE,
    ),
    Part(
        "predict-shadow",
        Kind.WORKER,
        "Predicts or rejects all uploads with another model version, in the namespace of that version.",
        reads=UPLOAD_TOPICS,
        writes=(IMAGE_PREDICTED, DEAD_LETTER),
        module="uncia.processors.predict.shadow",
        needs=("kafka", "seaweedfs", "triton"),
        scales=_BY_PARTITIONS,
        extra="processors",
        store=READ_ALL,
        triton=_INFERENCE,
    ),
    Part(
        "bursts",
        Kind.WORKER,
        "Groups predictions into bursts and publishes the verdict on each.",
        reads=(IMAGE_PREDICTED, SECOND_LOOK_COMPLETED, STATIC_OBJECTS_CLEARED, OBSERVATION_REVIEWED, CLOCK_TICKED),
        follows=(DEPLOYMENT_CHANGED,),
        writes=(BURST_RESOLVED, FRAME_LATE, STATIC_OBJECTS_CHANGED, CLOCK_TICKED, DEAD_LETTER),
        changelogs=(CAMERA_STATE,),
        module="uncia.processors.bursts.worker",
        needs=("kafka",),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
    ),
    Part(
        "crops",
        Kind.WORKER,
        "Cuts the animals out of settled bursts; withdraws crops when a person is found in the burst.",
        reads=(BURST_RESOLVED,),
        writes=(CROP_PUBLISHED,),
        module="uncia.processors.crops.worker",
        needs=("kafka", "seaweedfs"),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
        store=_owns(CROPS_PREFIX),
    ),
    Part(
        "identify",
        Kind.WORKER,
        "Proposes which known individual a burst of a marked taxon shows, and publishes what people decided.",
        reads=(BURST_RESOLVED, CROP_PUBLISHED),
        follows=(DEPLOYMENT_CHANGED, INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED),
        writes=(INDIVIDUAL_SIGHTED,),
        changelogs=(IDENTIFY_STATE,),
        module="uncia.processors.identify.worker",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        wanted_by="identify_taxa",
        scales=_BY_PARTITIONS,
        extra="processors",
        store=_owns(INDIVIDUALS_PREFIX),
        triton=_INFERENCE,
    ),
    Part(
        "clocks",
        Kind.WORKER,
        "Assesses each camera's clock.",
        reads=(IMAGE_PREDICTED,),
        follows=(DEPLOYMENT_CHANGED,),
        writes=(CLOCK_JUDGED,),
        changelogs=(CLOCK_STATE,),
        module="uncia.processors.clock_health.worker",
        needs=("kafka",),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
    ),
    Part(
        "alerts",
        Kind.WORKER,
        "Raises, updates and withdraws alerts by the rules of a file.",
        reads=(BURST_RESOLVED, IMAGE_PREDICTED, STATUS_REPORTED, CLOCK_TICKED),
        follows=(DEPLOYMENT_CHANGED,),
        writes=(ALERT_RAISED, CLOCK_TICKED),
        changelogs=(ALERT_STATE,),
        module="uncia.processors.alerts.worker",
        needs=("kafka",),
        embedded=True,
        wanted_by="alert_rules",
        scales=_BY_PARTITIONS,
        extra="processors",
    ),
    Part(
        "redact",
        Kind.WORKER,
        "Publishes verdicts for anybody, later, coarsely and without their cameras.",
        reads=(BURST_RESOLVED,),
        follows=(DEPLOYMENT_CHANGED,),
        writes=(PUBLIC_BURST_RESOLVED,),
        changelogs=(REDACT_STATE,),
        module="uncia.processors.redact.worker",
        needs=("kafka",),
        embedded=True,
        wanted_by="public_tier",
        scales=_BY_PARTITIONS,
        extra="processors",
    ),
    Part(
        "explain",
        Kind.WORKER,
        "Explains photographs on request, and requests a few doubtful ones by itself.",
        reads=(EXPLANATION_REQUESTED, BURST_RESOLVED),
        writes=(IMAGE_EXPLAINED, EXPLANATION_REQUESTED, DEAD_LETTER),
        module="uncia.processors.explain.worker",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
        store=_owns(EXPLANATIONS_PREFIX),
        triton=_INFERENCE,
    ),
    Part(
        "second-look",
        Kind.WORKER,
        "Detects again, in tiles and with the lowest priority, what stays inconclusive.",
        reads=(SECOND_LOOK_REQUESTED, BURST_RESOLVED),
        writes=(SECOND_LOOK_COMPLETED, SECOND_LOOK_REQUESTED, DEAD_LETTER),
        module="uncia.processors.second_look.worker",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        scales=_BY_PARTITIONS,
        extra="processors",
        store=READ_ALL,
        triton=_INFERENCE,
    ),
    Part(
        "thin-links",
        Kind.WORKER,
        "Requests whole photographs from gateways behind thin links, by rules and for people.",
        reads=(FETCH_REQUESTED, BURST_RESOLVED),
        writes=(FETCH_REQUESTED, DEAD_LETTER),
        module="uncia.processors.thin_links.worker",
        needs=("kafka", "seaweedfs"),
        embedded=True,
        wanted_by="thin_links",
        scales=_BY_PARTITIONS,
        extra="processors",
        store=(StoreRight(StoreAction.READ, FETCH_PREFIX), StoreRight(StoreAction.WRITE, FETCH_PREFIX)),
    ),
    Part(
        "listen",
        Kind.WORKER,
        "Finds calls in sound recordings, and stores their spectrograms.",
        reads=UPLOAD_TOPICS,
        writes=(SOUND_HEARD, RECORDING_ANALYSED),
        module="uncia.processors.listen.worker",
        needs=("kafka", "seaweedfs", "triton"),
        embedded=True,
        wanted_by="listen",
        scales=_BY_PARTITIONS,
        extra="processors",
        store=_owns(SPECTROGRAMS_PREFIX),
        triton=_INFERENCE,
    ),
    Part(
        "harvest",
        Kind.WORKER,
        "Downloads pictures of public sources for `uncia harvest run --on-workers`, at a polite rate for each host.",
        reads=(HARVEST_PICTURE_REQUESTED,),
        follows=(HARVEST_HOST_PAUSED,),
        writes=(HARVEST_PICTURE_REQUESTED, HARVEST_PICTURE_FETCHED, HARVEST_HOST_PAUSED, DEAD_LETTER),
        module="uncia.processors.harvest.worker",
        needs=("kafka", "seaweedfs"),
        embedded=True,
        wanted_by="harvest_worker",
        scales="one process per partition of the request topic; each host gets requests from one of them",
        extra="processors",
        # No photograph: it handles what strangers' servers send. It lists keys to delete what is older than a week.
        store=(
            StoreRight(StoreAction.LIST),
            *(
                StoreRight(action, HARVEST_PREFIX)
                for action in (StoreAction.READ, StoreAction.WRITE, StoreAction.DELETE)
            ),
        ),
    ),
    Part(
        "reconcile",
        Kind.SERVICE,
        "Compares the bucket with the topics; announces objects whose notification was lost.",
        follows=(*UPLOAD_TOPICS, IMAGE_PREDICTED, STATUS_REPORTED, DEAD_LETTER),
        writes=(STORAGE_CHANGED,),
        needs=("kafka", "seaweedfs"),
        embedded=True,
        scales="one process",
        store=READ_ALL,
    ),
    Part(
        "catalogue",
        Kind.SERVICE,
        "Folds the result topics into the database of the dashboard.",
        reads=(
            *UPLOAD_TOPICS,
            IMAGE_PREDICTED,
            BURST_RESOLVED,
            OBSERVATION_REVIEWED,
            CROP_PUBLISHED,
            EXPLANATION_REQUESTED,
            IMAGE_EXPLAINED,
            FETCH_REQUESTED,
            DEPLOYMENT_CHANGED,
            CLOCK_JUDGED,
            STATIC_OBJECTS_CHANGED,
            ALERT_RAISED,
            ALERT_HANDLED,
            STATUS_REPORTED,
            INDIVIDUAL_SIGHTED,
            INDIVIDUAL_DECIDED,
            SOUND_HEARD,
            RECORDING_ANALYSED,
        ),
        needs=("kafka",),
        embedded=True,
        scales="one process",
        extra="dashboard",
    ),
    Part(
        "deliver",
        Kind.SERVICE,
        "Sends alerts to people and other systems, by the channels of a file, with a crop where a channel wants one.",
        reads=(ALERT_RAISED,),
        follows=(ALERT_HANDLED, DEPLOYMENT_CHANGED, CROP_PUBLISHED),
        # Not the store: without it alerts are delivered all the same, and crops are attached later.
        needs=("kafka",),
        embedded=True,
        wanted_by="channels",
        scales="one process",
        extra="delivery",
        store=(StoreRight(StoreAction.READ, CROPS_PREFIX),),
    ),
    Part(
        "dashboard",
        Kind.SERVICE,
        "Serves the pages and a stream of events; publishes the decisions of reviewers, their requests of "
        "explanations and whole photographs, what people do about alerts, and what they decide about individuals; its "
        "operators retry dead letters as `uncia dead-letters` does, and promote replays as `uncia replay` does.",
        follows=(
            *UPLOAD_TOPICS,
            IMAGE_PREDICTED,
            BURST_RESOLVED,
            OBSERVATION_REVIEWED,
            CROP_PUBLISHED,
            EXPLANATION_REQUESTED,
            IMAGE_EXPLAINED,
            FRAME_LATE,
            DEPLOYMENT_CHANGED,
            CLOCK_JUDGED,
            STATIC_OBJECTS_CHANGED,
            ALERT_RAISED,
            ALERT_HANDLED,
            STATUS_REPORTED,
            DEAD_LETTER,
            DEAD_LETTER_SETTLED,
        ),
        writes=(
            OBSERVATION_REVIEWED,
            EXPLANATION_REQUESTED,
            FETCH_REQUESTED,
            ALERT_HANDLED,
            INDIVIDUAL_DECIDED,
            DEAD_LETTER_SETTLED,
        ),
        needs=("catalogue", "seaweedfs"),
        embedded=True,
        scales="several processes on one database of accounts",
        extra="dashboard",
        store=READ_ALL,
        triton=_BOTH,
        acts_for=("dead-letters", "replay", "status"),
    ),
    Part(
        "deployments load",
        Kind.COMMAND,
        "Loads Camtrap DP deployments.",
        follows=(DEPLOYMENT_CHANGED,),
        writes=(DEPLOYMENT_CHANGED,),
    ),
    Part(
        "replay",
        Kind.COMMAND,
        "Predicts past uploads with another model, in its own namespace; `promote` publishes the results.",
        follows=(
            *UPLOAD_TOPICS,
            IMAGE_PREDICTED,
            BURST_RESOLVED,
            SECOND_LOOK_COMPLETED,
            DEPLOYMENT_CHANGED,
            OBSERVATION_REVIEWED,
        ),
        writes=(IMAGE_BACKFILLED, SECOND_LOOK_COMPLETED, BURST_RESOLVED),
        triton=_BOTH,
        broker=(BrokerRight.INSPECT, BrokerRight.REPLAY),
    ),
    Part(
        "dead-letters",
        Kind.COMMAND,
        "Lists, retries and drops dead letters.",
        follows=(DEAD_LETTER, DEAD_LETTER_SETTLED),
        writes=(
            STORAGE_CHANGED,
            *UPLOAD_TOPICS,
            IMAGE_PREDICTED,
            EXPLANATION_REQUESTED,
            FETCH_REQUESTED,
            HARVEST_PICTURE_REQUESTED,
            SECOND_LOOK_REQUESTED,
            SECOND_LOOK_COMPLETED,
            STATIC_OBJECTS_CLEARED,
            OBSERVATION_REVIEWED,
            CLOCK_TICKED,
            DEAD_LETTER_SETTLED,
        ),
    ),
    Part("watch", Kind.COMMAND, "Prints verdicts live.", follows=(BURST_RESOLVED,)),
    Part(
        "bursts list",
        Kind.COMMAND,
        "Lists and explains bursts.",
        follows=(BURST_RESOLVED, IMAGE_PREDICTED, DEPLOYMENT_CHANGED),
    ),
    Part(
        "explain --stream",
        Kind.COMMAND,
        "Finds photographs by id, and requests explanations.",
        follows=(IMAGE_PREDICTED, BURST_RESOLVED),
        writes=(EXPLANATION_REQUESTED,),
        extra="processors",
        store=READ_ALL,
        triton=_INFERENCE,
    ),
    Part(
        "fetch",
        Kind.COMMAND,
        "Requests whole photographs from gateways behind thin links.",
        follows=(IMAGE_PREDICTED, BURST_RESOLVED),
        writes=(FETCH_REQUESTED,),
    ),
    Part(
        "alerts list",
        Kind.COMMAND,
        "Lists alerts, and tries rules on past verdicts.",
        follows=(ALERT_RAISED, BURST_RESOLVED, IMAGE_PREDICTED, STATUS_REPORTED, DEPLOYMENT_CHANGED),
        extra="processors",
    ),
    Part("clocks", Kind.COMMAND, "Lists the assessments of the cameras' clocks.", follows=(CLOCK_JUDGED,)),
    Part(
        "camera",
        Kind.COMMAND,
        "Shows and clears the static objects of a camera.",
        follows=(STATIC_OBJECTS_CHANGED,),
        writes=(STATIC_OBJECTS_CLEARED,),
    ),
    Part(
        "individuals",
        Kind.COMMAND,
        "Lists individuals, decides, merges, splits, renames and imports them, and exports capture histories.",
        follows=(INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED, DEPLOYMENT_CHANGED),
        writes=(INDIVIDUAL_DECIDED,),
        store=(StoreRight(StoreAction.WRITE, INDIVIDUALS_PREFIX),),
    ),
    Part(
        "sounds",
        Kind.COMMAND,
        "Lists calls in sound recordings, and exports them as an Audubon Core table.",
        follows=(SOUND_HEARD, RECORDING_ANALYSED),
    ),
    Part(
        "harvest run",
        Kind.COMMAND,
        "Gathers pictures of public sources; with `--on-workers` it publishes the downloads, and collects them.",
        follows=(HARVEST_PICTURE_FETCHED,),
        writes=(HARVEST_PICTURE_REQUESTED,),
        extra="models",
        store=(StoreRight(StoreAction.READ, HARVEST_PREFIX),),
    ),
    Part(
        "report",
        Kind.COMMAND,
        "Renders a contact sheet of the bursts.",
        follows=(IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER, CROP_PUBLISHED, OBSERVATION_REVIEWED),
        extra="dashboard",
        store=READ_ALL,
    ),
    Part(
        "forget",
        Kind.COMMAND,
        "Removes photographs, sound recordings and what was derived from them. Deletes objects with the store's "
        "administrative key.",
        follows=(BURST_RESOLVED, SOUND_HEARD, RECORDING_ANALYSED),
        writes=(IMAGE_PREDICTED, BURST_RESOLVED, CROP_PUBLISHED, IMAGE_EXPLAINED, SOUND_HEARD, RECORDING_ANALYSED),
        extra="dashboard",
        store=READ_ALL,
        broker=(BrokerRight.INSPECT,),
    ),
    Part(
        "models compare",
        Kind.COMMAND,
        "Compares the predictions of two model versions.",
        follows=(IMAGE_PREDICTED, BURST_RESOLVED, OBSERVATION_REVIEWED),
        extra="models",
    ),
    Part(
        "status",
        Kind.COMMAND,
        "Shows lag, latency, late frames, dead letters and doubtful clocks.",
        follows=(IMAGE_PREDICTED, CLOCK_JUDGED, DEAD_LETTER_SETTLED, FRAME_LATE, DEAD_LETTER),
        extra="local",
        broker=(BrokerRight.INSPECT,),
    ),
    Part(
        "subscribers",
        Kind.EXTERNAL,
        "Dashboards, alerts, catalogues and other consumers.",
        reads=(
            IMAGE_PREDICTED,
            BURST_RESOLVED,
            CROP_PUBLISHED,
            IMAGE_EXPLAINED,
            CLOCK_JUDGED,
            ALERT_RAISED,
            STATUS_REPORTED,
            SOUND_HEARD,
            RECORDING_ANALYSED,
        ),
    ),
    Part("public", Kind.EXTERNAL, "Anybody with a key for the public tier.", reads=(PUBLIC_BURST_RESOLVED,)),
)

WORKERS: dict[str, Part] = {part.name: part for part in PARTS if part.kind is Kind.WORKER}
"""The workers by name, in the order of the data flow."""


def writers(topic: Topic) -> tuple[Part, ...]:
    """The parts that write a topic."""
    return tuple(part for part in PARTS if topic in part.writes)


def readers(topic: Topic) -> tuple[Part, ...]:
    """The parts that read a topic, with or without a consumer group."""
    return tuple(part for part in PARTS if topic in part.inputs)


def consumers(topic: Topic) -> tuple[Part, ...]:
    """The workers and services that consume a topic in a group, and can therefore have a lag."""
    return tuple(part for part in PARTS if part.group and topic in part.reads)


def registered_name(full_name: str, topics: Iterable[Topic]) -> bool:
    """Return whether `full_name` is the name of one of `topics` in any namespace."""
    return any(full_name == topic.name or full_name.endswith(f".{topic.name}") for topic in topics)
