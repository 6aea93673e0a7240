"""The Faust app as we set it up: what it acknowledges, and what stops it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st
from mode import CrashingSupervisor

from uncia.errors import PermanentError
from uncia.kafka.partitioning import partition_of
from uncia.processors.faust_runtime.app import MAX_REQUEST_BYTES, Outcomes, WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.dead_letters import MIN_MESSAGES, DeadLetters, TooManyBadMessages
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, IMAGE_UPLOADED

BAD = PermanentError("test-bad", "bad")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "workers", namespace="test")


@pytest.fixture
def app(settings: Settings) -> WorkerApp:
    return create_app("intake", settings)


class Message:
    """As much of Faust's message as an acknowledgement touches."""

    def __init__(self, app: WorkerApp) -> None:
        self.topic, self.partition, self.offset = "t", 0, 7
        self.key, self.value, self.headers = b"k", b"v", [("h", b"1")]
        self.generation_id = app.consumer_generation_id
        self.acked = False

    def ack(self, consumer: Any) -> bool:
        self.acked = True
        return True


@pytest.fixture
def event(app: WorkerApp, monkeypatch: pytest.MonkeyPatch) -> faust.Event:
    monkeypatch.setattr(app, "_consumer", SimpleNamespace())
    app.flow_control.resume()
    return app.conf.Event(app, b"k", b"v", {}, Message(app))


def test_cameras_go_to_the_partition_that_faust_would_choose() -> None:
    @given(camera=st.text(min_size=1), partitions=st.integers(1, 64))
    def same(camera: str, partitions: int) -> None:
        assert partition_of(camera, partitions) == (murmur2(camera.encode()) & 0x7FFFFFFF) % partitions

    same()


def test_group_and_topics_carry_the_namespace(app: WorkerApp, settings: Settings) -> None:
    assert app.conf.id == "test.uncia-intake"
    assert faust_topic(app, settings, IMAGE_UPLOADED).get_topic_name() == "test.camera.image.uploaded.v1"


def test_an_agent_that_raises_takes_the_process_down(app: WorkerApp) -> None:
    # Restarted in place it would go on behind its unacknowledged events.
    assert app.conf.agent_supervisor is CrashingSupervisor


def test_faust_creates_no_topics(app: WorkerApp) -> None:
    assert not app.conf.topic_allow_declare


def test_a_request_holds_the_largest_dead_letter() -> None:
    assert DEAD_LETTER.max_message_bytes < MAX_REQUEST_BYTES


def test_an_event_is_acknowledged_once(event: faust.Event, app: WorkerApp) -> None:
    assert event.ack()
    assert event.message.acked
    assert app.outcomes.share_with_one_more_bad() == (0.5, 2)


def test_an_event_of_an_earlier_assignment_is_never_acknowledged(event: faust.Event) -> None:
    event.message.generation_id -= 1
    assert not event.ack()
    assert not event.message.acked


def test_nothing_is_acknowledged_during_a_rebalance(event: faust.Event, app: WorkerApp) -> None:
    app.flow_control.suspend()
    assert not event.ack()


def test_nothing_is_acknowledged_by_a_halted_worker(event: faust.Event, app: WorkerApp) -> None:
    app.halted = TooManyBadMessages("stop")
    assert not event.ack()


def test_only_the_last_messages_count() -> None:
    outcomes = Outcomes(4)
    for bad in (True, True, True, False, False, False):
        outcomes.add(bad=bad)
    assert outcomes.share_with_one_more_bad() == (0.25, 4)


