"""The registry of individuals, as a fold of people's decisions. Pure.

Invariants, which `tests/unit/uncia/camtrap/test_individuals.py` checks over random logs:

1. The registry depends on the set of decisions only: not on the order in which they arrive, nor on repetitions.
2. Every decision can be undone: with its `undo` the registry is the one without it. An `undo` can be undone, too.
3. A crop shows at most one individual, and each sighting belongs to one individual that is not merged into another.
4. An individual exists where a `new` or `split` that counts created it. A decision that names any other individual
   is listed under `problems` and changes nothing; it takes effect when the individual exists (again).
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from uncia.camtrap.individual_agreement import agreed
from uncia.errors import UnciaError
from uncia.events import (
    AnimalSide,
    IndividualCrop,
    IndividualDecided,
    IndividualDecision,
    SightingStatus,
)

__all__ = [
    "BurstDecision",
    "HistoryEntry",
    "Individual",
    "IndividualUnknown",
    "Problem",
    "Registry",
    "RegistryState",
    "Sighting",
    "decisions_that_count",
    "fold",
]

_ABOUT_BURSTS = {
    IndividualDecision.SAME,
    IndividualDecision.NEW,
    IndividualDecision.UNSURE,
    IndividualDecision.REJECT,
}
_CREATE = {IndividualDecision.NEW, IndividualDecision.SPLIT}
_JOIN = {IndividualDecision.MERGE, IndividualDecision.LINK}

_WHOLE_BURST = ""
"""Stands for the crops of a decision that names none."""


class IndividualUnknown(UnciaError):
    """No individual has this id, code or name, or several have it."""


@dataclass(frozen=True)
class Sighting:
    """An individual in one burst."""

    burst_id: str
    individual_id: str
    station: str | None
    camera: str | None
    captured_at: datetime | None
    """By the camera's clock, without a UTC offset."""
    crops: tuple[IndividualCrop, ...]
    decision_id: str
    reviewer: str


@dataclass(frozen=True)
class HistoryEntry:
    """A decision that counts and changed what an individual is or is called."""

    decision_id: str
    decision: IndividualDecision
    reviewer: str
    decided_at: datetime
    other_id: str | None = None
    """The other individual of a merger, link or split."""
    code: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Individual:
    """One animal. Where it is merged into another, it has no sightings of its own."""

    individual_id: str
    code: str | None = None
    name: str | None = None
    taxon: str | None = None
    merged_into: str | None = None
    """The individual that it is now, which itself is merged into none."""
    sightings: tuple[Sighting, ...] = ()
    """The earliest first."""
    history: tuple[HistoryEntry, ...] = ()

    @property
    def label(self) -> str:
        """The code, else the name, else the id."""
        return self.code or self.name or self.individual_id

    @property
    def first_seen(self) -> datetime | None:
        """Capture time of the earliest sighting, by its camera's clock."""
        return min((each.captured_at for each in self.sightings if each.captured_at), default=None)

    @property
    def last_seen(self) -> datetime | None:
        """Capture time of the latest sighting, by its camera's clock."""
        return max((each.captured_at for each in self.sightings if each.captured_at), default=None)

    @property
    def sides(self) -> frozenset[AnimalSide]:
        """The sides that its crops show, without `unknown`."""
        return frozenset(crop.side for crop in self.crops) - {AnimalSide.UNKNOWN}

    @property
    def crops(self) -> tuple[IndividualCrop, ...]:
        """The crops of all sightings, those of the latest sighting first."""
        return tuple(crop for sighting in reversed(self.sightings) for crop in sighting.crops)


@dataclass(frozen=True)
class BurstDecision:
    """What people decided about one burst."""

    burst_id: str
    status: SightingStatus
    individuals: tuple[str, ...]
    """Ids, sorted, mergers applied."""
    latest: IndividualDecided
    """The latest decision that changed it."""
    crops: tuple[IndividualCrop, ...] = ()
    """The crops that decisions named, whomever they show, by id."""


@dataclass(frozen=True)
class Problem:
    """A decision that counts, and changes nothing."""

    decision_id: str
    message: str


