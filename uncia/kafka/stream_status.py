"""Status of the stream: consumer lag, latency of predictions, and conditions that need a person's attention.

Read from Kafka and the store only, so that it works with any stack. It writes nothing and joins no consumer group.
Lag is computed from committed offsets, which can be up to three seconds behind a worker's progress.
"""

import contextlib
import math
import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import ClockJudged, ClockVerdict, ImagePredicted, Lane
from uncia.kafka.connection import connect_admin, connect_consumer
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import CLOCK_JUDGED, DEAD_LETTER, DEAD_LETTER_SETTLED, FRAME_LATE, IMAGE_PREDICTED, TOPICS, Topic
from uncia.topology import WORKERS, consumers

RECENT_S = 300
"""Latency covers the predictions of this many recent seconds."""

_DEAD_LETTER_KEY = re.compile(rb"(\d{1,9}):(\d{1,18})")
"""Key of a message on `dead-letter.settled`: partition and offset of the dead letter."""

_MOST_PER_PARTITION = 250
_READ_WITHIN_S = 1.0
_ANSWERS_WITHIN_MS = 1500
_STORE_WITHIN_S = 3

Offsets = dict[TopicPartition, int]


@dataclass(frozen=True)
class Lag:
    """Consumer lag of one worker on one topic, in messages."""

    worker: str
    topic: str
    messages: int


@dataclass(frozen=True)
class Latency:
    """Seconds from the upload (by the store's clock) to the prediction, over the newest `answers` of one lane."""

    lane: str
    answers: int
    p50_s: float
    p95_s: float
    p99_s: float
    longest_s: float


@dataclass(frozen=True)
class ConsumerGroup:
    """A consumer group of one part."""

    name: str
    worker: str
    state: str
    """As Kafka names it, such as `Stable`; empty where the broker does not say."""


_WITHOUT_MEMBERS = ("Empty", "Dead")


@dataclass(frozen=True)
class StreamStatus:
    """The stream's part of `uncia status`. With `problem`, nothing could be read and all other fields are empty."""

    lag: tuple[Lag, ...] = ()
    stopped: tuple[str, ...] = ()
    """Workers that have run, and of which no process runs now: their consumer groups have no member."""
    latency: tuple[Latency, ...] = ()
    late_frames: int = 0
    dead_letters: int = 0
    """Dead letters that were neither retried nor dropped."""
    doubted_clocks: dict[str, str] = field(default_factory=dict)
    """Verdict by camera, for clocks that are suspicious or wrong."""
    bucket_problem: str | None = None
    """Why the workers' bucket cannot be read."""
    problem: str | None = None


def bucket_problem(settings: Settings) -> str | None:
    """Why the workers' bucket cannot be listed, in one sentence; None when it can."""
    store = ObjectStore(settings, timeout_s=_STORE_WITHIN_S, attempts=1)
    try:
        store.check_bucket(settings.bucket)
    except UnciaError as error:
        return str(error)
    finally:
        store.close()
    return None


def stream_status(settings: Settings) -> StreamStatus:
    """Read the status from Kafka and the store, within one or two seconds. Never raises when one is unavailable."""
    if not any(_listens(server) for server in settings.kafka_servers):
        return StreamStatus(problem=f"Kafka does not answer at {settings.kafka}")
    limits: dict[str, Any] = {
        "bootstrap_timeout_ms": _ANSWERS_WITHIN_MS,
        "request_timeout_ms": 2 * _ANSWERS_WITHIN_MS,
    }
    try:
        admin = connect_admin(settings, **limits)
        try:
            begins, ends = _offset_ranges(admin, settings)
            groups = _groups(admin, settings)
            committed = _committed_offsets(admin, groups)
        finally:
            admin.close()
        consumer = connect_consumer(settings, enable_auto_commit=False, **limits)
        try:
            latency = _latency(consumer, settings, begins, ends)
            clocks = _doubted_clocks(consumer, settings, begins, ends)
            settled = _settled_count(consumer, settings, begins, ends)
        finally:
            consumer.close()
    except DependencyDown as error:
        return StreamStatus(problem=str(error))
    except (KafkaError, OSError, ValueError) as error:
        return StreamStatus(problem=f"Kafka at {settings.kafka} could not be read ({type(error).__name__}: {error})")

    def message_count(topic: Topic) -> int:
        name = topic.full_name(settings)
        return sum(ends[p] - begins.get(p, 0) for p in ends if p.topic == name)

    return StreamStatus(
        lag=tuple(lags(settings, committed, begins, ends)),
        stopped=stopped_workers(groups),
        latency=latency,
        late_frames=message_count(FRAME_LATE),
        dead_letters=message_count(DEAD_LETTER) - settled,
        doubted_clocks=clocks,
        bucket_problem=bucket_problem(settings),
    )


def _listens(server: str) -> bool:
    """True when something listens there. Checked first because the client retries for long when nothing does."""
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_MS / 1000).close()
    except (OSError, ValueError):
        return False
    return True


def lags(
    settings: Settings, committed: dict[str, Offsets], begins: Offsets, ends: Offsets, topics: Iterable[Topic] = TOPICS
) -> Iterable[Lag]:
    """Lag of every worker on every topic that it consumes; `committed` has offsets by worker.

    A partition without a committed offset lags from its beginning; a worker that never committed is omitted.
    """
    for topic in topics:
        name = topic.full_name(settings)
        parts = [partition for partition in ends if partition.topic == name]
        for worker in (part.name for part in consumers(topic)):
            if worker not in committed or not parts:
                continue
            offsets = committed[worker]
            # Messages deleted by retention before the worker read them are not counted.
            behind = sum(max(0, ends[p] - max(offsets.get(p, 0), begins.get(p, 0))) for p in parts)
            yield Lag(worker, topic.name, behind)