class Sent:
    """Stands where the dead letters' topic would be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.letters: list[dict[str, Any]] = []
        self.too_large = False
        self.most: int | None = None
        monkeypatch.setattr("uncia.processors.faust_runtime.dead_letters.send", self.send)

    async def send(self, topic: faust.Topic, **letter: Any) -> None:
        if self.too_large:
            self.too_large = False
            raise PermanentError("message-too-large", "no")
        size = sum(len(name) + len(value) for name, value in letter["headers"])
        if self.most is not None and size + len(letter["key"] or b"") + len(letter["value"] or b"") > self.most:
            raise PermanentError("message-too-large", "no")
        self.letters.append(letter)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    return Sent(monkeypatch)


def test_a_dead_letter_is_the_original_and_why(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent
) -> None:
    asyncio.run(DeadLetters(app, settings).put(event, BAD, "intake"))
    (letter,) = sent.letters
    assert (letter["key"], letter["value"]) == (b"k", b"v")
    headers = dict(letter["headers"])
    assert headers["h"] == b"1"
    assert headers["__connect.errors.exception.class.name"] == b"test-bad"
    assert headers["__connect.errors.offset"] == b"7"


def test_a_dead_letter_that_kafka_finds_too_large_is_cut_and_says_so(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent
) -> None:
    event.message.value = b"x" * 1_000_000
    sent.too_large = True
    asyncio.run(DeadLetters(app, settings).put(event, BAD, "intake"))
    (letter,) = sent.letters
    assert len(letter["value"]) < 1_000_000
    assert dict(letter["headers"])["uncia.truncated-from"] == b"1000000"


@pytest.mark.parametrize("most", [4 * 1_048_576, 1_000_000, 30_000, 10])
def test_a_message_of_any_size_and_headers_ends_no_worker(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent, most: int
) -> None:
    event.message.key, event.message.value = b"k" * 900_000, None
    event.message.headers = [("h" * 50, b"x" * 1_500_000), ("none", None), ("i", b"y" * 3_000_000)]
    sent.most = most
    asyncio.run(DeadLetters(app, settings).put(event, BAD, "intake"))
    assert event.dead_letter
    assert len(sent.letters) == (most > 10)
    assert all(
        dict(letter["headers"])["__connect.errors.exception.class.name"] == b"test-bad" for letter in sent.letters
    )


@pytest.mark.parametrize("reason", ["key-unusable", "status-key-invalid", "status-report-invalid"])
def test_one_uploaders_bad_objects_stop_no_worker(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent, reason: str
) -> None:
    async def scene() -> None:
        letters = DeadLetters(app, settings)
        for _ in range(3 * MIN_MESSAGES):
            await letters.put(event, PermanentError(reason, "control characters"), "intake")

    asyncio.run(scene())
    assert len(sent.letters) == 3 * MIN_MESSAGES


def test_a_dead_letter_counts_as_one_bad_message_and_no_good_one(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent
) -> None:
    asyncio.run(DeadLetters(app, settings).put(event, BAD, "intake"))
    event.ack()
    assert app.outcomes.share_with_one_more_bad() == (1.0, 2)


def test_when_most_messages_are_bad_the_worker_stops_before_it_sends_the_next(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted: list[Exception] = []

    async def halt(reason: Exception) -> None:
        halted.append(reason)

    monkeypatch.setattr(app, "halt", halt)

    async def scene() -> None:
        letters = DeadLetters(app, settings)
        for _ in range(MIN_MESSAGES - 1):
            await letters.put(event, BAD, "intake")
        with pytest.raises(TooManyBadMessages, match="UNCIA_MAX_BAD_SHARE"):
            await letters.put(event, BAD, "intake")

    asyncio.run(scene())
    assert len(sent.letters) == MIN_MESSAGES - 1
    assert len(halted) == 1


def test_a_bad_share_below_the_limit_stops_nothing(
    app: WorkerApp, settings: Settings, event: faust.Event, sent: Sent
) -> None:
    async def scene() -> None:
        letters = DeadLetters(app, settings)
        for _ in range(3 * MIN_MESSAGES):
            await letters.put(event, BAD, "intake")
            for _ in range(2):
                app.outcomes.add(bad=False)

    asyncio.run(scene())
    assert len(sent.letters) == 3 * MIN_MESSAGES
