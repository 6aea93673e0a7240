"""The rules that can match a burst at all, found by taxon or category and by place. Pure.

A team may have thousands of rules, one for each species and station; a burst then needs to be compared with a few.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import BurstResolved
from uncia.processors.alerts.rules import Found, Rule, Shown, match, shown

__all__ = ["RuleIndex"]

_ANYWHERE = ""
_ANYTHING = ""


class RuleIndex:
    """All rules, in the order of the file. Immutable."""

    def __init__(self, rules: Sequence[Rule], taxonomy: Taxonomy) -> None:
        """Raises `ValueError` for two rules of one name."""
        self.rules = tuple(rules)
        self._taxonomy = taxonomy
        self._by_name = {rule.name: rule for rule in rules}
        if len(self._by_name) < len(self.rules):
            raise ValueError("two rules have the same name")
        self._by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.silence = tuple(rule for rule in self.rules if rule.silent)
        self.moved = tuple(rule for rule in self.rules if rule.moved)
        self.drift = tuple(rule for rule in self.rules if rule.drift)
        for number, rule in enumerate(self.rules):
            if rule.subject is not None:
                continue
            for subject in _subjects(rule):
                for place in _places(rule):
                    self._by_key[subject, place].append(number)

    def named(self, name: str) -> Rule | None:
        """The rule of this name."""
        return self._by_name.get(name)

    def limits_rarity(self, name: str) -> bool:
        """Whether the rule of this name has `rare`."""
        rule = self._by_name.get(name)
        return rule is not None and rule.rare is not None

    def silence_at(self, camera: str) -> tuple[Rule, ...]:
        """The rules about silence of this camera."""
        return _at(camera, self.silence)

    def moved_at(self, camera: str) -> tuple[Rule, ...]:
        """The rules about moves of this camera."""
        return _at(camera, self.moved)

    def drift_at(self, camera: str) -> tuple[Rule, ...]:
        """The rules about drifted scores of this camera."""
        return _at(camera, self.drift)

    def shown(self, burst: BurstResolved) -> Shown:
        """What the burst is called, as rules see it."""
        return shown(burst, self._taxonomy)

    def matches(self, burst: BurstResolved, seen: Shown) -> Iterator[tuple[Rule, Found]]:
        """The rules that match, in the order of the file, and what each matched."""
        subjects = {_ANYTHING, *(category.value for category in seen.categories)}
        subjects.update(*(one.names for one in seen.taxa))
        places = (_ANYWHERE, burst.station, burst.camera)
        numbers = {
            number for subject in subjects for place in places for number in self._by_key.get((subject, place), ())
        }
        for number in sorted(numbers):
            if (found := match(self.rules[number], burst, seen)) is not None:
                yield self.rules[number], found


def _at(camera: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    station = camera.partition("/")[0]
    return tuple(rule for rule in rules if rule.is_at(station, camera))


def _subjects(rule: Rule) -> Iterable[str]:
    if rule.taxa:
        return rule.taxa
    return (rule.category.value if rule.category else _ANYTHING,)


def _places(rule: Rule) -> Iterable[str]:
    for names in (rule.cameras, rule.stations):
        if names and not any("*" in name for name in names):
            return names
    return (_ANYWHERE,)
