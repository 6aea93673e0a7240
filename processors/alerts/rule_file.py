"""The file of alert rules: YAML in, rules out, and every mistake with its line and column."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import BurstCategory, Severity
from uncia.processors.alerts.rules import Rule
from uncia.processors.yaml_positions import FileMistakes as RuleFileError
from uncia.processors.yaml_positions import Mistake
from uncia.processors.yaml_positions import Wrong as _Wrong
from uncia.processors.yaml_positions import compose as _compose
from uncia.processors.yaml_positions import count as _count
from uncia.processors.yaml_positions import duration as _duration
from uncia.processors.yaml_positions import items as _items
from uncia.processors.yaml_positions import mapping as _mapping
from uncia.processors.yaml_positions import names as _names
from uncia.processors.yaml_positions import one_of as _one_of
from uncia.processors.yaml_positions import read_text as _read_text
from uncia.processors.yaml_positions import sequence as _sequence
from uncia.processors.yaml_positions import switch as _switch
from uncia.processors.yaml_positions import text as _text

__all__ = ["Mistake", "RuleFile", "RuleFileError", "parse_rules", "read_rules"]

MOST_BYTES = 16 * 1_048_576


@dataclass(frozen=True)
class RuleFile:
    """What a file holds: the rules, in their order, and what is probably not meant."""

    rules: tuple[Rule, ...]
    warnings: tuple[Mistake, ...] = ()


def read_rules(path: Path, taxonomy: Taxonomy) -> RuleFile:
    """Read a file. Raises `RuleFileError` with every mistake, or `SettingsError` where it cannot be read."""
    text = _read_text(path, "the alert rules", MOST_BYTES)
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


def _name(node: yaml.Node) -> str:
    return _text(node)


def _share(node: yaml.Node) -> float:
    try:
        value = float(_text(node))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise _Wrong(node.start_mark, "a number from 0 to 1 is expected")
    return value


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
