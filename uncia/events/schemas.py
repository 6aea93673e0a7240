"""JSON Schemas of all events, each under a name of its own, made from the wire models.

They keep to what JSON Schema draft 7 and draft 2020-12 share, so that validators and code generators of either read
them alike. A field is required where every version of its event has had it; none is ever written as null.
"""

from collections.abc import Iterable
from typing import Any

from uncia.events import Event

REFERENCE = "#/components/schemas/{model}"


def schemas(events: Iterable[type[Event]]) -> dict[str, Any]:
    """Every event and every value inside one, by name; references lead to `#/components/schemas`."""
    found: dict[str, Any] = {}
    for event in events:
        schema = event.model_json_schema(mode="validation", ref_template=REFERENCE)
        parts = schema.pop("$defs", {})
        name_of_topic = f"{event.__name__}Topic"
        # An enumeration of one value: generators for Python write a `const` down as no Python (Modelina 5.10).
        parts[name_of_topic] = {
            "type": "string",
            "enum": [event.topic],
            "description": "The topic's name, and with it the major version.",
        }
        schema["properties"] = {"event": {"$ref": REFERENCE.format(model=name_of_topic)}, **schema["properties"]}
        schema["required"] = ["event", *schema.get("required", ())]
        for name, part in {event.__name__: schema, **parts}.items():
            cleaned = {"title": name, **_cleaned(part)}
            if found.setdefault(name, cleaned) != cleaned:
                raise ValueError(f"two schemas are called {name}")
    return dict(sorted(found.items()))


def _cleaned(node: Any) -> Any:
    """Without the titles that repeat a field's name, without nulls, and without defaults.

    A default is what our reader takes for a field that older events lack. Generators make initial values of them, and
    Java that does not compile of an empty list.
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
