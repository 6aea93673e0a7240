"""JSON Schemas of all events, generated from the wire models, each with a unique name.

They use only what JSON Schema draft 7 and draft 2020-12 have in common, so that validators and code generators of both
interpret them in the same way. A field is required when every version of its event has had it; no field is ever null.
"""

from collections.abc import Iterable
from typing import Any

from uncia.events import Event

REFERENCE = "#/components/schemas/{model}"


_DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_DEFINITION = "#/definitions/{model}"


def standalone_schema(event: type[Event]) -> dict[str, Any]:
    """Return the schema of one event as a document of its own, in JSON Schema draft 7, which all registries read."""
    found = schemas([event], _DEFINITION)
    return {"$schema": _DRAFT_7, **found.pop(event.__name__), "definitions": found}


def schemas(events: Iterable[type[Event]], reference: str = REFERENCE) -> dict[str, Any]:
    """Return the schemas of the events and of the values in them, by name; references have the form `reference`."""
    found: dict[str, Any] = {}
    for event in events:
        schema = event.model_json_schema(mode="validation", ref_template=reference)
        parts = schema.pop("$defs", {})
        name_of_topic = f"{event.__name__}Topic"
        # An enumeration of one value, because Modelina 5.10 generates invalid Python from a `const`.
        parts[name_of_topic] = {
            "type": "string",
            "enum": [event.topic],
            "description": "The name of the topic, including the major version.",
        }
        schema["properties"] = {"event": {"$ref": reference.format(model=name_of_topic)}, **schema["properties"]}
        schema["required"] = ["event", *schema.get("required", ())]
        for name, part in {event.__name__: schema, **parts}.items():
            cleaned = {"title": name, **_cleaned(part)}
            if found.setdefault(name, cleaned) != cleaned:
                raise ValueError(f"two schemas have the name {name}")
    return dict(sorted(found.items()))


def _cleaned(node: Any) -> Any:
    """Remove titles that repeat a field's name, nulls, and defaults.

    A default is the value that our reader uses for a field that older events lack. Code generators would use it as an
    initial value, and Java with an empty list as a default does not compile.
    """
    if isinstance(node, list):
        return [_cleaned(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: value for key, value in node.items() if key not in ("title", "default")}
    options = [option for option in node.pop("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        node = {**options[0], **node}
        node.pop("title", None)
    elif options:
        node["anyOf"] = options
    properties = node.pop("properties", None)
    cleaned = {key: _cleaned(value) for key, value in node.items()}
    if properties is not None:
        cleaned["properties"] = {name: _cleaned(field) for name, field in properties.items()}
    return cleaned
