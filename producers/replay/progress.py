"""The progress of a replay, read from the log alone: any command computes the same numbers."""

import contextlib
from dataclasses import dataclass

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.broker import read_topics
from uncia.producers.replay.kafka_log import KafkaLog, Partition
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, Topic


@dataclass(frozen=True)
class ReplayProgress:
    """Counts at one moment. The field names are keys of the JSON output of `uncia replay start` and `status`."""

    copied: int
    """Upload events in the namespace."""
    unanswered: int
    """Uploads that the prediction worker has not committed."""
    answered: int
    """Predictions; a repetition after a crash counts twice."""
    unplaced: int
    """Predictions that the bursts worker has not committed."""
    bursts: int
    """Bursts that are not superseded."""
    open: int
    """Bursts that are not closed yet."""
    dead_letters: int

    @property
    def settled(self) -> bool:
        """True where every copied upload is in a closed burst."""
        return not (self.unanswered or self.unplaced or self.open)


class BurstCounter:
    """Counts the bursts of a namespace incrementally: the memory is one entry a burst, and no message is read twice."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._positions: dict[Partition, int] = {}
        self._open: set[str] = set()
        self._current: set[str] = set()

    def read(self) -> tuple[int, int]:
        """Read new messages. Returns the numbers of bursts that are not superseded and of open bursts."""
        for message in read_topics(self._settings, (BURST_RESOLVED,), until_end=True, from_positions=self._positions):
            self._positions[(message.topic, message.partition)] = message.offset + 1
            with contextlib.suppress(PermanentError):
                if message.value is not None:
                    self._add(BurstResolved.from_bytes(message.value))
        return len(self._current), len(self._open)

    def _add(self, burst: BurstResolved) -> None:
        for members, is_member in (
            (self._current, burst.status is not BurstStatus.SUPERSEDED),
            (self._open, burst.status is BurstStatus.PROVISIONAL),
        ):
            if is_member:
                members.add(burst.burst_id)
            else:
                members.discard(burst.burst_id)


def read_progress(log: KafkaLog, bursts: BurstCounter, upload_topics: tuple[Topic, ...]) -> ReplayProgress:
    """Count. Groups are read first and bursts last: what is committed by then is in the bursts that are read."""
    unanswered = log.lag(upload_topics)
    unplaced = log.lag((IMAGE_PREDICTED,))
    current, still_open = bursts.read()
    return ReplayProgress(
        copied=log.count(upload_topics),
        unanswered=unanswered,
        answered=log.count((IMAGE_PREDICTED,)),
        unplaced=unplaced,
        bursts=current,
        open=still_open,
        dead_letters=log.count((DEAD_LETTER,)),
    )
