"""One golden sample per event and case: what was written once must be read for ever, and written the same again."""

import json
from pathlib import Path
from typing import Any

import pytest

from uncia.errors import PermanentError
from uncia.events import DeadLetter, Event
from uncia.topics import TOPICS

GOLDEN = Path(__file__).parent / "golden"
EVENTS: dict[str, type[Event]] = {topic.event.topic: topic.event for topic in TOPICS if topic.event is not None}
HEADERS = "uncia.dead-letter.v1.headers.json"
SAMPLES = sorted(path.name for path in GOLDEN.glob("*.json") if path.name != HEADERS)


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return loaded


def read(body: dict[str, Any]) -> Event:
    return EVENTS[body["event"]].from_bytes(json.dumps(body).encode())


def with_news(node: Any) -> Any:
    """The same with a field that no reader knows yet in every object."""
    if isinstance(node, dict):
        return {**{name: with_news(value) for name, value in node.items()}, "of_tomorrow": {"deep": [1]}}
    return [with_news(value) for value in node] if isinstance(node, list) else node


def fields_of(node: Any, path: str = "") -> set[str]:
    """Every field by its path, lists looked into."""
    if isinstance(node, dict):
        below = [fields_of(value, f"{path}.{name}" if path else name) for name, value in node.items()]
        return {f"{path}.{name}" if path else name for name in node}.union(*below)
    return set().union(*(fields_of(value, path) for value in node)) if isinstance(node, list) else set()


def fields_of_schema(node: dict[str, Any], definitions: dict[str, Any], path: str = "") -> set[str]:
    """Every field that the model can write, by its path."""
    if "$ref" in node:
        return fields_of_schema(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions, path)
    parts = [*node.get("anyOf", ()), *([node["items"]] if isinstance(node.get("items"), dict) else [])]
    found = set().union(*(fields_of_schema(part, definitions, path) for part in parts))
    for name, field in node.get("properties", {}).items():
        full = f"{path}.{name}" if path else name
        found |= {full} | fields_of_schema(field, definitions, full)
    return found


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_every_event_has_a_golden_sample(topic: str) -> None:
    assert f"{topic}.json" in SAMPLES


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_every_field_is_in_a_golden_sample(topic: str) -> None:
    # A field that is added gets its sample here; one that vanished would break its readers.
    schema = EVENTS[topic].model_json_schema(mode="serialization")
    written = set().union(*(fields_of(sample(name)) for name in SAMPLES if sample(name)["event"] == topic))
    assert fields_of_schema(schema, schema.get("$defs", {})) | {"event"} == written


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_reads_and_writes_the_same_json(name: str) -> None:
    assert json.loads(read(sample(name)).to_bytes()) == sample(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_was_written_reads_as_the_same_event(name: str) -> None:
    event = read(sample(name))
    assert type(event).from_bytes(event.to_bytes()) == event


@pytest.mark.parametrize("name", SAMPLES)
def test_unknown_fields_are_ignored_at_every_depth(name: str) -> None:
    assert read(with_news(sample(name))) == read(sample(name))


@pytest.mark.parametrize("name", SAMPLES)
def test_another_version_is_refused_by_name(name: str) -> None:
    body = sample(name)
    newer = body["event"].removesuffix("v1") + "v2"
    with pytest.raises(PermanentError) as caught:
        EVENTS[body["event"]].from_bytes(json.dumps({**body, "event": newer}).encode())
    assert caught.value.reason == "schema-unknown"
    assert newer in str(caught.value)
    assert body["event"] in str(caught.value)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_missing_field_is_refused_by_name(name: str) -> None:
    body = sample(name)
    event = EVENTS[body["event"]]
    required = next(field for field, info in event.model_fields.items() if info.is_required())
    del body[required]
    with pytest.raises(PermanentError) as caught:
        event.from_bytes(json.dumps(body).encode())
    assert caught.value.reason == "schema-invalid"
    assert required in str(caught.value)


@pytest.mark.parametrize(
    "raw", [None, b"", b"\xff\xfe", b"[]", b"7", b'"text"', b"{", b"[" * 100_000], ids=lambda raw: repr(raw)[:12]
)
def test_what_is_no_json_object_is_refused(raw: bytes | None) -> None:
    with pytest.raises(PermanentError) as caught:
        next(iter(EVENTS.values())).from_bytes(raw)
    assert caught.value.reason == "schema-invalid"


def test_a_dead_letters_headers_are_golden_too() -> None:
    headers = [(name, value.encode()) for name, value in sample(HEADERS).items()]
    assert DeadLetter.from_headers(headers).headers() == headers


def test_a_dead_letter_without_headers_is_still_readable() -> None:
    assert DeadLetter.from_headers([]) == DeadLetter("", -1, -1, "", "", "")
