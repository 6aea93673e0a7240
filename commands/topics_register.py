"""`uncia topics register`: the JSON Schemas of the topics, in a schema registry."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import typer

from uncia.events.schemas import standalone_schema
from uncia.kafka.schema_registry import SchemaRefused, SchemaRegistry
from uncia.settings import Settings, read_settings
from uncia.terminal import echo, echo_json
from uncia.topics import TOPICS


class CompatibilityOption(StrEnum):
    """The levels of Confluent's API, and `keep`."""

    KEEP = "keep"
    NONE = "none"
    BACKWARD = "backward"
    BACKWARD_TRANSITIVE = "backward_transitive"
    FORWARD = "forward"
    FORWARD_TRANSITIVE = "forward_transitive"
    FULL = "full"
    FULL_TRANSITIVE = "full_transitive"


def register(
    registry: str = typer.Argument("", help="URL of the registry's Confluent API; default: UNCIA_SCHEMA_REGISTRY."),
    compatibility: CompatibilityOption = typer.Option(
        CompatibilityOption.FORWARD,
        help="Which changes the registry is to accept in later versions of a schema. Events change by new optional "
        "fields, which is forward compatible; `keep` leaves the registry's level.",
        case_sensitive=False,
    ),
    check: bool = typer.Option(False, "--check", help="Register nothing; exit with status 1 when a schema is missing."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Register the JSON Schema of each topic's events in a schema registry, as the subject TOPIC-value.

    For registries with Confluent's API: Confluent's own, and Apicurio's with /apis/ccompat/v7 at the end of its URL.
    A schema that is registered is left as it is.
    """
    settings = read_settings(**({"schema_registry": registry} if registry else {}))
    client = SchemaRegistry.of(settings)
    level = None if compatibility is CompatibilityOption.KEEP else compatibility.upper()
    results = []
    for subject, schema in subjects(settings):
        results.append(_register(client, subject, schema, level, check=check))
        if not as_json:
            echo(_line(results[-1]))
    if as_json:
        echo_json(results)
    if any(result["state"] in ("missing", "refused") for result in results):
        raise typer.Exit(1)


def subjects(settings: Settings) -> Iterator[tuple[str, str]]:
    """The subject of each topic with events, named as by Confluent's `TopicNameStrategy`, and its schema as text."""
    for topic in TOPICS:
        if topic.event is not None:
            yield f"{topic.full_name(settings)}-value", json.dumps(standalone_schema(topic.event), ensure_ascii=False)


def _register(client: SchemaRegistry, subject: str, schema: str, level: Any, *, check: bool) -> dict[str, Any]:
    """What was done with one schema, as JSON."""
    found, state = client.find(subject, schema), "present"
    if found is None:
        if check:
            return {"subject": subject, "state": "missing"}
        if level is not None:
            client.set_compatibility(subject, level)
        try:
            found, state = client.register(subject, schema), "registered"
        except SchemaRefused as error:
            return {"subject": subject, "state": "refused", "message": str(error)}
    return {"subject": subject, "state": state, "version": found.version, "id": found.id}


def _line(result: dict[str, Any]) -> str:
    if "message" in result:
        return f"{result['state']:10}  {result['message']}"
    place = f"  version {result['version']}, id {result['id']}" if "version" in result else ""
    return f"{result['state']:10}  {result['subject']}{place}"
