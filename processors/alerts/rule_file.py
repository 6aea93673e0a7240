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
from uncia.processors.yaml_positions import (
    FileMistakes,
    Mistake,
    Wrong,
    compose,
    count,
    duration,
    items,
    mapping,
    names,
    one_of,
    read_text,
    sequence,
    switch,
    text,
)

__all__ = ["FileMistakes", "Mistake", "RuleFile", "parse_rules", "read_rules"]

MOST_BYTES = 16 * 1_048_576


@dataclass(frozen=True)
class RuleFile:
    """What a file holds: the rules, in their order, and what is probably not meant."""

    rules: tuple[Rule, ...]
    warnings: tuple[Mistake, ...] = ()


def read_rules(path: Path, taxonomy: Taxonomy) -> RuleFile:
    """Read a file. Raises `FileMistakes` with every mistake, or `SettingsError` where it cannot be read."""
    return parse_rules(read_text(path, "the alert rules", MOST_BYTES), str(path), taxonomy)


def parse_rules(content: str, name: str, taxonomy: Taxonomy) -> RuleFile:
    """Parse the text of a file called `name`. Raises `FileMistakes`."""
    try:
        root = compose(content)
        reader = _Reader(taxonomy)
        rules = reader.rules(root)
    except Wrong as wrong:
        raise FileMistakes(name, [wrong.mistake]) from wrong
    if reader.mistakes:
        raise FileMistakes(name, sorted(reader.mistakes, key=lambda one: (one.line, one.column)))
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
        top = mapping(root, "the file", {"rules"})
        if "rules" not in top:
            raise Wrong(root.start_mark, "the file has no list `rules`")
        found: dict[str, Rule] = {}
        for node in sequence(top["rules"]):
            try:
                rule = self._rule(node)
                if rule.name in found:
                    raise Wrong(node.start_mark, f"a second rule is called {rule.name!r}")
                found[rule.name] = rule
            except Wrong as wrong:
                self.mistakes.append(wrong.mistake)
        return list(found.values())

    def _rule(self, node: yaml.Node) -> Rule:
        fields = mapping(node, "a rule", {"name", "taxon", *_FIELDS})
        values: dict[str, Any] = {}
        for key, read in {"name": text, "taxon": self._taxa, **_FIELDS}.items():
            if key in fields:
                try:
                    values[_ATTRIBUTES.get(key, key)] = read(fields[key])
                except Wrong as wrong:
                    self.mistakes.append(wrong.mistake)
        if "name" not in fields:
            raise Wrong(node.start_mark, "the rule has no `name`")
        if "name" not in values:
            raise Wrong(fields["name"].start_mark, "the name cannot be used")
        # A value that cannot be read is a mistake of its own.
        for about in ("moved", "drift"):
            values.setdefault(about, about in fields)
        rule = Rule(**values, silent="silent_for" in fields)
        self._check(rule, fields, node)
        return rule

    def _check(self, rule: Rule, fields: Mapping[str, yaml.Node], node: yaml.Node) -> None:
        if (subject := rule.subject) is not None:
            for key in fields:
                if key in _OF_BURSTS:
                    raise Wrong(fields[key].start_mark, f"a rule with `{subject}` has no `{key}`: it has no bursts")
            for key, is_set in (("moved", rule.moved), ("drift", rule.drift)):
                if is_set and key != subject:
                    raise Wrong(
                        fields[key].start_mark,
                        f"a rule has one of `{subject}` and `{key}`: write two rules",
                    )
            return
        if "category" not in fields and "taxon" not in fields:
            subjects = "`taxon`, `category`, `silent_for`, `moved` or `drift`"
            raise Wrong(node.start_mark, f"the rule {rule.name!r} has no {subjects}")
        if rule.taxa and rule.category not in (None, BurstCategory.ANIMAL):
            raise Wrong(fields["category"].start_mark, f"no {rule.category} has a taxon: remove one of the two")
        if rule.min_confidence is not None and rule.category not in (None, BurstCategory.ANIMAL):
            raise Wrong(
                fields["min_confidence"].start_mark, f"verdicts have no probability of a {rule.category}: remove this"
            )

        if "rare" in fields and rule.rare is not None and rule.rare <= rule.encounter:
            raise Wrong(fields["rare"].start_mark, "`rare` must be longer than `encounter`, 30m by default")
        if "rare_by" in fields and "rare" not in fields:
            raise Wrong(fields["rare_by"].start_mark, "`rare_by` needs `rare`")

    def _taxa(self, node: yaml.Node) -> tuple[str, ...]:
        taxa = names(node)
        for item, name in zip(items(node), taxa, strict=True):
            if name not in self._taxonomy:
                near = difflib.get_close_matches(name, self._taxonomy.names, 1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                doubt = f"the taxonomy does not have {name!r}{meant}"
                self.warnings.append(Wrong(item.start_mark, doubt).mistake)
        return taxa


def _share(node: yaml.Node) -> float:
    try:
        value = float(text(node))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise Wrong(node.start_mark, "a number from 0 to 1 is expected")
    return value


def _age(node: yaml.Node) -> timedelta | None:
    return None if text(node).lower() == "any" else duration(node)


def _rare_by(node: yaml.Node) -> bool:
    word = text(node).lower()
    if word not in ("taxon", "rule"):
        raise Wrong(node.start_mark, "use one of taxon, rule")
    return word == "rule"


def _silence(node: yaml.Node) -> timedelta | None:
    if text(node).lower() == "deployment":
        return None
    length = duration(node)
    if length < timedelta(hours=1):
        raise Wrong(node.start_mark, "a silence is at least 1h, or `deployment` for the deployment's contact interval")
    return length


def _hours(node: yaml.Node) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})", text(node))
    first, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3)) if found else (-1, -1)
    if not found or int(found[2]) > 59 or int(found[4]) > 59 or not (0 <= first < 1440 and 0 <= end <= 1440):
        raise Wrong(node.start_mark, "hours are two times of the day, such as 20:00-05:00")
    if first == end:
        raise Wrong(node.start_mark, "the two times are the same: leave `hours` out for the whole day")
    return first, end


_FIELDS: dict[str, Callable[[yaml.Node], Any]] = {
    "category": one_of(BurstCategory),
    "min_confidence": _share,
    "uncertain": switch,
    "stations": names,
    "cameras": names,
    "hours": _hours,
    "min_count": count,
    "provisional": switch,
    "encounter": duration,
    "cooldown": duration,
    "max_age": _age,
    "rare": duration,
    "rare_by": _rare_by,
    "silent_for": _silence,
    "moved": switch,
    "drift": switch,
    "severity": one_of(Severity),
    "channels": names,
}
_ATTRIBUTES = {"taxon": "taxa", "rare_by": "rare_by_rule"}
_OF_CAMERAS = frozenset({"stations", "cameras", "cooldown", "severity", "channels", "silent_for", "moved", "drift"})
_OF_BURSTS = frozenset({"taxon", *_FIELDS}) - _OF_CAMERAS
"""Fields that a rule about a camera itself cannot have."""
