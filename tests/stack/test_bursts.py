"""The bursts worker on the real Kafka, in a separate namespace: results, repeated kills, invalid input, newer state."""

import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from tests.stack.containers import ContainerStack
from tests.unit.processors.bursts.builders import Photo, images, predicted, settled
from tests.waiting import SCALE
from uncia.dashboard.web.publisher import Publisher
from uncia.events import BurstResolved, BurstStatus, CloseReason, DeadLetter, ObservationReviewed, ReviewDecision
from uncia.ids import review_id
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics
from uncia.kafka.connection import connect_consumer, connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.state_store import VERSION, camera_key
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CAMERA_STATE, DEAD_LETTER, IMAGE_PREDICTED, Topic

LIMIT_S = 120


class Bench:
    """A namespace on the stack's Kafka with one bursts worker, which gets its predictions from the test."""

    def __init__(self, stack: Stack | ContainerStack, folder: Path) -> None:
        self.settings: Settings = stack.settings().model_copy(update={"namespace": f"replay-t-{uuid.uuid4().hex[:10]}"})
        self._environment = {
            **os.environ,
            **stack.environment(),
            "UNCIA_NAMESPACE": self.settings.namespace,
            "UNCIA_TICK_S": "0.3",
            "UNCIA_DATA_DIR": str(folder / "workers"),
            "UNCIA_READY_FILE": str(folder / "ready"),
        }
        self.log = folder / "worker.log"
        self.worker: subprocess.Popen[bytes] | None = None
        create_topics(self.settings)
        create_topics(self.settings, (CAMERA_STATE,))
        self.producer = connect_producer(self.settings)

    def start(self, idle_s: float = 2, lateness_s: float = 900) -> None:
        times = {"UNCIA_BURST_IDLE_S": str(idle_s), "UNCIA_BURST_LATENESS_S": str(lateness_s)}
        environment = {**self._environment, **times}
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "uncia", "worker", "bursts"], env=environment, stdout=log, stderr=log
            )

    def end(self, signal_number: signal.Signals) -> int:
        assert self.worker is not None
        self.worker.send_signal(signal_number)
        status = self.worker.wait(SCALE * 30)
        self.worker = None
        return status

    def close(self) -> None:
        self.producer.close()
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait(SCALE * 30)

    def frame(self, photo: Photo, camera: str = "ridge/north") -> None:
        self.send(IMAGE_PREDICTED, predicted(photo, camera).to_bytes(), camera)

    def send(self, topic: Topic, value: bytes, camera: str, key: bytes | None = None) -> None:
        partition = partition_of(camera, self.settings.partitions)
        self.producer.send(
            topic.full_name(self.settings), key=key or camera.encode(), value=value, partition=partition
        ).get(timeout=600)

    def read(self, topic: Topic, until: Callable[[list[Any]], bool], what: str) -> list[Any]:
        """All records of a topic, as soon as they satisfy the condition."""
        consumer = connect_consumer(self.settings, enable_auto_commit=False)
        try:
            parts = [
                TopicPartition(topic.full_name(self.settings), number) for number in range(self.settings.partitions)
            ]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            seen: list[Any] = []
            deadline = time.monotonic() + SCALE * LIMIT_S
            while not until(seen):
                assert time.monotonic() < deadline, f"no {what}; the worker's log:\n{self.log.read_text()[-4000:]}"
                for records in consumer.poll(timeout_ms=200).values():
                    seen.extend(records)
            return seen
        finally:
            consumer.close()

    def events(self, until: Callable[[Sequence[BurstResolved]], bool], what: str) -> list[BurstResolved]:
        """All burst events, as soon as they satisfy the condition."""
        records = self.read(
            BURST_RESOLVED, lambda seen: until([BurstResolved.from_bytes(record.value) for record in seen]), what
        )
        for record in records:
            event = BurstResolved.from_bytes(record.value)
            assert record.key == event.burst_id.encode()
            assert record.partition == partition_of(event.camera, self.settings.partitions)
        return [BurstResolved.from_bytes(record.value) for record in records]


@pytest.fixture
def bench(stack: Stack | ContainerStack, tmp_path: Path) -> Iterator[Bench]:
    """A worker of its own on the stack's Kafka."""
    bench = Bench(stack, tmp_path)
    try:
        yield bench
    finally:
        bench.close()


def all_closed(frames: int) -> Callable[[Sequence[BurstResolved]], bool]:
    """So many frames are in bursts, and no burst is open."""

    def condition(events: Sequence[BurstResolved]) -> bool:
        bursts = settled(events).values()
        return sum(len(burst.frames) for burst in bursts) == frames and all(burst.closed_at for burst in bursts)

    return condition


def test_a_complete_sequence_closes_its_burst_immediately_and_the_idle_timeout_closes_the_other(bench: Bench) -> None:
    bench.start()
    for number in (1, 2, 3):
        bench.frame(Photo(f"s{number}", number, sequence=number, length=3), "ridge/north")
    bench.frame(Photo("lonely", 0), "valley/south")
    events = bench.events(all_closed(4), "four frames in closed bursts")
    north = [event for event in events if event.camera == "ridge/north"]
    # What came within one batch is said at once; the revision tells how many there were.
    assert [images(event) for event in north] == [["s1", "s2", "s3"][: event.revision] for event in north]
    assert (north[-1].revision, north[-1].status) == (3, BurstStatus.FINAL)
    assert north[-1].closed_by is CloseReason.SEQUENCE
    south = [event for event in events if event.camera == "valley/south"][-1]
    assert (south.status, south.closed_by, south.revision) == (BurstStatus.FINAL, CloseReason.IDLE, 2)