def latencies(answers: Iterable[tuple[str, float]]) -> tuple[Latency, ...]:
    """Percentiles by lane, live first, from pairs of lane and seconds."""
    by_lane: dict[str, list[float]] = {lane.value: [] for lane in Lane}
    for lane, seconds in answers:
        by_lane.setdefault(lane, []).append(max(0.0, seconds))
    return tuple(_summary(lane, sorted(values)) for lane, values in by_lane.items() if values)


def _summary(lane: str, values: Sequence[float]) -> Latency:
    def at(share: float) -> float:
        return round(values[max(0, math.ceil(share * len(values)) - 1)], 3)

    return Latency(lane, len(values), at(0.5), at(0.95), at(0.99), at(1))


def _offset_ranges(admin: KafkaAdminClient, settings: Settings) -> tuple[Offsets, Offsets]:
    """Beginning and end offset of every partition of Uncia's existing topics."""
    ours = {topic.full_name(settings) for topic in TOPICS}
    known = list(admin.describe_topics(sorted(ours & set(admin.list_topics()))))
    parts = [TopicPartition(entry["name"], p["partition_index"]) for entry in known for p in entry["partitions"]]
    begins = admin.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.LATEST))
    return {p: found.offset for p, found in begins.items()}, {p: found.offset for p, found in ends.items()}


def stopped_workers(groups: Iterable[ConsumerGroup]) -> tuple[str, ...]:
    """The workers whose groups have no member. Services keep offsets in a group that they do not join."""
    return tuple(group.worker for group in groups if group.state in _WITHOUT_MEMBERS and group.worker in WORKERS)


def _groups(admin: KafkaAdminClient, settings: Settings) -> list[ConsumerGroup]:
    """The consumer groups of Uncia's parts in this namespace."""
    prefix = f"{settings.namespace}.uncia-" if settings.namespace else "uncia-"
    return [
        # Brokers before version 2.6 state nothing.
        ConsumerGroup(entry["group_id"], entry["group_id"].removeprefix(prefix), entry.get("group_state") or "")
        for entry in admin.list_groups()
        if entry["group_id"].startswith(prefix)
    ]


def _committed_offsets(admin: KafkaAdminClient, groups: Sequence[ConsumerGroup]) -> dict[str, Offsets]:
    """Committed offsets by worker."""
    workers = {group.name: group.worker for group in groups}
    found = admin.list_group_offsets(list(workers)) if workers else {}
    return {
        workers[group]: {part: kept.offset for part, kept in offsets.items() if kept.offset >= 0}
        for group, offsets in found.items()
    }


def _latency(consumer: KafkaConsumer, settings: Settings, begins: Offsets, ends: Offsets) -> tuple[Latency, ...]:
    name = IMAGE_PREDICTED.full_name(settings)
    parts = [part for part in ends if part.topic == name and ends[part] > begins.get(part, 0)]
    since = int((time.time() - RECENT_S) * 1000)
    recent = consumer.offsets_for_times(dict.fromkeys(parts, since)) if parts else {}
    starts = {part: max(found.offset, ends[part] - _MOST_PER_PARTITION) for part, found in recent.items() if found}
    answers: list[tuple[str, float]] = []

    def take(record: ConsumerRecord) -> None:
        with contextlib.suppress(PermanentError):
            answer = ImagePredicted.from_bytes(record.value)
            answers.append((answer.lane.value, (answer.predicted_at - answer.uploaded_at).total_seconds()))

    _read(consumer, starts, ends, take)
    return latencies(answers)


def _doubted_clocks(consumer: KafkaConsumer, settings: Settings, begins: Offsets, ends: Offsets) -> dict[str, str]:
    name = CLOCK_JUDGED.full_name(settings)
    verdicts: dict[str, str] = {}

    def take(record: ConsumerRecord) -> None:
        with contextlib.suppress(PermanentError):
            clock = ClockJudged.from_bytes(record.value)
            verdicts[clock.camera] = clock.verdict.value

    _read(consumer, {part: begins.get(part, 0) for part in ends if part.topic == name}, ends, take)
    doubted = {ClockVerdict.SUSPICIOUS.value, ClockVerdict.WRONG.value}
    return {camera: verdict for camera, verdict in sorted(verdicts.items()) if verdict in doubted}


def _settled_count(consumer: KafkaConsumer, settings: Settings, begins: Offsets, ends: Offsets) -> int:
    """Number of dead letters in the topic that were retried or dropped."""
    name, letters = DEAD_LETTER_SETTLED.full_name(settings), DEAD_LETTER.full_name(settings)
    settled: set[tuple[int, int]] = set()

    def take(record: ConsumerRecord) -> None:
        if found := _DEAD_LETTER_KEY.fullmatch(record.key or b""):
            settled.add((int(found[1]), int(found[2])))

    _read(consumer, {part: begins.get(part, 0) for part in ends if part.topic == name}, ends, take)
    return sum(offset >= begins.get(TopicPartition(letters, partition), 0) for partition, offset in settled)


def _read(consumer: KafkaConsumer, starts: Offsets, ends: Offsets, take: Callable[[ConsumerRecord], None]) -> None:
    """Pass every record from `starts` to `ends` to `take`, and stop after one second even when some are missing."""
    left = {part for part, start in starts.items() if start < ends[part]}
    if not left:
        return
    consumer.assign(sorted(left))
    for part in left:
        consumer.seek(part, starts[part])
    deadline = time.monotonic() + _READ_WITHIN_S
    while left and time.monotonic() < deadline:
        for part, records in consumer.poll(timeout_ms=100).items():
            for record in records:
                if record.offset < ends[part]:
                    take(record)
            if records and records[-1].offset >= ends[part] - 1:
                left.discard(part)
