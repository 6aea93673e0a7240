"""Which sightings of a rule with `rare` are rare. Pure.

1. A **sighting** is a burst that the rule matches by its newest revision, `rare` and `max_age` left aside.
2. Sightings of one subject that follow each other by at most `encounter` are one encounter. The subject is the taxon
   that was found (or the category, where none was), or everything that the rule matches (`rare_by: rule`).
3. An encounter is rare when no sighting of its subject at this camera ended within `rare` before it began. The first
   one is rare. All sightings of a rare encounter match the rule, those of others do not.
4. Capture times count, not the order of arrival: when a sighting is revised away, or an earlier one arrives late,
   later encounters become rare or cease to be.
5. Of each subject the latest sightings are stored. Those that were forgotten count as sightings for ever, and what
   began before the last of them ended is not rare: in doubt there is no alert. What was rare when it was forgotten
   stays so as long as the rule matches it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pydantic import BaseModel

from uncia.events import AlertBurst
from uncia.processors.alerts.rules import Rule

__all__ = ["MOST_SIGHTINGS", "MOST_SUBJECTS", "Sightings", "record", "successor"]

MOST_SIGHTINGS = 64
"""Sightings stored of a subject."""
MOST_SUBJECTS = 500
"""Subjects stored of a camera, of all rules; beyond, the one that was seen first is forgotten."""


class Sightings(BaseModel):
    """The sightings of one subject of a rule at one camera. Field names are the stored format."""

    rule: str
    subject: str
    bursts: dict[str, AlertBurst] = {}
    """By burst id, as they would be in an alert."""
    before: datetime | None = None
    """The latest end of the sightings that were forgotten."""

    def rare(self, rule: Rule) -> set[str]:
        """The ids of the bursts that belong to rare encounters."""
        found: set[str] = set()
        last = self.before
        for encounter in _encounters(self.bursts.values(), rule.encounter):
            if last is None or encounter[0].started_at - last > (rule.rare or timedelta(0)):
                found.update(one.burst_id for one in encounter)
            end = max(one.ended_at for one in encounter)
            last = end if last is None else max(last, end)
        return found

    def forget(self) -> None:
        """Keep the latest sightings."""
        ordered = sorted(self.bursts.values(), key=lambda one: (one.started_at, one.burst_id))
        for one in ordered[: max(0, len(ordered) - MOST_SIGHTINGS)]:
            del self.bursts[one.burst_id]
            self.before = one.ended_at if self.before is None else max(self.before, one.ended_at)


def _encounters(bursts: Iterable[AlertBurst], gap: timedelta) -> Iterator[list[AlertBurst]]:
    current: list[AlertBurst] = []
    end = datetime.min
    for one in sorted(bursts, key=lambda one: (one.started_at, one.burst_id)):
        if current and one.started_at - end > gap:
            yield current
            current = []
        current.append(one)
        end = max(end, one.ended_at) if len(current) > 1 else one.ended_at
    if current:
        yield current


def record(known: list[Sightings], rule: Rule, burst: AlertBurst) -> list[AlertBurst]:
    """Record a burst of a rule with `rare`; `burst.matches`: it is a sighting.

    Returns the bursts whose rarity this may have changed, this one first, each with `matches` as it is now.
    """
    own = [one for one in known if one.rule == rule.name]
    subject = "" if rule.rare_by_rule else burst.taxon or f"category {burst.category}"
    touched = [one for one in own if burst.burst_id in one.bursts]
    stored = max((one.bursts[burst.burst_id].revision for one in touched), default=0)
    if burst.revision < stored:
        return []
    before = {name: one for group in touched for name, one in group.bursts.items() if name != burst.burst_id}
    for group in touched:
        del group.bursts[burst.burst_id]
    if burst.matches:
        group = next((one for one in own if one.subject == subject), None) or Sightings(rule=rule.name, subject=subject)
        group.bursts[burst.burst_id] = burst
        if not any(one is group for one in known):
            known.append(group)
        if not any(one is group for one in touched):
            touched.append(group)
    rare: set[str] = set()
    for group in touched:
        group.forget()
        before.update(group.bursts)
        rare |= group.rare(rule)
    known[:] = [one for one in known if one.bursts or one.before is not None]
    del known[: max(0, len(known) - MOST_SUBJECTS)]
    before.pop(burst.burst_id, None)
    return [_with(burst, rare), *(_with(one, rare) for one in before.values())]


def successor(known: Iterable[Sightings], burst_id: str, next_id: str) -> None:
    """Keep the sightings of a superseded burst under the id of the burst that has its frames now."""
    for group in known:
        if (one := group.bursts.pop(burst_id, None)) is not None and next_id not in group.bursts:
            group.bursts[next_id] = one.model_copy(update={"burst_id": next_id, "revision": 1})


def _with(burst: AlertBurst, rare: set[str]) -> AlertBurst:
    return burst.model_copy(update={"matches": burst.burst_id in rare})