@dataclass(frozen=True)
class RegistryState:
    """The registry after a set of decisions."""

    individuals: Mapping[str, Individual] = field(default_factory=dict)
    """By id, merged ones included."""
    bursts: Mapping[str, BurstDecision] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    different: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By burst, the individuals that it does not show, mergers applied."""
    opinions: Mapping[str, Mapping[str, IndividualDecided]] = field(default_factory=dict)
    """By burst and reviewer, the latest decision of each, whether it counts or waits for that of another reviewer."""

    def resolve(self, individual_id: str) -> str | None:
        """The id of the individual that this one is now; None for one that does not exist."""
        found = self.individuals.get(individual_id)
        return None if found is None else found.merged_into or found.individual_id

    def current(self) -> tuple[Individual, ...]:
        """The individuals that are not merged into another, by label."""
        alive = (each for each in self.individuals.values() if each.merged_into is None)
        return tuple(sorted(alive, key=lambda each: (each.label, each.individual_id)))

    def find(self, text: str) -> Individual:
        """The individual with this id, code or name. Raises `IndividualUnknown`."""
        if text in self.individuals:
            return self.individuals[text]
        found = self._by_label.get(text.casefold(), ())
        if len(found) == 1:
            return self.individuals[found[0]]
        if not found:
            raise IndividualUnknown(f"no individual {text!r}: `uncia individuals list` shows them")
        raise IndividualUnknown(f"{text!r} is the code or name of {len(found)} individuals: {', '.join(sorted(found))}")

    @cached_property
    def _by_label(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for individual in self.current():
            for label in (individual.code, individual.name):
                if label:
                    found[label.casefold()][individual.individual_id] = None
        return {label: tuple(ids) for label, ids in found.items()}


def fold(decisions: Iterable[IndividualDecided], reviewers: int = 1) -> RegistryState:
    """The registry after these decisions, in any order and with any repetitions.

    `reviewers`: how many have to agree on a burst, see `uncia.camtrap.individual_agreement`.
    """
    agreement = agreed(decisions_that_count(decisions), reviewers)
    return replace(_Fold(agreement.decisions).state(), opinions=agreement.opinions)


def decisions_that_count(decisions: Iterable[IndividualDecided]) -> list[IndividualDecided]:
    """The decisions that are not undone, without the `undo`s themselves, each once, the earliest first.

    Of `undo`s that undo each other in a circle, which no program of ours can write, none counts.
    """
    by_id: dict[str, IndividualDecided] = {}
    for each in decisions:
        known = by_id.get(each.decision_id)
        # Ids are derived from the content. Of two contents under one id, the choice does not depend on the order.
        if known is None or known.to_bytes() < each.to_bytes():
            by_id[each.decision_id] = each
    undos = {each.decision_id: each.undoes for each in by_id.values() if each.decision is IndividualDecision.UNDO}
    attackers: dict[str, int] = defaultdict(int)
    for target in undos.values():
        attackers[target or ""] += 1
    undone: set[str] = set()
    effective = [undo for undo in undos if not attackers[undo]]
    while effective:
        target = undos[effective.pop()] or ""
        if target in undone:
            continue
        undone.add(target)
        if target in undos:
            released = undos[target] or ""
            attackers[released] -= 1
            if released in undos and not attackers[released] and released not in undone:
                effective.append(released)
    counting = (each for each in by_id.values() if each.decision_id not in undone and each.decision_id not in undos)
    return sorted(counting, key=lambda each: (each.decided_at, each.decision_id))


@dataclass(frozen=True)
class _Assignment:
    individual_id: str | None
    """None: a person decided that it is nobody in particular."""
    decision: IndividualDecided


class _Fold:
    """Applies decisions that count, the earliest first."""

    def __init__(self, decisions: Sequence[IndividualDecided]) -> None:
        self._parents: dict[str, str] = {}
        self._taxa: dict[str, str | None] = {}
        self._labels: dict[str, tuple[str | None, str | None]] = {}
        self._history: dict[str, list[HistoryEntry]] = defaultdict(list)
        self._assigned: dict[str, dict[str, _Assignment]] = defaultdict(dict)
        self._latest: dict[str, IndividualDecided] = {}
        self._place: dict[str, IndividualDecided] = {}
        self._crops: dict[str, IndividualCrop] = {}
        self._different: dict[str, set[str]] = defaultdict(set)
        self._problems: list[Problem] = []
        # Known before the first decision is applied: by its clock, a person may have decided before the creation.
        for each in decisions:
            if each.decision in _CREATE and each.individual_id:
                self._taxa.setdefault(each.individual_id, each.taxon)
                self._labels.setdefault(each.individual_id, (each.code or None, each.name or None))
        for each in decisions:
            self._apply(each)

    def state(self) -> RegistryState:
        sightings: dict[str, list[Sighting]] = defaultdict(list)
        bursts: dict[str, BurstDecision] = {}
        for burst_id, latest in self._latest.items():
            shown: dict[str, list[tuple[str, _Assignment]]] = defaultdict(list)
            for crop_id, assignment in self._assigned[burst_id].items():
                if assignment.individual_id is not None:
                    shown[self._root(assignment.individual_id)].append((crop_id, assignment))
            for individual_id, assigned in shown.items():
                sightings[individual_id].append(self._sighting(burst_id, individual_id, assigned))
            named = tuple(self._crops[crop_id] for crop_id in sorted(self._assigned[burst_id]) if crop_id)
            bursts[burst_id] = BurstDecision(
                burst_id, _status(latest, bool(shown)), tuple(sorted(shown)), latest, named
            )
        individuals = {each: self._individual(each, sightings[each]) for each in sorted(self._taxa)}
        different = {
            burst_id: frozenset(map(self._root, found)) for burst_id, found in self._different.items() if found
        }
        return RegistryState(individuals, bursts, tuple(self._problems), different)

    def _individual(self, individual_id: str, sightings: list[Sighting]) -> Individual:
        root = self._root(individual_id)
        code, name = self._labels[individual_id]
        return Individual(
            individual_id,
            code,
            name,
            self._taxa[individual_id],
            root if root != individual_id else None,
            tuple(sorted(sightings, key=lambda each: (each.captured_at or datetime.min, each.burst_id))),
            tuple(self._history[individual_id]),
        )

    def _sighting(self, burst_id: str, individual_id: str, assigned: list[tuple[str, _Assignment]]) -> Sighting:
        place = self._place.get(burst_id)
        last = max((one.decision for _, one in assigned), key=lambda each: (each.decided_at, each.decision_id))
        return Sighting(
            burst_id,
            individual_id,
            place.station if place else None,
            place.camera if place else None,
            place.captured_at if place else None,
            tuple(self._crops[crop_id] for crop_id, _ in sorted(assigned, key=lambda one: one[0]) if crop_id),
            last.decision_id,
            last.reviewer,
        )

    def _root(self, individual_id: str) -> str:
        while individual_id in self._parents:
            individual_id = self._parents[individual_id]
        return individual_id

    def _apply(self, decision: IndividualDecided) -> None:
        missing = next((each for each in self._named(decision) if not each or each not in self._taxa), None)
        if missing is not None:
            self._problem(decision, f"the individual {missing!r} does not exist" if missing else "names no individual")
            return
        if decision.decision in _ABOUT_BURSTS:
            self._assign(decision)
        if decision.decision is IndividualDecision.DIFFERENT:
            self._rule_out(decision)
        if decision.decision in _JOIN:
            self._join(decision)
        if decision.decision is IndividualDecision.SPLIT:
            self._split(decision)
        if decision.decision is IndividualDecision.RENAME:
            self._rename(decision)
        if decision.decision is IndividualDecision.NEW:
            self._note(decision, decision.individual_id or "", None)

    def _named(self, decision: IndividualDecided) -> tuple[str | None, ...]:
        """The individuals that must exist."""
        match decision.decision:
            case (
                IndividualDecision.SAME
                | IndividualDecision.NEW
                | IndividualDecision.DIFFERENT
                | IndividualDecision.RENAME
            ):
                return (decision.individual_id,)
            case IndividualDecision.MERGE | IndividualDecision.LINK | IndividualDecision.SPLIT:
                return decision.individual_id, decision.other_id
            case _:
                return ()

    def _assign(self, decision: IndividualDecided) -> None:
        if decision.burst_id is None:
            if decision.decision is not IndividualDecision.NEW:
                self._problem(decision, "names no burst")
            return
        assigned = self._assigned[decision.burst_id]
        if decision.crops:
            assigned.pop(_WHOLE_BURST, None)
        else:
            assigned.clear()
        if decision.decision is IndividualDecision.SAME:
            self._different[decision.burst_id].discard(decision.individual_id or "")
        whom = decision.individual_id if decision.decision in _CREATE | {IndividualDecision.SAME} else None
        for crop in decision.crops:
            known = self._crops.get(crop.crop_id)
            side = known.side if known and crop.side is AnimalSide.UNKNOWN else crop.side
            self._crops[crop.crop_id] = crop.model_copy(update={"side": side})
            assigned[crop.crop_id] = _Assignment(whom, decision)
        if not decision.crops:
            assigned[_WHOLE_BURST] = _Assignment(whom, decision)
        self._latest[decision.burst_id] = decision
        if decision.camera or decision.station or decision.captured_at:
            self._place[decision.burst_id] = decision

    def _rule_out(self, decision: IndividualDecided) -> None:
        if decision.burst_id is None:
            self._problem(decision, "names no burst")
            return
        self._different[decision.burst_id].add(decision.individual_id or "")

    def _join(self, decision: IndividualDecided) -> None:
        one, other = decision.individual_id or "", decision.other_id or ""
        goes, stays = self._root(one), self._root(other)
        if goes == stays:
            self._problem(decision, f"{one} and {other} are one individual already")
            return
        self._parents[goes] = stays
        self._note(decision, one, other)
        self._note(decision, other, one)

    def _split(self, decision: IndividualDecided) -> None:
        new, source = decision.individual_id or "", decision.other_id or ""
        crops = {crop.crop_id for crop in decision.crops}
        moved = False
        for burst_id in decision.bursts:
            assigned = self._assigned.get(burst_id, {})
            for crop_id, one in assigned.items():
                if one.individual_id is None or self._root(one.individual_id) != self._root(source):
                    continue
                if not crops or crop_id in crops:
                    assigned[crop_id] = _Assignment(new, decision)
                    self._latest[burst_id] = decision
                    moved = True
        if not moved:
            self._problem(decision, f"none of its bursts shows {source}")
        self._note(decision, new, source)
        self._note(decision, source, new)

    def _rename(self, decision: IndividualDecided) -> None:
        individual = decision.individual_id or ""
        code, name = self._labels[individual]
        # An empty text removes it; None leaves it.
        self._labels[individual] = (
            code if decision.code is None else decision.code or None,
            name if decision.name is None else decision.name or None,
        )
        self._note(decision, individual, None)

    def _note(self, decision: IndividualDecided, individual_id: str, other_id: str | None) -> None:
        self._history[individual_id].append(
            HistoryEntry(
                decision.decision_id,
                decision.decision,
                decision.reviewer,
                decision.decided_at,
                other_id,
                decision.code,
                decision.name,
            )
        )

    def _problem(self, decision: IndividualDecided, message: str) -> None:
        self._problems.append(Problem(decision.decision_id, message))


def _status(latest: IndividualDecided, shown: bool) -> SightingStatus:
    if shown:
        return SightingStatus.CONFIRMED
    return SightingStatus.REJECTED if latest.decision is IndividualDecision.REJECT else SightingStatus.PROPOSED


class Registry:
    """Decisions as they arrive, and the registry after them. Safe to use from several threads."""

    def __init__(self, reviewers: int = 1) -> None:
        """`reviewers`: how many have to agree on a burst."""
        self._reviewers = reviewers
        self._decisions: dict[str, IndividualDecided] = {}
        self._lock = threading.Lock()
        self._version = 0
        self._folded: tuple[int, RegistryState] = (0, RegistryState())

    @property
    def version(self) -> int:
        """Increases with every decision that was not known."""
        return self._version

    def add(self, decision: IndividualDecided) -> None:
        """Add a decision; one that is known changes nothing."""
        with self._lock:
            known = self._decisions.get(decision.decision_id)
            # As in `decisions_that_count`: of two contents under one id, the choice does not depend on the order.
            if known is None or known.to_bytes() < decision.to_bytes():
                self._decisions[decision.decision_id] = decision
                self._version += 1

    def clear(self) -> None:
        """Forget all decisions: the topic begins again."""
        with self._lock:
            self._decisions.clear()
            self._version += 1

    def decision(self, decision_id: str) -> IndividualDecided | None:
        """The decision with this id, undone or not."""
        return self._decisions.get(decision_id)

    def decisions(self) -> tuple[IndividualDecided, ...]:
        """All decisions, undone ones and `undo`s included, the earliest first."""
        with self._lock:
            found = tuple(self._decisions.values())
        return tuple(sorted(found, key=lambda each: (each.decided_at, each.decision_id)))

    def state(self) -> RegistryState:
        """The registry now; computed once for each version."""
        with self._lock:
            version, decisions = self._version, tuple(self._decisions.values())
            if self._folded[0] == version:
                return self._folded[1]
        state = fold(decisions, self._reviewers)
        with self._lock:
            if self._folded[0] < version:
                self._folded = (version, state)
        return state
