"""The whole worker on a broker in memory: which messages are contacts, and how a silence ends without its rule."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.agents.harness import MemoryTopics, running
from tests.agents.workers import PREDICTED
from tests.unit.processors.alerts.builders import NOW
from tests.unit.processors.alerts.rule_topics import alerts_on, topics_with_rules
from uncia.events import AlertState, DeploymentChanged, ImagePredicted, Lane, Rejection
from uncia.events.images import IMAGE_FORGOTTEN
from uncia.kafka.broker import Message
from uncia.processors.alerts import worker as alerts
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rules import Rule
from uncia.processors.alerts.silence import judge
from uncia.processors.alerts.state_store import from_bytes, to_bytes
from uncia.processors.alerts.worker import create
from uncia.processors.faust_runtime.app import group_name
from uncia.topics import ALERT_STATE, DEPLOYMENT_CHANGED, IMAGE_PREDICTED

CAMERA = "ridge/north"
RULES = "rules:\n  - name: silent\n    silent_for: 1h\n"


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, and a file of rules."""
    monkeypatch.setattr(alerts, "TICK_S", 0.1)
    with topics_with_rules(tmp_path, monkeypatch, RULES) as found:
        yield found


def silence() -> bytes:
    """The state of a camera that was silent for hours."""
    state = CameraAlerts(heard=NOW)
    deployment = DeploymentChanged(
        deployment_id="d1", camera=CAMERA, start=NOW - timedelta(days=1), utc_offset_minutes=0, latitude=1, longitude=1
    )
    rule = Rule("silent", silent=True, silent_for=timedelta(hours=1))
    assert judge(state, CAMERA, deployment, (rule,), NOW + timedelta(hours=9))
    return to_bytes(state)


@pytest.mark.parametrize("is_deployed", [True, False])
def test_a_silence_is_withdrawn_when_the_last_rule_about_silence_is_removed(
    topics: MemoryTopics, tmp_path: Path, is_deployed: bool
) -> None:
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    topics.send(ALERT_STATE, CAMERA.encode(), silence())
    if is_deployed:
        placed = DeploymentChanged(
            deployment_id="d1", camera=CAMERA, start=NOW, utc_offset_minutes=0, latitude=1, longitude=1
        )
        topics.send(DEPLOYMENT_CHANGED, placed.message_key, placed.to_bytes())

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: alerts_on(topics), "the withdrawal")

    asyncio.run(scenario())
    (alert,) = alerts_on(topics)
    assert (alert.state, alert.revision) == (AlertState.WITHDRAWN, 2)


def prediction(camera: str, lane: Lane = Lane.LIVE, rejection: str | None = None) -> ImagePredicted:
    update: dict[str, object] = {"camera": camera, "lane": lane}
    if rejection:
        update |= {"rejection": Rejection(reason=rejection, message=""), "prediction": None, "detection": None}
    return PREDICTED.model_copy(update=update)


def test_neither_old_photographs_nor_forgotten_ones_are_contacts(topics: MemoryTopics) -> None:
    topics.send(ALERT_STATE, CAMERA.encode(), silence())
    old = [
        topics.send(IMAGE_PREDICTED, one.camera.encode(), one.to_bytes())
        for one in (
            prediction(CAMERA, Lane.BACKFILL),
            prediction(CAMERA, rejection=IMAGE_FORGOTTEN),
            prediction("ridge/old", Lane.BACKFILL),
        )
    ]
    for one in (prediction("ridge/dark", rejection="image-unreadable"), prediction("ridge/new")):
        topics.send(IMAGE_PREDICTED, one.camera.encode(), one.to_bytes())

    def heard() -> dict[str, CameraAlerts]:
        states = {(message.key or b"").decode(): message.value for message in topics.read(ALERT_STATE)}
        return {name: from_bytes(name, value) for name, value in states.items() if value}

    def is_read(message: Message) -> bool:
        group = group_name("alerts", topics.settings)
        return topics.committed(group, IMAGE_PREDICTED, message.partition) > message.offset

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: {"ridge/new", "ridge/dark"} <= heard().keys(), "the contacts")
            await worker.wait_until(lambda: all(is_read(one) for one in old), "the old photographs")
            assert alerts_on(topics) == []
            later = prediction(CAMERA)
            topics.send(IMAGE_PREDICTED, later.camera.encode(), later.to_bytes())
            await worker.wait_until(lambda: heard()[CAMERA].heard != NOW, "the contact of the silent camera")

    asyncio.run(scenario())
    assert "ridge/old" not in heard()
    assert [(one.state, one.revision) for one in alerts_on(topics)] == [(AlertState.WITHDRAWN, 2)]
