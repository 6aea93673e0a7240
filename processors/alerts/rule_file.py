"""The file of alert rules: YAML in, rules out, and every mistake with its line and column."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import BurstCategory, Severity
from uncia.processors.alerts.rules import Rule

__all__ = ["Mistake", "RuleFile", "RuleFileError", "parse_rules", "read_rules"]

MOST_BYTES = 16 * 1_048_576
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


class RuleFileError(SettingsError):
    """The file cannot be used."""

    def __init__(self, name: str, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        shown = [f"{name}, {mistake}" for mistake in mistakes[:_MOST_MISTAKES]]
        if len(mistakes) > _MOST_MISTAKES:
            shown.append(f"and {len(mistakes) - _MOST_MISTAKES} more")
        super().__init__("\n".join(shown))


@dataclass(frozen=True)
class RuleFile:
    """What a file holds: the rules, in their order, and what is probably not meant."""

    rules: tuple[Rule, ...]
    warnings: tuple[Mistake, ...] = ()


def read_rules(path: Path, taxonomy: Taxonomy) -> RuleFile:
    """Read a file. Raises `RuleFileError` with every mistake, or `SettingsError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"the alert rules {path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise SettingsError(f"the alert rules {path} have more than {MOST_BYTES // 1_048_576} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RuleFileError(str(path), [Mistake(line, 1, "the file is not UTF-8")]) from error
    return parse_rules(text, str(path), taxonomy)


def parse_rules(text: str, name: str, taxonomy: Taxonomy) -> RuleFile:
    """Parse the text of a file called `name`. Raises `RuleFileError`."""
    try:
        root = _compose(text)
        reader = _Reader(taxonomy)
        rules = reader.rules(root)
    except _Wrong as wrong:
        raise RuleFileError(name, [wrong.mistake]) from wrong
    if reader.mistakes:
        raise RuleFileError(name, sorted(reader.mistakes, key=lambda one: (one.line, one.column)))
    return RuleFile(tuple(rules), tuple(reader.warnings))


class _Wrong(Exception):
    """One mistake ends the reading of a value."""

    def __init__(self, mark: Any, text: str) -> None:
        self.mistake = Mistake(mark.line + 1, mark.column + 1, text) if mark else Mistake(1, 1, text)
        super().__init__(text)


def _compose(text: str) -> yaml.Node | None:
    try:
        _check_tokens(text)
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _Wrong(error.problem_mark or error.context_mark, str(error.problem or error.context)) from error
    except yaml.YAMLError as error:
        raise _Wrong(None, f"not YAML: {' '.join(str(error).split())}") from error


def _check_tokens(text: str) -> None:
    """Refuse what no rule needs, and what can cost a parser much: aliases repeat values, nesting takes its stack."""
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise _Wrong(token.start_mark, "anchors and aliases (& and *) are not supported: put * in quotes")
        if isinstance(token, _OPENING):
            depth += 1
        elif isinstance(token, _CLOSING):
            depth -= 1
        if depth > _DEEPEST:
            raise _Wrong(token.start_mark, "the file is nested too deeply")


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
_DEEPEST = 10


class _Reader:
    """Builds rules out of nodes, and collects mistakes."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []

    def rules(self, root: yaml.Node | None) -> list[Rule]:
        if root is None:
            return []
        top = _mapping(root, "the file", {"rules"})
        if "rules" not in top:
            raise _Wrong(root.start_mark, "the file has no list `rules`")
        found: dict[str, Rule] = {}
        for node in _sequence(top["rules"]):
            try:
                rule = self._rule(node)
                if rule.name in found:
                    raise _Wrong(node.start_mark, f"a second rule is called {rule.name!r}")
                found[rule.name] = rule
            except _Wrong as wrong:
                self.mistakes.append(wrong.mistake)
        return list(found.values())

    def _rule(self, node: yaml.Node) -> Rule:
        fields = _mapping(node, "a rule", {"name", "taxon", *_FIELDS})
        values: dict[str, Any] = {}
        for key, read in {"name": _name, "taxon": self._taxa, **_FIELDS}.items():
            if key in fields:
                try:
                    values[_ATTRIBUTES.get(key, key)] = read(fields[key])
                except _Wrong as wrong:
                    self.mistakes.append(wrong.mistake)
        if "name" not in fields:
            raise _Wrong(node.start_mark, "the rule has no `name`")
        if "name" not in values:
            raise _Wrong(fields["name"].start_mark, "the name cannot be used")
        rule = Rule(**values, silent="silent_for" in fields)
        self._check(rule, fields, node)
        return rule

    def _check(self, rule: Rule, fields: Mapping[str, yaml.Node], node: yaml.Node) -> None:
        if rule.silent:
            for key in fields:
                if key in _OF_BURSTS:
                    raise _Wrong(fields[key].start_mark, f"a rule with `silent_for` has no `{key}`: it has no bursts")
            return
        if "category" not in fields and "taxon" not in fields:
            raise _Wrong(node.start_mark, f"the rule {rule.name!r} has neither `taxon` nor `category` nor `silent_for`")
        if rule.taxa and rule.category not in (None, BurstCategory.ANIMAL):
            raise _Wrong(fields["category"].start_mark, f"no {rule.category} has a taxon: remove one of the two")
        if rule.min_confidence is not None and rule.category not in (None, BurstCategory.ANIMAL):
            raise _Wrong(
                fields["min_confidence"].start_mark, f"verdicts have no probability of a {rule.category}: remove this"
            )

        if "rare" in fields and rule.rare is not None and rule.rare <= rule.encounter:
            raise _Wrong(fields["rare"].start_mark, "`rare` must be longer than `encounter`, 30m by default")
        if "rare_by" in fields and "rare" not in fields:
            raise _Wrong(fields["rare_by"].start_mark, "`rare_by` needs `rare`")

    def _taxa(self, node: yaml.Node) -> tuple[str, ...]:
        names = _names(node)
        for item, name in zip(_items(node), names, strict=True):
            if name not in self._taxonomy:
                near = difflib.get_close_matches(name, self._taxonomy.names, 1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                text = f"the taxonomy does not have {name!r}{meant}"
                self.warnings.append(_Wrong(item.start_mark, text).mistake)
        return names


def _mapping(node: yaml.Node, what: str, known: set[str]) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node.start_mark, f"{what} must consist of `key: value`")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value not in known or not isinstance(key, yaml.ScalarNode):
            near = difflib.get_close_matches(str(key.value), known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise _Wrong(key.start_mark, f"{what} has no {str(key.value)[:50]!r}: {meant}")
        if key.value in found:
            raise _Wrong(key.start_mark, f"{key.value!r} is given twice")
        found[key.value] = value
    return found


def _sequence(node: yaml.Node) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node.start_mark, "a list is expected: one line for each, beginning with `- `")
    return list(node.value)


def _items(node: yaml.Node) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node.start_mark, "one value is expected")
    value = str(node.value).strip()
    if not value:
        raise _Wrong(node.start_mark, "the value is empty")
    if len(value) > 200 or not value.isprintable():
        raise _Wrong(node.start_mark, "the value has more than 200 characters, or some that cannot be printed")
    return value


def _name(node: yaml.Node) -> str:
    return _text(node)


def _names(node: yaml.Node) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(node))


def _one_of(kind: type[_Named]) -> Callable[[yaml.Node], _Named]:
    def read(node: yaml.Node) -> _Named:
        try:
            return kind(_text(node).lower())
        except ValueError:
            raise _Wrong(node.start_mark, f"use one of {', '.join(kind)}") from None

    return read


def _share(node: yaml.Node) -> float:
    try:
        value = float(_text(node))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise _Wrong(node.start_mark, "a number from 0 to 1 is expected")
    return value


def _count(node: yaml.Node) -> int:
    text = _text(node)
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise _Wrong(node.start_mark, "a number from 1 to 9999 is expected")
    return int(text)


def _switch(node: yaml.Node) -> bool:
    text = _text(node).lower()
    if text not in ("true", "false", "yes", "no"):
        raise _Wrong(node.start_mark, "use true or false")
    return text in ("true", "yes")


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(node: yaml.Node) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})\s*([smhd])|0", _text(node))
    if not found:
        raise _Wrong(node.start_mark, "a duration is a number and a unit: 30s, 15m, 12h or 3d")
    length = timedelta(seconds=int(found[1] or 0) * _SECONDS[found[2] or "s"])
    if length > timedelta(days=3650):
        raise _Wrong(node.start_mark, "the duration exceeds ten years")
    return length


def _age(node: yaml.Node) -> timedelta | None:
    return None if _text(node).lower() == "any" else _duration(node)


def _rare_by(node: yaml.Node) -> bool:
    text = _text(node).lower()
    if text not in ("taxon", "rule"):
        raise _Wrong(node.start_mark, "use one of taxon, rule")
    return text == "rule"


def _silence(node: yaml.Node) -> timedelta | None:
    if _text(node).lower() == "deployment":
        return None
    length = _duration(node)
    if length < timedelta(hours=1):
        raise _Wrong(node.start_mark, "a silence is at least 1h, or `deployment` for the deployment's contact interval")
    return length


def _hours(node: yaml.Node) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})", _text(node))
    first, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3)) if found else (-1, -1)
    if not found or int(found[2]) > 59 or int(found[4]) > 59 or not (0 <= first < 1440 and 0 <= end <= 1440):
        raise _Wrong(node.start_mark, "hours are two times of the day, such as 20:00-05:00")
    if first == end:
        raise _Wrong(node.start_mark, "the two times are the same: leave `hours` out for the whole day")
    return first, end


_FIELDS: dict[str, Callable[[yaml.Node], Any]] = {
    "category": _one_of(BurstCategory),
    "min_confidence": _share,
    "uncertain": _switch,
    "stations": _names,
    "cameras": _names,
    "hours": _hours,
    "min_count": _count,
    "provisional": _switch,
    "encounter": _duration,
    "cooldown": _duration,
    "max_age": _age,
    "rare": _duration,
    "rare_by": _rare_by,
    "silent_for": _silence,
    "severity": _one_of(Severity),
    "channels": _names,
}
_ATTRIBUTES = {"taxon": "taxa", "rare_by": "rare_by_rule"}
_OF_BURSTS = frozenset({"taxon", *_FIELDS} - {"stations", "cameras", "cooldown", "severity", "channels", "silent_for"})
"""Fields that a rule about silence cannot have."""
