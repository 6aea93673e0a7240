"""The whole worker on a broker in memory: drifted scores, across restarts and outages."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.harness import MemoryTopics, running
from tests.unit.processors.alerts.rule_topics import alerts_on, committed, raise_through_outages, topics_with_rules
from tests.unit.processors.alerts.test_drift import BACK, CAMERA, DRIFTED
from uncia.events import AlertCause, AlertState, BurstResolved
from uncia.kafka.broker import Message
from uncia.processors.alerts.worker import create
from uncia.topics import BURST_RESOLVED


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, with a rule about drift."""
    with topics_with_rules(
        tmp_path, monkeypatch, "rules:\n  - {name: drift, drift: true, cameras: ridge/*}\n"
    ) as found:
        yield found


def send(topics: MemoryTopics, bursts: list[BurstResolved]) -> Message:
    """Send verdicts. Returns the last message."""
    for burst in bursts:
        sent = topics.send(BURST_RESOLVED, CAMERA.encode(), burst.to_bytes())
    return sent


def test_drifted_scores_are_reported_and_withdrawn_across_restarts(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        for bursts in (BACK[:100], BACK[100:270], BACK[270:]):
            async with running(create, topics.settings) as worker:
                await worker.wait_until(committed(topics, BURST_RESOLVED, send(topics, bursts)), "a commit")

    asyncio.run(scenario())
    raised, withdrawn = alerts_on(topics)
    assert (raised.cause, raised.camera, raised.rule) == (AlertCause.SCORE_DRIFT, CAMERA, "drift")
    assert (withdrawn.alert_id, withdrawn.state) == (raised.alert_id, AlertState.WITHDRAWN)


def test_an_alert_is_published_before_its_verdict_counts_as_read(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, during = lambda: send(topics, DRIFTED[:240]), lambda: send(topics, DRIFTED[240:])
    asyncio.run(raise_through_outages(topics, monkeypatch, BURST_RESOLVED, before, during))
    assert {(one.alert_id, one.revision) for one in alerts_on(topics)} == {(alerts_on(topics)[0].alert_id, 1)}
