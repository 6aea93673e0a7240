"""Notices a consumer that delivers nothing although the broker has messages for it.

A client can lose its connection in a way that it does not notice, such as in the middle of a TLS handshake with a
broker whose machine lost its power: kafka-python 3.0 has no limit for that step, and waits forever. A new client works.
"""

import time
from collections.abc import Callable, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

__all__ = ["StallCheck"]

_EVERY_S = 15.0
_ANSWERS_WITHIN_MS = 5_000


class StallCheck:
    """Compares, from time to time while nothing arrives, the position of a consumer with the ends of its partitions."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        partitions: Sequence[TopicPartition],
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._partitions = list(partitions)
        self._every_s = every_s
        self._clock = clock
        self._due = clock() + every_s
        self._suspected = False

    def delivered(self) -> None:
        """The consumer delivered messages."""
        self._due = self._clock() + self._every_s
        self._suspected = False

    def is_stalled(self) -> bool:
        """Whether two checks in a row found messages that were not delivered, or got no answer. Call it often."""
        if self._clock() < self._due:
            return False
        lags = self._lags()
        self._due = self._clock() + self._every_s
        stalled, self._suspected = lags and self._suspected, lags
        return stalled

    def _lags(self) -> bool:
        try:
            ends = self._consumer.end_offsets(self._partitions, timeout_ms=_ANSWERS_WITHIN_MS)
            return any(
                self._consumer.position(place, timeout_ms=_ANSWERS_WITHIN_MS) < ends[place]
                for place in self._partitions
            )
        except KafkaError:
            return True
