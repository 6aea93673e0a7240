"""The registry of individuals for workers, kept up to date from its topics.

Two topics are followed: the decisions, and the sightings as last published, from which a reference whose crop was
withdrawn is known. Both are read to their ends before the worker starts.
"""

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
    """The bursts whose sighting is withdrawn. Written by one thread; reads are safe from any."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}
        self._withdrawn: frozenset[str] = frozenset()

    @property
    def bursts(self) -> frozenset[str]:
        """Their ids; the same object until they change."""
        return self._withdrawn

    def apply(self, sighted: IndividualSighted) -> None:
        """Take over the newest revision of a sighting."""
        burst_id = sighted.burst_id
        if sighted.revision < self._revisions.get(burst_id, 0):
            return
        self._revisions[burst_id] = sighted.revision
        withdrawn = sighted.status is SightingStatus.WITHDRAWN
        if withdrawn != (burst_id in self._withdrawn):
            self._withdrawn = self._withdrawn | {burst_id} if withdrawn else self._withdrawn - {burst_id}

    def remove(self, burst_id: str) -> None:
        """Forget a burst: its key was removed from the topic, with everything that it showed."""
        self._revisions.pop(burst_id, None)
        self._withdrawn = self._withdrawn | {burst_id}

    def clear(self) -> None:
        """Forget all: the topic begins again."""
        self._revisions.clear()
        self._withdrawn = frozenset()


class IndividualsReader:
    """Keeps `registry` and `withdrawn` up to date from their topics."""

    def __init__(self, settings: Settings) -> None:
        self.registry = Registry()
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
