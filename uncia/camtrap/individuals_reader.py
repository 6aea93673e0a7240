"""The registry of individuals for workers, kept up to date from its topics.

Two topics are followed: the decisions, and the sightings as last published, from which a reference whose crop was
withdrawn is known. Both are read to their ends before the worker starts.
"""

import threading

import structlog

from uncia.camtrap.individuals import Registry
from uncia.errors import PermanentError
from uncia.events import IndividualDecided, IndividualSighted, SightingStatus
from uncia.kafka.broker import Message
from uncia.kafka.topic_follower import TopicFollower
from uncia.settings import Settings
from uncia.topics import INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED

__all__ = ["IndividualsReader", "WithdrawnSightings"]

log = structlog.get_logger("uncia")


class WithdrawnSightings:
    """The bursts whose sighting is withdrawn. Safe to use from several threads."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}
        self._withdrawn: set[str] = set()
        self._copy: frozenset[str] | None = frozenset()
        """None: to be made when it is read. A topic of 100,000 withdrawals is read at every start."""
        self._lock = threading.Lock()

    @property
    def bursts(self) -> frozenset[str]:
        """Their ids; the same object until they change."""
        with self._lock:
            if self._copy is None:
                self._copy = frozenset(self._withdrawn)
            return self._copy

    def apply(self, sighted: IndividualSighted) -> None:
        """Take over the newest revision of a sighting."""
        burst_id = sighted.burst_id
        with self._lock:
            if sighted.revision < self._revisions.get(burst_id, 0):
                return
            self._revisions[burst_id] = sighted.revision
            self._set(burst_id, withdrawn=sighted.status is SightingStatus.WITHDRAWN)

    def remove(self, burst_id: str) -> None:
        """Forget a burst: its key was removed from the topic, with everything that it showed."""
        with self._lock:
            self._revisions.pop(burst_id, None)
            self._set(burst_id, withdrawn=True)

    def clear(self) -> None:
        """Forget all: the topic begins again."""
        with self._lock:
            self._revisions.clear()
            self._withdrawn.clear()
            self._copy = None

    def _set(self, burst_id: str, *, withdrawn: bool) -> None:
        if withdrawn == (burst_id in self._withdrawn):
            return
        if withdrawn:
            self._withdrawn.add(burst_id)
        else:
            self._withdrawn.remove(burst_id)
        self._copy = None


class IndividualsReader:
    """Keeps `registry` and `withdrawn` up to date from their topics."""

    def __init__(self, settings: Settings) -> None:
        self.registry = Registry(settings.identify_reviewers)
        self.withdrawn = WithdrawnSightings()
        self._followers = (
            TopicFollower(
                settings, INDIVIDUAL_DECIDED, "decisions_about_individuals", self._decided, self.registry.clear
            ),
            TopicFollower(settings, INDIVIDUAL_SIGHTED, "sightings", self._sighted, self.withdrawn.clear),
        )

    def start(self, timeout_s: float = 60) -> "IndividualsReader":
        """Return when both topics were read to their ends. Raises `DependencyDown` after `timeout_s` seconds each."""
        for follower in self._followers:
            follower.start(timeout_s)
        return self

    def close(self) -> None:
        """End the threads."""
        for follower in self._followers:
            follower.close()

    def _decided(self, message: Message) -> None:
        if message.value is None:
            return
        try:
            self.registry.add(IndividualDecided.from_bytes(message.value))
        except PermanentError as error:
            log.warning("individual_decision_invalid", reason=error.reason, offset=message.offset)

    def _sighted(self, message: Message) -> None:
        if message.value is None:
            self.withdrawn.remove((message.key or b"").decode(errors="replace"))
            return
        try:
            self.withdrawn.apply(IndividualSighted.from_bytes(message.value))
        except PermanentError as error:
            log.warning("sighting_invalid", reason=error.reason, offset=message.offset)
