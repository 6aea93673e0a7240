"""Individuals in the catalogue: the registry, and the queue of sightings that wait for a decision."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Engine, select

from uncia.camtrap.individuals import Registry, RegistryState
from uncia.dashboard.catalogue.tables import counters, individual_decisions, individual_sightings
from uncia.errors import PermanentError
from uncia.events import IndividualCrop, IndividualDecided, IndividualSighted, SightingStatus
from uncia.storage.object_keys import INDIVIDUALS_PREFIX

__all__ = ["Individuals", "SightingQueue", "is_open"]

Stations = Iterable[str] | None

_AT_ONCE = 200
_SENT = 1000
_CREATED = "created"


@dataclass(frozen=True)
class SightingQueue:
    """Which sightings are wanted."""

    reviewer: str
    """The account that decides: what it has decided, or was unsure about, does not come again."""
    disputed: bool = False
    """Those of which the reviewers who have to agree do not, whoever they are."""


class Individuals:
    """Queries on one database. Safe from any thread.

    The registry is a fold of all decisions: it is kept in memory, and each call reads those that are new.
    """

    def __init__(self, engine: Engine, reviewers: int = 1) -> None:
        """`reviewers`: how many have to agree on a burst."""
        self.reviewers = reviewers
        self._engine = engine
        self._registry = Registry(reviewers)
        self._lock = threading.Lock()
        self._read_until = -1
        self._created: int | None = None
        self._sent: OrderedDict[str, IndividualDecided] = OrderedDict()

    def state(self) -> RegistryState:
        """The registry now."""
        self._read()
        return self._registry.state()

    def decision(self, decision_id: str) -> IndividualDecided | None:
        """One decision, undone or not."""
        self._read()
        return self._registry.decision(decision_id)

    def note_sent(self, decision: IndividualDecided) -> None:
        """Remember a decision that this process has published, for the time until the catalogue has it."""
        with self._lock:
            self._sent[decision.decision_id] = decision
            while len(self._sent) > _SENT:
                self._sent.popitem(last=False)

    def known_decision(self, decision_id: str) -> IndividualDecided | None:
        """One decision of the catalogue, or one that this process has just published."""
        return self.decision(decision_id) or self._sent.get(decision_id)

    def imported_crop(self, crop_id: str) -> IndividualCrop | None:
        """A picture that was imported, and is of no camera of this system."""
        for individual in self.state().individuals.values():
            for sighting in individual.sightings:
                if sighting.camera is None:
                    for crop in sighting.crops:
                        if crop.crop_id == crop_id and crop.key.startswith(INDIVIDUALS_PREFIX):
                            return crop
        return None

    def sighting(self, burst_id: str, stations: Stations = None) -> IndividualSighted | None:
        """The newest revision of a sighting; None where there is none that the caller may see."""
        wanted = select(individual_sightings.c.content).where(
            individual_sightings.c.burst_id == burst_id, *_rights(stations)
        )
        with self._engine.begin() as connection:
            found = connection.execute(wanted).scalar()
        return None if found is None else _sighted(found)

    def queue(
        self, wanted: SightingQueue, state: RegistryState, stations: Stations = None, without: Collection[str] = ()
    ) -> Iterator[IndividualSighted]:
        """Sightings that wait for the reviewer, those of which a decision tells most first."""
        after, left_out = 0, set(without)
        while True:
            page = (
                select(individual_sightings.c.burst_id, individual_sightings.c.content)
                .where(*_waiting(stations))
                .order_by(
                    individual_sightings.c.information.desc(),
                    individual_sightings.c.started_at,
                    individual_sightings.c.burst_id,
                )
                .limit(_AT_ONCE)
                .offset(after)
            )
            with self._engine.begin() as connection:
                rows = connection.execute(page).all()
            for burst_id, content in rows:
                if burst_id in left_out or not is_open(state, burst_id, wanted, self.reviewers):
                    continue
                sighted = _sighted(content)
                if sighted is not None and sighted.crops:
                    yield sighted
            if len(rows) < _AT_ONCE:
                return
            after += _AT_ONCE

    def waiting(self, wanted: SightingQueue, state: RegistryState, stations: Stations = None) -> int:
        """How many sightings wait for the reviewer."""
        ids = select(individual_sightings.c.burst_id).where(*_waiting(stations))
        with self._engine.begin() as connection:
            found = connection.execute(ids).scalars().all()
        return sum(is_open(state, burst_id, wanted, self.reviewers) for burst_id in found)

    def _read(self) -> None:
        with self._lock, self._engine.begin() as connection:
            created = _counter(connection, _CREATED)
            if created != self._created:
                # The catalogue was built anew: what it does not hold any more does not count.
                self._registry.clear()
                self._created, self._read_until = created, -1
            new = (
                select(individual_decisions.c.change, individual_decisions.c.content)
                .where(individual_decisions.c.change > self._read_until)
                .order_by(individual_decisions.c.change)
            )
            for change, content in connection.execute(new):
                self._read_until = change
                try:
                    self._registry.add(IndividualDecided.model_validate(content))
                except ValidationError:
                    # Written by another version of the catalogue.
                    continue


def is_open(state: RegistryState, burst_id: str, wanted: SightingQueue, reviewers: int) -> bool:
    """Whether a burst waits for the decision of this reviewer."""
    decided = state.bursts.get(burst_id)
    if decided is not None and decided.status is not SightingStatus.PROPOSED:
        return False
    opinions = state.opinions.get(burst_id, {})
    if wanted.disputed:
        return reviewers > 1 and decided is None and len(opinions) >= reviewers
    return wanted.reviewer not in opinions


def _waiting(stations: Stations) -> list[ColumnElement[bool]]:
    return [individual_sightings.c.status == SightingStatus.PROPOSED.value, *_rights(stations)]


def _rights(stations: Stations) -> list[ColumnElement[bool]]:
    return [] if stations is None else [individual_sightings.c.station.in_(sorted(set(stations)))]


def _counter(connection: Connection, name: str) -> int | None:
    found = connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar()
    return None if found is None else int(found)


def _sighted(content: object) -> IndividualSighted | None:
    try:
        return IndividualSighted.model_validate(content)
    except (ValidationError, PermanentError):
        return None
