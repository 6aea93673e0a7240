"""The topics of the whole worker on a broker in memory, with a file of rules."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agents.harness import ALL_TOPICS, MemoryTopics, Outage, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from uncia.events import AlertRaised
from uncia.kafka.broker import Message
from uncia.processors.alerts.worker import create
from uncia.processors.faust_runtime.app import group_name
from uncia.settings import Settings
from uncia.topics import ALERT_RAISED, ALERT_STATE, Topic


@contextmanager
def topics_with_rules(folder: Path, monkeypatch: pytest.MonkeyPatch, rules: str) -> Iterator[MemoryTopics]:
    """All topics, in memory; the rules are in `rules.yaml` of the folder."""
    broker = MemoryBroker()
    install(monkeypatch, broker)
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    with closing_deployment_readers(monkeypatch):
        found = MemoryTopics(Settings(_env_file=None, data_dir=folder / "data", alert_rules=path), broker)
        found.create(ALL_TOPICS)
        yield found


def alerts_on(topics: MemoryTopics) -> list[AlertRaised]:
    """All events about alerts, in their order."""
    return [AlertRaised.from_bytes(message.value) for message in topics.read(ALERT_RAISED)]


def committed(topics: MemoryTopics, topic: Topic, message: Message) -> Callable[[], bool]:
    """Whether the worker has committed this message of the topic."""
    group = group_name("alerts", topics.settings)
    return lambda: topics.committed(group, topic, message.partition) > message.offset


async def raise_through_outages(
    topics: MemoryTopics,
    monkeypatch: pytest.MonkeyPatch,
    topic: Topic,
    before: Callable[[], Message],
    during: Callable[[], Message],
) -> None:
    """Run the worker on what `before` sends, then on what `during` sends: while Kafka refuses alerts, while it refuses
    states, and until that is committed. Both send to the topic, and return the last message."""
    async with running(create, topics.settings) as worker:
        await worker.wait_until(committed(topics, topic, before()), "a commit")
    alerts = Outage.of(ALERT_RAISED.full_name(topics.settings), monkeypatch)
    last = during()
    async with running(create, topics.settings) as worker:
        await worker.wait_until(lambda: alerts.refused > 0, "a refused alert")
    alerts.active = False
    states = Outage.of(ALERT_STATE.full_name(topics.settings), monkeypatch)
    async with running(create, topics.settings) as worker:
        await worker.wait_until(lambda: states.refused > 0, "a state that is not stored")
    states.active = False
    async with running(create, topics.settings) as worker:
        await worker.wait_until(committed(topics, topic, last), "a commit")
