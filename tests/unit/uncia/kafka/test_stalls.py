"""A consumer that delivers nothing although there are messages is replaced by a new one, at the same position."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError

from uncia.errors import DependencyDown
from uncia.kafka import broker
from uncia.kafka.broker import read_topics
from uncia.kafka.stalls import StallCheck
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED

PLACE = TopicPartition(BURST_RESOLVED.name, 0)


class Consumer:
    """A consumer of one partition with messages 0, 1, …; a stalled one delivers none of them."""

    def __init__(self, end: int, *, stalls_at: int | None = None, answers: bool = True) -> None:
        self.end, self.stalls_at, self.answers = end, stalls_at, answers
        self.at = 0
        self.closed = False

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [PLACE]

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.at = 0

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at = offset

    def position(self, partition: TopicPartition, timeout_ms: int | None = None) -> int:
        return self.at

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int | None = None) -> dict[TopicPartition, int]:
        if not self.answers:
            raise KafkaTimeoutError
        return {PLACE: self.end}

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        if self.at >= self.end or self.at == self.stalls_at:
            return {}
        self.at += 1
        record = (PLACE.topic, 0, 0, self.at - 1, 0, 0, None, b"%d" % (self.at - 1), (), None, -1, 1, 0)
        return {PLACE: [ConsumerRecord(*record)]}

    def close(self, **options: object) -> None:
        self.closed = True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def found(consumer: Consumer, times: list[float]) -> list[bool]:
    clock = Clock()
    check = StallCheck(consumer, [PLACE], every_s=10, clock=clock)
    results = []
    for now in times:
        clock.now = now
        results.append(check.is_stalled())
    return results


def test_messages_that_two_checks_in_a_row_find_undelivered_are_a_stall() -> None:
    assert found(Consumer(5), [5, 11, 15, 22]) == [False, False, False, True]


def test_two_checks_without_an_answer_are_one_too() -> None:
    assert found(Consumer(0, answers=False), [11, 22]) == [False, True]


def test_a_consumer_that_has_everything_waits_in_peace() -> None:
    assert found(Consumer(0), [11, 22, 33]) == [False] * 3


def test_a_message_between_two_checks_starts_over() -> None:
    clock = Clock()
    check = StallCheck(Consumer(5), [PLACE], every_s=10, clock=clock)
    clock.now = 11
    assert not check.is_stalled()
    check.delivered()
    clock.now = 22
    assert not check.is_stalled()


@pytest.fixture
def consumers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Consumer | DependencyDown]]:
    """The consumers, or outages, that the next connections get. Checks are due at once."""
    waiting: list[Consumer | DependencyDown] = []

    def connect(settings: Settings, **options: object) -> Consumer:
        following = waiting.pop(0)
        if isinstance(following, DependencyDown):
            raise following
        return following

    monkeypatch.setattr(broker, "connect_consumer", connect)
    monkeypatch.setattr(broker, "_PAUSE_S", 0)
    monkeypatch.setattr(broker, "StallCheck", partial(StallCheck, every_s=0))
    yield waiting


def test_the_messages_after_a_stall_are_read_by_a_new_consumer_once(
    consumers: list[Consumer | DependencyDown],
) -> None:
    first, second = Consumer(4, stalls_at=2), Consumer(4)
    consumers += [first, DependencyDown("an outage"), second]
    messages = read_topics(Settings(_env_file=None), (BURST_RESOLVED,), from_beginning=True, until_end=True)
    assert [message.value for message in messages] == [b"0", b"1", b"2", b"3"]
    assert first.closed
    assert second.closed


def test_a_reader_that_is_stopped_during_an_outage_ends(
    consumers: list[Consumer | DependencyDown], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    consumers.append(Consumer(4, stalls_at=0))
    reading = read_topics(Settings(_env_file=None), (BURST_RESOLVED,), from_beginning=True, stop=stop)
    connect = vars(broker)["connect_consumer"]

    def connect_or_stop(settings: Settings, **options: object) -> Consumer:
        if not consumers:
            stop.set()
            raise DependencyDown("an outage")
        consumer: Consumer = connect(settings, **options)
        return consumer

    monkeypatch.setattr(broker, "connect_consumer", connect_or_stop)
    assert list(reading) == []
