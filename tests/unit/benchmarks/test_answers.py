"""What the benchmark's subscriber notes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.results_consumer import Answers
from uncia.errors import DependencyDown
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, Topic

Take = Callable[[Topic, dict[str, Any]], None]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def take(answers: Answers) -> Take:
    def message(topic: Topic, body: dict[str, Any]) -> None:
        answers.take(Settings(), Message(topic.name, 0, 0, 0, None, json.dumps(body).encode(), []))

    return message


def test_the_first_of_repeated_predictions_counts(answers: Answers, take: Take) -> None:
    seen = []
    answers.on_predicted = lambda: seen.append(1)
    take(IMAGE_PREDICTED, {"key": "a"})
    first = answers.predicted["a"]
    take(IMAGE_PREDICTED, {"key": "a"})
    assert (answers.predicted, len(seen)) == ({"a": first}, 1)


def test_a_provisional_verdict_settles_nothing(answers: Answers, take: Take) -> None:
    take(BURST_RESOLVED, {"burst_id": "b", "status": "provisional", "frames": [{"key": "a"}]})
    assert not answers.settled


def test_a_final_verdict_settles_its_frames(answers: Answers, take: Take) -> None:
    take(BURST_RESOLVED, {"burst_id": "b", "status": "final", "frames": [{"key": "a"}, {"key": "c"}]})
    assert answers.settled.keys() == {"a", "c"}


def test_rejections_and_dead_letters_are_counted(answers: Answers, take: Take) -> None:
    take(IMAGE_PREDICTED, {"key": "a", "rejection": {"reason": "image-empty"}})
    take(DEAD_LETTER, {})
    assert (answers.rejected, answers.dead_letters) == (["a: image-empty"], 1)


def test_waiting_ends_when_nothing_moves_any_more(answers: Answers) -> None:
    with pytest.raises(DependencyDown, match="1 have no prediction"):
        answers.wait_for({"a"}, patience_s=0)
