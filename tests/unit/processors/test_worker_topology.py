"""Every worker's code uses exactly the topics of its row of the topology, and cannot use another."""

import asyncio
import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.uncia.serving.fake_triton import CARD
from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.camtrap.individuals_reader import IndividualsReader
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.delivery import send
from uncia.serving import model_card
from uncia.settings import Settings
from uncia.sound.spec import SoundSpec
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED, IMAGE_UPLOADED, STORAGE_CHANGED, Topic
from uncia.topology import WORKERS, TopologyError, registered_name

SHADOW_NAMESPACE = "test-shadow-species-classifier-v2"


def settings_of(worker: str, folder: Path) -> Settings:
    namespace = SHADOW_NAMESPACE if worker == "predict-shadow" else "test"
    return Settings(_env_file=None, namespace=namespace, data_dir=folder, model_repository=folder)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The full names of all topics that a worker opens, without a broker, a store, a model or a lower priority."""
    names: set[str] = set()
    original = WorkerApp.topic

    def topic(app: WorkerApp, *topics: str, **options: Any) -> Any:
        names.update(topics)
        return original(app, *topics, **options)

    monkeypatch.setattr(WorkerApp, "topic", topic)
    monkeypatch.setattr(DeploymentReader, "start", lambda self, timeout_s=60: Deployments())
    monkeypatch.setattr(IndividualsReader, "start", lambda self, timeout_s=60: self)
    monkeypatch.setattr(ObjectStore, "check_bucket", lambda self, bucket: None)
    sound = CARD.model_copy(update={"sound": SoundSpec()})
    monkeypatch.setattr(model_card, "read_installed_card", lambda _, name, *__: sound if "audio" in name else CARD)
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    return names


def used(names: set[str], topics: tuple[Topic, ...]) -> set[Topic]:
    return {topic for topic in topics if any(registered_name(name, (topic,)) for name in names)}


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_uses_exactly_the_topics_of_its_row(name: str, tmp_path: Path, opened: set[str]) -> None:
    part = WORKERS[name]
    settings = settings_of(name, tmp_path)
    app: WorkerApp = importlib.import_module(part.module).create(settings)
    subscribed = {topic for agent in app.agents.values() for topic in agent.channel.topics}
    changelogs = {table.changelog_topic.get_topic_name() for table in app.tables.values()}
    assert used(subscribed, part.reads) == set(part.reads)
    assert changelogs == {topic.full_name(settings) for topic in part.changelogs}
    assert used(opened, part.writes) == set(part.writes)
    own = {topic for topic in opened if registered_name(topic, part.reads + part.writes + part.changelogs)}
    assert opened == own


def test_a_worker_cannot_subscribe_to_a_topic_outside_its_row(tmp_path: Path) -> None:
    settings = settings_of("predict", tmp_path)
    app = create_app("predict", settings)
    with pytest.raises(TopologyError, match=r"predict may not subscribe to test\.camera\.image\.predicted\.v1"):
        app.agent(faust_topic(app, settings, IMAGE_PREDICTED), name="wrong")
    with pytest.raises(TopologyError, match="predict may not use"):
        faust_topic(app, settings, STORAGE_CHANGED)


def test_a_worker_cannot_write_a_topic_outside_its_row(tmp_path: Path) -> None:
    settings = settings_of("predict", tmp_path)
    app = create_app("predict", settings)
    with pytest.raises(TopologyError, match="predict may not use"):
        faust_topic(app, settings, BURST_RESOLVED)
    for name in (IMAGE_UPLOADED.full_name(settings), IMAGE_PREDICTED.name):
        with pytest.raises(TopologyError, match="predict may not write"):
            asyncio.run(send(app.topic(name), key=b"k", value=b"v"))


def test_a_worker_without_a_row_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="no worker 'unknown'"):
        create_app("unknown", settings_of("intake", tmp_path))
