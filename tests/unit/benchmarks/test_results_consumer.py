"""The results consumer of the benchmark."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.results_consumer import ResultsConsumer
from uncia.errors import DependencyDown
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, Topic

Record = Callable[[Topic, dict[str, Any]], None]


@pytest.fixture
def consumer() -> ResultsConsumer:
    return ResultsConsumer()


@pytest.fixture
def record(consumer: ResultsConsumer) -> Record:
    def message(topic: Topic, body: dict[str, Any]) -> None:
        consumer.record(Settings(), Message(topic.name, 0, 0, 0, None, json.dumps(body).encode(), []))

    return message


def test_only_the_first_of_repeated_predictions_counts(consumer: ResultsConsumer, record: Record) -> None:
    seen = []
    consumer.on_predicted = lambda: seen.append(1)
    record(IMAGE_PREDICTED, {"key": "a"})
    first = consumer.predicted["a"]
    record(IMAGE_PREDICTED, {"key": "a"})
    assert (consumer.predicted, len(seen)) == ({"a": first}, 1)


def test_a_provisional_verdict_settles_nothing(consumer: ResultsConsumer, record: Record) -> None:
    record(BURST_RESOLVED, {"burst_id": "b", "status": "provisional", "frames": [{"key": "a"}]})
    assert not consumer.settled


def test_a_final_verdict_settles_its_frames(consumer: ResultsConsumer, record: Record) -> None:
    record(BURST_RESOLVED, {"burst_id": "b", "status": "final", "frames": [{"key": "a"}, {"key": "c"}]})
    assert consumer.settled.keys() == {"a", "c"}


def test_rejections_and_dead_letters_are_counted(consumer: ResultsConsumer, record: Record) -> None:
    record(IMAGE_PREDICTED, {"key": "a", "rejection": {"reason": "image-empty"}})
    record(DEAD_LETTER, {})
    assert (consumer.rejected, consumer.dead_letters) == (["a: image-empty"], 1)


def test_waiting_without_progress_times_out(consumer: ResultsConsumer) -> None:
    with pytest.raises(DependencyDown, match="1 have no prediction"):
        consumer.wait_for({"a"}, timeout_s=0)
