"""The whole worker on a broker in memory: moved cameras, across restarts and outages."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.harness import MemoryTopics, running
from tests.unit.processors.alerts.rule_topics import alerts_on, committed, raise_through_outages, topics_with_rules
from tests.unit.processors.alerts.test_moved import CAMERA, MOVED, photograph
from uncia.events import AlertCause
from uncia.kafka.broker import Message
from uncia.processors.alerts.worker import create
from uncia.topics import IMAGE_PREDICTED


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, with a rule about moves."""
    with topics_with_rules(
        tmp_path, monkeypatch, "rules:\n  - {name: moved, moved: true, cameras: ridge/*}\n"
    ) as found:
        yield found


def send(topics: MemoryTopics, first: int, last: int) -> Message:
    """Send photographs of a camera that moves. Returns the last message."""
    for number in range(first, last):
        sent = topics.send(IMAGE_PREDICTED, CAMERA.encode(), photograph(MOVED[number], number).to_bytes())
    return sent


def test_a_moved_camera_is_reported_across_a_restart(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        for first, last in ((0, 43), (43, len(MOVED))):
            async with running(create, topics.settings) as worker:
                await worker.wait_until(committed(topics, IMAGE_PREDICTED, send(topics, first, last)), "a commit")

    asyncio.run(scenario())
    (alert,) = alerts_on(topics)
    assert (alert.cause, alert.camera, alert.rule) == (AlertCause.CAMERA_MOVED, CAMERA, "moved")


def test_an_alert_is_published_before_its_photograph_counts_as_compared(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, during = lambda: send(topics, 0, 40), lambda: send(topics, 40, len(MOVED))
    asyncio.run(raise_through_outages(topics, monkeypatch, IMAGE_PREDICTED, before, during))
    assert {(one.alert_id, one.revision) for one in alerts_on(topics)} == {(alerts_on(topics)[0].alert_id, 1)}


def test_what_is_no_photograph_is_skipped(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            topics.send(IMAGE_PREDICTED, CAMERA.encode(), b"not an event")
            topics.send(IMAGE_PREDICTED, b"valley/north", photograph(1, 0).to_bytes())
            await worker.wait_until(committed(topics, IMAGE_PREDICTED, send(topics, 0, len(MOVED))), "a commit")

    asyncio.run(scenario())
    assert len(alerts_on(topics)) == 1
