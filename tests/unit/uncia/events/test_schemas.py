"""Every event that is written validates against the schema that is published, formats included."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.uncia.events.event_strategies import events_of
from uncia.errors import PermanentError
from uncia.events import Event
from uncia.reference import events_page
from uncia.topics import TOPICS

GOLDEN = Path(__file__).parent / "golden"
DOCUMENT = events_page.asyncapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
EVENTS: dict[str, type[Event]] = {topic.event.topic: topic.event for topic in TOPICS if topic.event is not None}
SAMPLES = sorted(path for path in GOLDEN.glob("*.json") if not path.name.endswith(".headers.json"))

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER
"""Checks `date-time` with rfc3339-validator, which the tests install."""


def validate(body: dict[str, Any], validator: Any = jsonschema.Draft202012Validator, topic: str = "") -> None:
    name = EVENTS[topic or body["event"]].__name__
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    validator(schema, format_checker=FORMATS).validate(body)


def test_the_format_of_moments_is_checked_here() -> None:
    body = json.loads((GOLDEN / "camera.clock.ticked.v1.json").read_text())
    validate(body)
    for wrong in ("2026-05-01T10:00:00", "2026-13-01T10:00:00Z", "today"):
        with pytest.raises(jsonschema.ValidationError):
            validate({**body, "now": wrong})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("validator", [jsonschema.Draft7Validator, jsonschema.Draft202012Validator])
def test_golden_events_validate_under_either_draft(path: Path, validator: Any) -> None:
    validate(json.loads(path.read_text(encoding="utf-8")), validator)


def test_the_samples_have_every_event_and_every_field() -> None:
    found: set[tuple[str, str]] = set()

    def collect(schema: dict[str, Any], value: Any) -> None:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
        if isinstance(value, list):
            for element in value:
                collect(schema["items"], element)
        for name, field in schema.get("properties", {}).items():
            if name in value:
                found.add((schema["title"], name))
                collect(field, value[name])

    for path in SAMPLES:
        body = json.loads(path.read_text(encoding="utf-8"))
        collect({"$ref": EVENTS[body["event"]].__name__}, body)
    assert found == {(title, name) for title, schema in SCHEMAS.items() for name in schema.get("properties", {})}


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
def test_whatever_can_be_written_validates_and_reads_back_the_same(data: st.DataObject) -> None:
    event = data.draw(events_of(data.draw(st.sampled_from(sorted(EVENTS.values(), key=lambda event: event.__name__)))))
    raw = event.to_bytes()
    validate(json.loads(raw))
    assert type(event).from_bytes(raw).to_bytes() == raw


def test_a_capture_time_with_an_offset_is_read_as_what_the_clock_showed() -> None:
    body = json.loads((GOLDEN / "camera.image.predicted.v1.json").read_text())
    body["capture"]["time"] = "2026-05-14T21:36:00+05:45"
    with pytest.raises(jsonschema.ValidationError):
        validate(body)
    written = EVENTS[body["event"]].from_bytes(json.dumps(body).encode()).to_bytes()
    assert json.loads(written)["capture"]["time"] == "2026-05-14T21:36:00"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_lacks_a_required_field_is_refused_by_schema_and_reader_alike(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    for field in SCHEMAS[EVENTS[body["event"]].__name__]["required"]:
        poor = {name: value for name, value in body.items() if name != field}
        with pytest.raises(PermanentError):
            EVENTS[body["event"]].from_bytes(json.dumps(poor).encode())
        with pytest.raises(jsonschema.ValidationError):
            validate(poor, topic=body["event"])


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema, itself included."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(value)


def test_every_schema_has_a_name_that_no_other_has() -> None:
    titles = [schema["title"] for schema in SCHEMAS.values()]
    assert titles == list(SCHEMAS)
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch("[A-Z][A-Za-z0-9]+", title) for title in titles)


def test_what_generators_make_a_type_of_is_never_without_a_name() -> None:
    for schema in SCHEMAS.values():
        fields = [field for field in parts(schema.get("properties", {})) if "type" in field and "$ref" not in field]
        for field in fields:
            assert not {"properties", "enum", "const", "anyOf", "oneOf", "allOf", "prefixItems", "title"} & set(field)


def test_capture_times_are_no_moments_and_moments_are() -> None:
    assert SCHEMAS["Capture"]["properties"]["time"]["$ref"].endswith("/LocalTime")
    assert "format" not in SCHEMAS["LocalTime"]
    assert SCHEMAS["ImageUploaded"]["properties"]["uploaded_at"]["format"] == "date-time"


def test_payloads_say_of_what_format_their_schema_is() -> None:
    for topic in TOPICS:
        message = DOCUMENT["components"]["messages"][topic.name.replace(".", "-")]
        if topic.event is not None:
            assert message["payload"] == {
                "schemaFormat": "application/vnd.aai.asyncapi+json;version=3.1.0",
                "schema": {"$ref": f"#/components/schemas/{topic.event.__name__}"},
            }
