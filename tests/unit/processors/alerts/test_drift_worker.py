"""The whole worker on a broker in memory: drifted scores, across restarts and outages."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.harness import ALL_TOPICS, MemoryTopics, Outage, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.alerts.test_drift import BACK, CAMERA, DRIFTED
from uncia.events import AlertCause, AlertRaised, AlertState, BurstResolved
from uncia.kafka.broker import Message
from uncia.processors.alerts.worker import create
from uncia.processors.faust_runtime.app import group_name
from uncia.settings import Settings
from uncia.topics import ALERT_RAISED, ALERT_STATE, BURST_RESOLVED


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, with a rule about drift."""
    broker = MemoryBroker()
    install(monkeypatch, broker)
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {name: drift, drift: true, cameras: ridge/*}\n", encoding="utf-8")
    settings = Settings(_env_file=None, data_dir=tmp_path, alert_rules=rules)
    with closing_deployment_readers(monkeypatch):
        found = MemoryTopics(settings, broker)
        found.create(ALL_TOPICS)
        yield found


def send(topics: MemoryTopics, bursts: list[BurstResolved]) -> Message:
    """Send verdicts. Returns the last message."""
    for burst in bursts:
        sent = topics.send(BURST_RESOLVED, CAMERA.encode(), burst.to_bytes())
    return sent


def committed(topics: MemoryTopics, message: Message) -> Callable[[], bool]:
    group = group_name("alerts", topics.settings)
    return lambda: topics.committed(group, BURST_RESOLVED, message.partition) > message.offset


def alerts(topics: MemoryTopics) -> list[AlertRaised]:
    return [AlertRaised.from_bytes(one.value) for one in topics.read(ALERT_RAISED) if one.value]


def test_drifted_scores_are_reported_and_withdrawn_across_restarts(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        for bursts in (BACK[:100], BACK[100:270], BACK[270:]):
            async with running(create, topics.settings) as worker:
                await worker.wait_until(committed(topics, send(topics, bursts)), "a commit")

    asyncio.run(scenario())
    raised, withdrawn = alerts(topics)
    assert (raised.cause, raised.camera, raised.rule) == (AlertCause.SCORE_DRIFT, CAMERA, "drift")
    assert (withdrawn.alert_id, withdrawn.state) == (raised.alert_id, AlertState.WITHDRAWN)


def test_an_alert_is_published_before_its_verdict_counts_as_read(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            await worker.wait_until(committed(topics, send(topics, DRIFTED[:240])), "a commit")
        outage = Outage.of(ALERT_RAISED.full_name(topics.settings), monkeypatch)
        sent = send(topics, DRIFTED[240:])
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
