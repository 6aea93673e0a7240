"""`docs/events.md` and `docs/asyncapi.json`, made from the topic registry and the wire models."""

import json
import re
from pathlib import Path
from typing import Any

from uncia import __version__
from uncia.events.schemas import REFERENCE, schemas
from uncia.topics import TOPICS, Topic

_HEADER = """# Events

*Made from the topic registry by `uncia topics docs`; change `uncia/topics.py` or `uncia/events/`, not this page.*

Every event is one JSON object with the field `event` naming its topic and major version. Readers ignore fields
that they do not know. A breaking change is a new version beside the old one. Times with an offset are UTC;
capture times are the camera's own clock and carry none (`LocalTime`). A field that is not `always` there is left out
where it has no value, and never null. The same as AsyncAPI, with a JSON Schema for each event:
[asyncapi.json](asyncapi.json). Modelina and quicktype make Java, TypeScript, Go and Python of it that compile; a
generator that does not know AsyncAPI 3.1 yet takes the document with `3.0.0` in place of `3.1.0`.
"""


def render(folder: Path) -> dict[Path, str]:
    """The files and their texts."""
    return {
        folder / "events.md": events_page(),
        folder / "asyncapi.json": json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n",
    }


def events_page() -> str:
    """The page for people."""
    lines = [_HEADER, "| topic | key | kept | written by | read by |", "|---|---|---|---|---|"]
    lines += [
        f"| `{t.name}` | {t.key} | {_kept(t)} | {', '.join(t.writers)} | {', '.join(t.readers)} |" for t in TOPICS
    ]
    for topic in TOPICS:
        lines += ["", f"## `{topic.name}`", "", topic.description]
        if topic.event is None:
            lines += ["", f"Format: {topic.format}."]
            continue
        schema = topic.event.model_json_schema(mode="serialization")
        lines += _table(schema)
        for name, part in sorted(schema.get("$defs", {}).items()):
            lines += [
                "",
                f"### {name} (in `{topic.name}`)",
                "",
                part.get("description", "").split("\n")[0],
            ]
            lines += _table(part) if "properties" in part else _values(part)
    return "\n".join(lines) + "\n"


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "compacted"
    return "for ever" if topic.retention_days is None else f"{topic.retention_days} days"


def _values(part: dict[str, Any]) -> list[str]:
    if "enum" in part:
        return ["", "One of " + ", ".join(f"`{value}`" for value in part["enum"]) + "."]
    return [line for example in part.get("examples", ())[:1] for line in ("", f"For example `{example}`.")]


def _table(schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = ["", "| field | type | always | meaning |", "|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        always = "yes" if name in required and "null" not in _type(field) else ""
        meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{name}` | {_type(field)} | {always} | {meaning} |")
    return lines


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if field.get("type") == "array":
        inner = field.get("items")
        return f"list of {_type(inner)}" if inner else "list of numbers"
    return str(field.get("format") or field.get("type", "any"))


SPECIFICATION = "3.1.0"
_SCHEMA_FORMAT = f"application/vnd.aai.asyncapi+json;version={SPECIFICATION}"
_BINDING = "0.5.0"


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document, with Kafka bindings 0.5. Every schema stands under a name in its components."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    for topic in TOPICS:
        name = topic.name.replace(".", "-")
        channels[name] = {
            "address": topic.name,
            "description": topic.description,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {
                "kafka": {
                    "topic": topic.name,
                    "topicConfiguration": _kafka_config(topic),
                    "bindingVersion": _BINDING,
                }
            },
        }
        messages[name] = _message(topic)
        keys[_key_name(topic)] = {"title": _key_name(topic), "type": "string", "description": topic.key}
        for role, action, parties in (("send", "send", topic.writers), ("receive", "receive", topic.readers)):
            for party in parties:
                operations[f"{re.sub('[^a-z0-9]+', '-', party).strip('-')}-{role}-{name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "summary": f"{party} {'writes' if role == 'send' else 'reads'} {topic.name}",
                }
    events = {topic.event: None for topic in TOPICS if topic.event is not None}
    return {
        "asyncapi": SPECIFICATION,
        "info": {
            "title": "Uncia",
            "version": __version__,
            "description": "Camera traps as a live, replayable stream.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas(events) | keys},
    }


def _kafka_config(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    kafka: dict[str, Any] = {
        "cleanup.policy": [config.get("cleanup.policy", "delete")],
        "max.message.bytes": int(config["max.message.bytes"]),
    }
    if "retention.ms" in config:
        kafka["retention.ms"] = int(config["retention.ms"])
    return kafka


def _message(topic: Topic) -> dict[str, Any]:
    key = {"$ref": REFERENCE.format(model=_key_name(topic))}
    message: dict[str, Any] = {
        "name": topic.name,
        "title": _camel(topic),
        "summary": topic.description,
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
    }
    if topic.event is None:
        return {**message, "contentType": "application/octet-stream", "description": topic.format}
    payload = {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": REFERENCE.format(model=topic.event.__name__)}}
    return {**message, "contentType": "application/json", "payload": payload}


def _key_name(topic: Topic) -> str:
    return f"{_camel(topic)}Key"


def _camel(topic: Topic) -> str:
    return "".join(part.capitalize() for part in re.split("[.-]", topic.name))
