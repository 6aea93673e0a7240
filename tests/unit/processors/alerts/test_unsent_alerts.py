"""The whole worker on a broker in memory: what a crash leaves unsent is published, whatever happens meanwhile."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.harness import MemoryTopics, Outage, running
from tests.unit.processors.alerts.builders import burst, reviewed
from tests.unit.processors.alerts.rule_topics import alerts_on, topics_with_rules
from uncia.events import AlertState, BurstResolved, ReviewDecision
from uncia.processors.alerts.worker import create
from uncia.topics import ALERT_RAISED, ALERT_STATE, BURST_RESOLVED

RULES = "rules:\n  - {name: leopard, taxon: Panthera uncia, max_age: any}\n"


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, and the rules in a file."""
    with topics_with_rules(tmp_path, monkeypatch, RULES) as found:
        yield found


def publish(topics: MemoryTopics, *bursts: BurstResolved) -> None:
    for one in bursts:
        topics.send(BURST_RESOLVED, one.camera.encode(), one.to_bytes())


def outage(topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch, of_states: bool) -> Outage:
    topic = ALERT_STATE if of_states else ALERT_RAISED
    return Outage.of(topic.full_name(topics.settings), monkeypatch)


def test_an_alert_is_published_after_its_state_is_stored(topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        states = outage(topics, monkeypatch, of_states=True)
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: states.refused > 0, "a state that is not stored")
            assert alerts_on(topics) == []
            states.active = False
            await worker.wait_until(lambda: alerts_on(topics), "the alert")

    asyncio.run(scenario())


def test_a_crash_before_an_alert_was_sent_loses_it_not_even_where_its_rule_is_removed(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        sends = outage(topics, monkeypatch, of_states=False)
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: sends.refused > 0, "a refused alert")
        sends.active = False
        assert topics.settings.alert_rules is not None
        topics.settings.alert_rules.write_text("rules: []\n", encoding="utf-8")
        publish(topics, burst(revision=2, review=reviewed(ReviewDecision.BLANK)))
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: len(alerts_on(topics)) == 2, "the alert and its withdrawal")

    asyncio.run(scenario())
    raised, withdrawn = alerts_on(topics)
    assert (raised.revision, raised.state) == (1, AlertState.RAISED)
    assert (withdrawn.alert_id, withdrawn.revision, withdrawn.state) == (raised.alert_id, 2, AlertState.WITHDRAWN)


def test_what_was_published_is_not_published_again_after_a_start(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: alerts_on(topics), "the alert")
        publish(topics, burst("b2", minute=600))
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: len(alerts_on(topics)) > 1, "the second alert")

    asyncio.run(scenario())
    assert [alert.bursts[0].burst_id for alert in alerts_on(topics)] == ["b1", "b2"]
