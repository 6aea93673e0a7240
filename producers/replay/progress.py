"""How far a replay is, and whether it is done: asked of the log alone, whoever asks."""

import contextlib
from dataclasses import dataclass

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.broker import read_topics
from uncia.producers.replay.log_offsets import Log, Place
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, Topic


@dataclass(frozen=True)
class Progress:
    """The numbers of one moment."""

    copied: int
    """Upload events in the namespace."""
    unanswered: int
    """Uploads that predict has not settled."""
    answered: int
    """Answers; a repetition after a crash counts twice."""
    unplaced: int
    """Answers that bursts has not settled."""
    bursts: int
    """That stand."""
    open: int
    """Of them not closed yet."""
    dead_letters: int

    @property
    def settled(self) -> bool:
        """All that was copied is in closed bursts."""
        return not (self.unanswered or self.unplaced or self.open)


class OpenBursts:
    """Follows the bursts of a namespace, keeping the ids that stand and those that are open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._positions: dict[Place, int] = {}
        self._open: dict[str, int] = {}
        self._standing: dict[str, int] = {}

    def read(self) -> tuple[int, int]:
        """How many stand, and how many of them are open, by now."""
        for message in read_topics(self._settings, (BURST_RESOLVED,), until_end=True, from_positions=self._positions):
            self._positions[(message.topic, message.partition)] = message.offset + 1
            with contextlib.suppress(PermanentError):
                if message.value is not None:
                    self._take(BurstResolved.from_bytes(message.value))
        return len(self._standing), len(self._open)

    def _take(self, burst: BurstResolved) -> None:
        for held, holds in (
            (self._standing, burst.status is not BurstStatus.SUPERSEDED),
            (self._open, burst.status is BurstStatus.PROVISIONAL),
        ):
            if holds:
                held[burst.burst_id] = burst.revision
            else:
                held.pop(burst.burst_id, None)


def progress_of(log: Log, bursts: OpenBursts, upload_topics: tuple[Topic, ...]) -> Progress:
    """Ask. The groups first and the bursts last: what was settled then is in the bursts that are read."""
    unanswered = log.behind(upload_topics)
    unplaced = log.behind((IMAGE_PREDICTED,))
    standing, still_open = bursts.read()
    return Progress(
        copied=log.count(upload_topics),
        unanswered=unanswered,
        answered=log.count((IMAGE_PREDICTED,)),
        unplaced=unplaced,
        bursts=standing,
        open=still_open,
        dead_letters=log.count((DEAD_LETTER,)),
    )
