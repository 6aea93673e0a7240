"""YAML files that people write: values out of nodes, and every mistake with its line and column."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from uncia.errors import SettingsError

__all__ = [
    "FileMistakes",
    "Mistake",
    "Wrong",
    "compose",
    "count",
    "duration",
    "items",
    "mapping",
    "names",
    "one_of",
    "read_text",
    "refuse_emptied",
    "sequence",
    "switch",
    "text",
]

_MOST_MISTAKES = 20
_Named = TypeVar("_Named", bound=StrEnum)


@dataclass(frozen=True)
class Mistake:
    """What is wrong at one place of the file; line and column count from 1."""

    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.text}"


class FileMistakes(SettingsError):
    """The file cannot be used."""

    def __init__(self, name: str, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        shown = [f"{name}, {mistake}" for mistake in mistakes[:_MOST_MISTAKES]]
        if len(mistakes) > _MOST_MISTAKES:
            shown.append(f"and {len(mistakes) - _MOST_MISTAKES} more")
        super().__init__("\n".join(shown))


def read_text(path: Path, what: str, most_bytes: int) -> str:
    """The text of a file. Raises `FileMistakes` unless it is UTF-8, or `SettingsError` where it cannot be read.

    `what`: what the file is, for messages, such as "the alert rules".
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise SettingsError(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(data) > most_bytes:
        raise SettingsError(f"{what} {path} have more than {most_bytes // 1_048_576} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileMistakes(str(path), [Mistake(line, 1, "the file is not UTF-8")]) from error


def refuse_emptied(path: Path) -> None:
    """Raises `SettingsError` for a file without content, which an editor leaves before it writes the new one."""
    try:
        if not path.read_bytes().strip():
            raise SettingsError(f"{path} is empty")
    except OSError as error:
        raise SettingsError(str(error)) from error


class Wrong(Exception):
    """One mistake ends the reading of a value."""

    def __init__(self, mark: Any, text: str) -> None:
        self.mistake = Mistake(mark.line + 1, mark.column + 1, text) if mark else Mistake(1, 1, text)
        super().__init__(text)


def compose(text: str) -> yaml.Node | None:
    """The root node of a text; None for an empty one. Raises `Wrong`."""
    try:
        _check_tokens(text)
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise Wrong(error.problem_mark or error.context_mark, str(error.problem or error.context)) from error
    except yaml.YAMLError as error:
        raise Wrong(None, f"not YAML: {' '.join(str(error).split())}") from error


def _check_tokens(text: str) -> None:
    """Refuse what no file needs, and what can cost a parser much: aliases repeat values, nesting takes its stack."""
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise Wrong(token.start_mark, "anchors and aliases (& and *) are not supported: put * in quotes")
        if isinstance(token, _OPENING):
            depth += 1
        elif isinstance(token, _CLOSING):
            depth -= 1
        if depth > _DEEPEST:
            raise Wrong(token.start_mark, "the file is nested too deeply")


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
_DEEPEST = 10


def mapping(node: yaml.Node, what: str, known: set[str]) -> dict[str, yaml.Node]:
    """The values of a mapping by key. Raises `Wrong` for an unknown key and for a second one of the same name."""
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(node.start_mark, f"{what} must consist of `key: value`")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Wrong(key.start_mark, f"{what} must consist of `key: value`: put braces and brackets in quotes")
        if key.value not in known:
            near = difflib.get_close_matches(str(key.value), known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise Wrong(key.start_mark, f"{what} has no {str(key.value)[:50]!r}: {meant}")
        if key.value in found:
            raise Wrong(key.start_mark, f"{key.value!r} is given twice")
        found[key.value] = value
    return found


def sequence(node: yaml.Node) -> list[yaml.Node]:
    """The items of a list."""
    if not isinstance(node, yaml.SequenceNode):
        raise Wrong(node.start_mark, "a list is expected: one line for each, beginning with `- `")
    return list(node.value)


def items(node: yaml.Node) -> list[yaml.Node]:
    """The items of a list; of a single value, this value."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def text(node: yaml.Node) -> str:
    """A line of text."""
    if not isinstance(node, yaml.ScalarNode):
        raise Wrong(node.start_mark, "one value is expected")
    value = str(node.value).strip()
    if not value:
        raise Wrong(node.start_mark, "the value is empty")
    if len(value) > 200 or not value.isprintable():
        raise Wrong(node.start_mark, "the value has more than 200 characters, or some that cannot be printed")
    return value


def names(node: yaml.Node) -> tuple[str, ...]:
    """One or several lines of text."""
    return tuple(text(item) for item in items(node))


def one_of(kind: type[_Named]) -> Callable[[yaml.Node], _Named]:
    """A reader of the values of an enumeration."""

    def read(node: yaml.Node) -> _Named:
        try:
            return kind(text(node).lower())
        except ValueError:
            raise Wrong(node.start_mark, f"use one of {', '.join(kind)}") from None

    return read


def count(node: yaml.Node) -> int:
    """A number from 1 to 9999."""
    value = text(node)
    if not re.fullmatch(r"[1-9][0-9]{0,3}", value):
        raise Wrong(node.start_mark, "a number from 1 to 9999 is expected")
    return int(value)


def switch(node: yaml.Node) -> bool:
    """True or false."""
    value = text(node).lower()
    if value not in ("true", "false", "yes", "no"):
        raise Wrong(node.start_mark, "use true or false")
    return value in ("true", "yes")


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(node: yaml.Node) -> timedelta:
    """A duration, such as `15m`."""
    found = re.fullmatch(r"([0-9]{1,6})\s*([smhd])|0", text(node))
    if not found:
        raise Wrong(node.start_mark, "a duration is a number and a unit: 30s, 15m, 12h or 3d")
    length = timedelta(seconds=int(found[1] or 0) * _SECONDS[found[2] or "s"])
    if length > timedelta(days=3650):
        raise Wrong(node.start_mark, "the duration exceeds ten years")
    return length
