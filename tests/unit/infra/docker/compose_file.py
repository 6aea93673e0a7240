"""docker-compose.yml as the tests read it: variables substituted, merges and anchors resolved."""

import re
from functools import lru_cache
from typing import Any

import yaml

from tests.paths import ROOT

ENVIRONMENT = {"COMPOSE_PROFILES": "cpu"}

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def text() -> str:
    """The raw text of the file."""
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def variables() -> dict[str, tuple[str | None, str]]:
    """Every variable of the file: its kind (`?` required, `-` with a default, None) and the message or default."""
    return {found["name"]: (found["kind"], found["rest"] or "") for found in _VARIABLE.finditer(text())}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The document, with variables as in a new .env."""

    def fill(found: re.Match[str]) -> str:
        default = found["rest"] if found["kind"] == "-" else ""
        return ENVIRONMENT.get(found["name"], default)

    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(fill, text()))
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """The services by name."""
    found: dict[str, dict[str, Any]] = document()["services"]
    return found


def mounts(name: str) -> dict[str, tuple[str, bool]]:
    """The named volumes of a service: the path in the container, and whether it may write there."""
    found = [mount.split(":") for mount in services()[name].get("volumes", [])]
    return {source: (path, not options) for source, path, *options in found}


def uncia_commands() -> dict[str, dict[str, Any]]:
    """The services that run the program `uncia`, the entry point of our own image."""
    return {name: service for name, service in ours().items() if "entrypoint" not in service}


def ours() -> dict[str, dict[str, Any]]:
    """The services that run our own image."""
    return {name: service for name, service in services().items() if "build" in service}
