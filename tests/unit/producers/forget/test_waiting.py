"""A plan waits for the workers that have to know of it, and for no others."""

import pytest

from uncia.errors import UnciaError
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.producers.forget.run import ForgetResult, check_nothing_left, not_settled


def test_parts_that_are_behind_are_named() -> None:
    status = StreamStatus(
        lag=(Lag("bursts", "a", 2), Lag("bursts", "b", 3), Lag("crops", "c", 0), Lag("clocks", "d", 9))
    )
    assert not_settled(status) == "bursts is 5 messages behind"
    assert not_settled(status, ("crops",)) == ""


def test_a_broker_that_does_not_answer_is_no_empty_backlog() -> None:
    assert not_settled(StreamStatus(problem="Kafka does not answer")) == "Kafka does not answer"


@pytest.mark.parametrize("name", ["left_in_store", "left_on_topics", "left_in_catalogue"])
def test_whatever_is_left_makes_the_command_fail(name: str) -> None:
    check_nothing_left(ForgetResult(1, 1, 1, 1))
    with pytest.raises(UnciaError, match=r"s/c/1\.jpg"):
        check_nothing_left(ForgetResult(1, 1, 1, 1, **{name: ["s/c/1.jpg"]}))
