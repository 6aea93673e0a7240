"""The whole worker on a broker in memory: moved cameras, across restarts and outages."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.harness import ALL_TOPICS, MemoryTopics, Outage, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.alerts.test_moved import CAMERA, MOVED, photograph
from uncia.events import AlertCause, AlertRaised
from uncia.kafka.broker import Message
from uncia.processors.alerts.worker import create
from uncia.processors.faust_runtime.app import group_name
from uncia.settings import Settings
from uncia.topics import ALERT_RAISED, ALERT_STATE, IMAGE_PREDICTED


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, with a rule about moves."""
    broker = MemoryBroker()
    install(monkeypatch, broker)
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {name: moved, moved: true, cameras: ridge/*}\n", encoding="utf-8")
    settings = Settings(_env_file=None, data_dir=tmp_path, alert_rules=rules)
    with closing_deployment_readers(monkeypatch):
        found = MemoryTopics(settings, broker)
        found.create(ALL_TOPICS)
        yield found


def send(topics: MemoryTopics, first: int, last: int) -> Message:
    """Send photographs of a camera that moves. Returns the last message."""
    for number in range(first, last):
        sent = topics.send(IMAGE_PREDICTED, CAMERA.encode(), photograph(MOVED[number], number).to_bytes())
    return sent


def committed(topics: MemoryTopics, message: Message) -> Callable[[], bool]:
    group = group_name("alerts", topics.settings)
    return lambda: topics.committed(group, IMAGE_PREDICTED, message.partition) > message.offset


def alerts(topics: MemoryTopics) -> list[AlertRaised]:
    return [AlertRaised.from_bytes(one.value) for one in topics.read(ALERT_RAISED) if one.value]


def test_a_moved_camera_is_reported_across_a_restart(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        for first, last in ((0, 43), (43, len(MOVED))):
            async with running(create, topics.settings) as worker:
                await worker.wait_until(committed(topics, send(topics, first, last)), "a commit")

    asyncio.run(scenario())
    (alert,) = alerts(topics)
    assert (alert.cause, alert.camera, alert.rule) == (AlertCause.CAMERA_MOVED, CAMERA, "moved")


def test_an_alert_is_published_before_its_photograph_counts_as_compared(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            await worker.wait_until(committed(topics, send(topics, 0, 40)), "a commit")
        outage = Outage.of(ALERT_RAISED.full_name(topics.settings), monkeypatch)
        sent = send(topics, 40, len(MOVED))
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: outage.refused > 0, "a refused alert")
        outage.active = False
        states = Outage.of(ALERT_STATE.full_name(topics.settings), monkeypatch)
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: states.refused > 0, "a state that is not stored")
        states.active = False
        async with running(create, topics.settings) as worker:
            await worker.wait_until(committed(topics, sent), "a commit")

    asyncio.run(scenario())
    assert {(one.alert_id, one.revision) for one in alerts(topics)} == {(alerts(topics)[0].alert_id, 1)}


def test_what_is_no_photograph_is_skipped(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            topics.send(IMAGE_PREDICTED, CAMERA.encode(), b"not an event")
            topics.send(IMAGE_PREDICTED, b"valley/north", photograph(1, 0).to_bytes())
            await worker.wait_until(committed(topics, send(topics, 0, len(MOVED))), "a commit")

    asyncio.run(scenario())
    assert len(alerts(topics)) == 1
