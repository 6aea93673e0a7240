"""`docs/settings.md`, made from the settings model: one table per section, in the order of the module."""

import inspect
import json
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from uncia.settings import Settings

_HEADER = """# Settings

*Made from `uncia/settings.py` by `uncia settings docs`; change that module, not this page.*

A setting is an environment variable. What the environment does not say is read from `stack.env` in the folder
`UNCIA_STACK_DIR` (default `.local/stack`), which `uncia up` writes, and then from the defaults below. A wrong value
stops a process at its start with a sentence that names the variable. `uncia settings show` prints what a process
here would use, without the secrets.
"""


@dataclass(frozen=True)
class Setting:
    """One setting, ready to be shown."""

    variable: str
    section: str
    kind: str
    default: str
    meaning: str


def all_settings() -> list[Setting]:
    """Every setting in the order of the module; its section is the comment that heads it there."""
    sections = _sections()
    return [
        Setting(
            variable=f"UNCIA_{name.upper()}",
            section=sections[name],
            kind=_kind(field.annotation),
            default=_default(field),
            meaning=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def settings_page() -> str:
    """The page for people."""
    lines = [_HEADER.rstrip()]
    section = ""
    for setting in all_settings():
        if setting.section != section:
            section = setting.section
            lines += ["", f"## {section}", "", "| variable | type | default | meaning |", "|---|---|---|---|"]
        cells = (f"`{setting.variable}`", setting.kind, setting.default, setting.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def settings_in_force(settings: Settings) -> dict[str, Any]:
    """The values in force by variable, as JSON writes them; secrets only say whether they are set."""
    values: dict[str, Any] = settings.model_dump(mode="json")
    for name in Settings.model_fields:
        if isinstance(getattr(settings, name), SecretStr):
            values[name] = "(set, not shown)"
    return {f"UNCIA_{name.upper()}": value for name, value in values.items()}


def _sections() -> dict[str, str]:
    """Section of each field. A section is a comment of one line with an empty line above it."""
    found: dict[str, str] = {}
    section, above = "", ""
    for line in inspect.getsource(Settings).splitlines():
        code = line.strip()
        if code.startswith("# ") and not above:
            section = code.removeprefix("# ")
        name = code.split(":", 1)[0]
        if name in Settings.model_fields and line.startswith(f"    {name}:"):
            found[name] = section
        above = code
    return found


def _kind(annotation: Any) -> str:
    options = [option for option in get_args(annotation) if option is not type(None)]
    origin = get_origin(annotation)
    if origin is tuple:
        return "list, comma-separated"
    if origin is dict:
        return "JSON object"
    if options and all(isinstance(option, str) for option in options):
        return "one of " + ", ".join(f"`{option}`" for option in options)
    if options:
        return " or ".join(_kind(option) for option in options)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no", "SecretStr": "secret"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name.lower())


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, tuple):
        return f"`{', '.join(value)}`"
    return f"`{json.dumps(value) if isinstance(value, dict | bool) else value}`"
