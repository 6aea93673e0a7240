"""The topic registry keeps its own promises."""

import re

import pytest

from uncia.commands import topics as topics_command
from uncia.settings import Settings
from uncia.topics import CLOCK_TICKED, DAY_MS, TOPICS, UPLOAD_TOPICS, Topic

NAMES = [topic.name for topic in TOPICS]


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, namespace="trial")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("topic", TOPICS, ids=NAMES)
def test_a_name_says_domain_entity_event_and_version(topic: Topic) -> None:
    if topic.event is not None:
        assert re.fullmatch(r"[a-z]+\.[a-z-]+\.[a-z]+\.v[1-9]\d*", topic.name)


@pytest.mark.parametrize("topic", TOPICS, ids=NAMES)
def test_an_event_knows_its_topic(topic: Topic) -> None:
    names = [upload.name for upload in UPLOAD_TOPICS] if topic in UPLOAD_TOPICS else [topic.name]
    assert topic.event is None or topic.event.topic in names


@pytest.mark.parametrize("topic", TOPICS, ids=NAMES)
def test_whatever_tells_of_cameras_is_co_partitioned(topic: Topic) -> None:
    assert topic.co_partitioned == topic.name.startswith("camera.")


def test_a_namespace_stands_before_every_name(settings: Settings) -> None:
    assert [topic.full_name(settings) for topic in TOPICS] == [f"trial.{name}" for name in NAMES]


def test_without_a_namespace_names_are_bare() -> None:
    bare = Settings(_env_file=None, namespace="")
    assert [topic.full_name(bare) for topic in TOPICS] == NAMES


def test_retention_is_kafkas_milliseconds() -> None:
    assert CLOCK_TICKED.config()["retention.ms"] == str(7 * DAY_MS)


@pytest.mark.parametrize("topic", TOPICS, ids=NAMES)
def test_a_compacted_topic_is_never_cut_by_age(topic: Topic) -> None:
    config = topic.config()
    assert ("cleanup.policy" in config) == topic.compacted
    assert ("retention.ms" in config) != topic.compacted


def test_the_list_names_every_topic_whole_at_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(topics_command, "existing_topics", lambda _: set(NAMES[:3]))
    monkeypatch.setattr(topics_command, "settings", lambda: Settings(_env_file=None))
    topics_command.list_topics(False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == NAMES
    assert all(len(line) <= 80 for line in lines)
    assert sum("not on the broker" in line for line in lines) == len(NAMES) - 3
