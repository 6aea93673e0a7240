"""The documents made from the registry are current, and what they claim to be."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.paths import ROOT
from tests.waiting import SCALE
from uncia.reference import events_page
from uncia.topics import TOPICS
from uncia.topology import readers, writers


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return events_page.asyncapi()


def resolve(document: dict[str, Any], reference: str) -> Any:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("name", ["events.md", "asyncapi.json"])
def test_the_committed_documents_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == events_page.render(Path())[Path(name)]


def test_the_document_is_asyncapi_3_with_all_that_it_requires(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.1.0"
    assert {"title", "version"} <= set(document["info"])
    allowed = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert set(document) <= allowed


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert references(document)
    for reference in references(document):
        assert resolve(document, reference) is not None


def test_every_topic_is_a_channel_with_its_kafka_settings(document: dict[str, Any]) -> None:
    channels = {channel["address"]: channel for channel in document["channels"].values()}
    assert set(channels) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        kafka = channels[topic.name]["bindings"]["kafka"]
        assert kafka["topicConfiguration"]["cleanup.policy"] == ["compact" if topic.compacted else "delete"]


def test_every_writer_sends_and_every_reader_receives(document: dict[str, Any]) -> None:
    operations = [
        (operation["action"], resolve(document, operation["channel"]["$ref"])["address"])
        for operation in document["operations"].values()
    ]
    expected = [("send", topic.name) for topic in TOPICS for _ in writers(topic)]
    expected += [("receive", topic.name) for topic in TOPICS for _ in readers(topic)]
    assert sorted(operations) == sorted(expected)


def test_names_of_operations_and_components_are_plain(document: dict[str, Any]) -> None:
    names = [*document["operations"], *document["channels"], *(n for c in document["components"].values() for n in c)]
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9-]+", name)] == []


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.Draft202012Validator.check_schema(schema)


def test_check_says_which_page_is_out_of_date(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "uncia", "topics", "docs", "--folder", str(tmp_path), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SCALE * 30,
    )
    assert ended.returncode == 1
    assert "events.md" in ended.stderr
    assert not list(tmp_path.iterdir())