def test_a_review_revises_its_burst_also_after_the_worker_has_expired_it(bench: Bench) -> None:
    bench.start(lateness_s=1)
    bench.frame(Photo("a", 0))
    (record,) = bench.read(BURST_RESOLVED, lambda seen: len(seen) == 2, "final verdict")[1:]
    final = BurstResolved.from_bytes(record.value)
    # Another camera's burst shows that log time has passed the lateness of the first.
    for number, name in enumerate(("b", "c")):
        bench.frame(Photo(name, 7200 * (1 + number)))
        bench.events(all_closed(2 + number), "further bursts")
    publisher = Publisher(bench.settings)
    try:
        newest = publisher.newest_event(final.camera, final.burst_id, record.offset)
        assert newest is not None
        assert publisher.newest_event(final.camera, "bst-other", record.offset) is None
        assert publisher.newest_event(final.camera, final.burst_id, 10_000) is None
        at = datetime(2026, 4, 1, tzinfo=UTC)
        review = ObservationReviewed(
            review_id=review_id(final.burst_id, "rita", at, "blank"),
            burst_id=final.burst_id,
            station=final.station,
            camera=final.camera,
            reviewer="rita",
            decision=ReviewDecision.BLANK,
            burst=newest,
            reviewed_at=at,
        )
        publisher.publish(review, review)
    finally:
        publisher.close()
    events = bench.events(lambda seen: seen[-1:] != [] and seen[-1].review is not None, "revision by a review")
    assert (events[-1].burst_id, events[-1].revision) == (final.burst_id, final.revision + 1)
    assert events[-1].status is BurstStatus.REVISED
    assert events[-1].frames == final.frames


def has_frames(count: int, events: list[BurstResolved]) -> bool:
    """True when the settled bursts have at least `count` frames."""
    return sum(len(burst.frames) for burst in settled(events).values()) >= count


@pytest.mark.thorough
def test_after_kills_at_any_time_every_revision_is_published_once(bench: Bench) -> None:
    cameras = [f"ridge/{number}" for number in range(5)]
    photos = [Photo(f"{n:02}", n // 4 * 60 + n % 4, sequence=1 + n % 4, length=4) for n in range(24)]
    pending = itertools.product(photos, cameras)
    bench.start(idle_s=600)
    for sent in (40, 80):
        for photo, camera in itertools.islice(pending, 40):
            bench.frame(photo, camera)
        bench.events(partial(has_frames, sent - 30), "the first results")
        bench.end(signal.SIGKILL)
        bench.start(idle_s=600)
    for photo, camera in pending:
        bench.frame(photo, camera)
        sent += 1
    events = bench.events(all_closed(sent), "all frames in closed bursts")
    final = settled(events)
    assert len(final) == 6 * len(cameras)
    assert all(event.closed_by is CloseReason.SEQUENCE and len(event.frames) == 4 for event in final.values())
    for burst_id in final:
        published = {event.revision: event.to_bytes() for event in events if event.burst_id == burst_id}
        assert published.keys() <= {1, 2, 3, 4}
        assert 4 in published
        # A crash may repeat a message, but one revision never has two contents.
        assert {event.to_bytes() for event in events if event.burst_id == burst_id} == set(published.values())


def test_invalid_predictions_go_to_the_dead_letters_and_the_stream_continues(bench: Bench) -> None:
    bench.start()
    bench.send(IMAGE_PREDICTED, b"{nonsense", "ridge/north")
    bench.send(IMAGE_PREDICTED, b'{"event": "camera.image.predicted.v9"}', "ridge/north")
    bench.frame(Photo("good", 0))
    bench.events(all_closed(1), "a closed burst")
    dead_letters = bench.read(DEAD_LETTER, lambda records: len(records) == 2, "dead letters")
    assert {record.value for record in dead_letters} == {b"{nonsense", b'{"event": "camera.image.predicted.v9"}'}
    reasons = {DeadLetter.from_headers(list(record.headers)).reason for record in dead_letters}
    assert reasons == {"schema-invalid", "schema-unknown"}


def test_state_of_a_newer_version_stops_the_worker_and_is_not_changed(bench: Bench) -> None:
    newer = bytes([VERSION + 1]) + b"from the future"
    bench.send(CAMERA_STATE, newer, "ridge/north", key=camera_key("ridge/north"))
    bench.frame(Photo("a", 0))
    bench.start()
    assert bench.worker is not None
    assert bench.worker.wait(SCALE * LIMIT_S) == 78, "supervisord restarts the worker after any other exit status"
    bench.worker = None
    assert "a newer Uncia wrote it" in bench.log.read_text()
    assert [record.value for record in bench.read(CAMERA_STATE, lambda seen: len(seen) > 0, "a state")] == [newer]
