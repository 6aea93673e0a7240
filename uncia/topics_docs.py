"""`docs/events.md` and `docs/asyncapi.json`, made from the topic registry and the wire models."""

import json
from pathlib import Path
from typing import Any

from uncia import __version__
from uncia.events import Event
from uncia.topics import TOPICS, Topic

_HEADER = """# Events

*Made from the topic registry by `uncia topics docs`; change `uncia/topics.py` or `uncia/events/`, not this page.*

Every event is one JSON object with the field `event` naming its topic and major version. Readers ignore fields
that they do not know. A breaking change is a new version beside the old one. Times with an offset are UTC;
capture times are the camera's own clock and carry none. The same in machine's words: [asyncapi.json](asyncapi.json).
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
        lines += ["", f"## `{topic.name}`", "", topic.holds, ""]
        if topic.event is None:
            lines.append(f"Format: {topic.format}.")
            continue
        schema = topic.event.model_json_schema(mode="serialization")
        lines += _table(schema)
        for name, part in sorted(schema.get("$defs", {}).items()):
            lines += [
                "",
                f"### {name} (in `{topic.name}`)",
                "",
                part.get("description", "").split("\n")[0],
                "",
            ]
            lines += _table(part) if "properties" in part else [_values(part)]
    return "\n".join(lines) + "\n"


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "compacted"
    return "for ever" if topic.retention_days is None else f"{topic.retention_days} days"


def _values(part: dict[str, Any]) -> str:
    return "One of " + ", ".join(f"`{value}`" for value in part.get("enum", ())) + "."


def _table(schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = ["| field | type | always | meaning |", "|---|---|---|---|"]
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


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document, with Kafka bindings 0.5."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic in TOPICS:
        name = topic.name.replace(".", "-")
        channels[name] = {
            "address": topic.name,
            "description": topic.holds,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {
                "kafka": {
                    "topic": topic.name,
                    "topicConfiguration": _kafka_config(topic),
                    "bindingVersion": "0.5.0",
                }
            },
        }
        messages[name] = _message(topic)
        for role, action, parties in (("send", "send", topic.writers), ("receive", "receive", topic.readers)):
            for party in parties:
                operations[f"{party.replace(' ', '-')}-{role}-{name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "summary": f"{party} {'writes' if role == 'send' else 'reads'} {topic.name}",
                }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Uncia",
            "version": __version__,
            "description": "Camera traps as a live, replayable stream.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
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
    message: dict[str, Any] = {
        "name": topic.name,
        "summary": topic.holds,
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }
    if topic.event is None:
        return {**message, "contentType": "application/octet-stream", "description": topic.format}
    return {**message, "contentType": "application/json", "payload": _payload(topic.event)}


def _payload(event: type[Event]) -> dict[str, Any]:
    schema = event.model_json_schema(mode="serialization", ref_template="#/{model}")
    inlined: dict[str, Any] = _inline(schema, schema.pop("$defs", {}))
    inlined["properties"] = {"event": {"const": event.topic}, **inlined["properties"]}
    return inlined


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    """Schemas without references, so that each message stands alone."""
    if isinstance(node, dict):
        if "$ref" in node:
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**_inline(definitions[str(node["$ref"]).rsplit("/", 1)[-1]], definitions), **rest}
        return {key: _inline(value, definitions) for key, value in node.items()}
    if isinstance(node, list):
        return [_inline(value, definitions) for value in node]
    return node
