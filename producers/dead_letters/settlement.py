"""Retries or drops dead letters. Either publishes a settlement, so that it happens once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.events import DeadLetterSettled, Settlement
from uncia.events.dead_letter import RETRIES
from uncia.kafka.connection import connect_producer
from uncia.producers.dead_letters.reading import DeadLetterRecord
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, DEAD_LETTER_SETTLED, TOPICS

_BATCH = 100
"""So many letters may be sent twice after a kill between sending and settling: their ids stay the same."""

_CONFIRM_TIMEOUT_S = 30
_MAX_REQUEST_BYTES = 5 * 1_048_576


@dataclass(frozen=True)
class SettlementResult:
    """The result for one letter."""

    letter: DeadLetterRecord
    settled: DeadLetterSettled | None
    refused: str = ""
    """Why it was not retried."""


def retry_refusal(letter: DeadLetterRecord, known_topics: frozenset[str]) -> str:
    """Why a letter cannot be retried; empty when it can."""
    if letter.truncated_from is not None:
        return (
            f"only the beginning of its {letter.truncated_from:,} bytes was stored; "
            "`uncia reconcile` announces the photograph again, if there is one"
        )
    if letter.details.topic not in known_topics:
        return f"its headers name the topic {letter.details.topic[:100]!r}, which no worker reads"
    return ""


def retry_topics(settings: Settings) -> frozenset[str]:
    """The topics to which letters may be sent: the headers of a letter are not trusted with any other."""
    own = (DEAD_LETTER, DEAD_LETTER_SETTLED)
    return frozenset(topic.full_name(settings) for topic in TOPICS if topic not in own)


class DeadLetterSettler:
    """Sends letters and settlements. A context manager, whose exit closes the producer. Raises `DependencyDown`.

    `settled_by`: the account of the dashboard whose decision it is.
    """

    def __init__(self, settings: Settings, settled_by: str | None = None) -> None:
        self._settings = settings
        self._settled_by = settled_by
        self._topics = retry_topics(settings)
        self._producer = connect_producer(settings, acks="all", linger_ms=5, max_request_size=_MAX_REQUEST_BYTES)

    def __enter__(self) -> "DeadLetterSettler":
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=_CONFIRM_TIMEOUT_S)

    def retry(self, letters: Iterable[DeadLetterRecord]) -> Iterator[SettlementResult]:
        """Send the original bytes, key and headers, confirmed, then the settlement. Skips letters that are refused."""
        remaining = iter(letters)
        while batch := list(islice(remaining, _BATCH)):
            refused = {letter.id: reason for letter in batch if (reason := retry_refusal(letter, self._topics))}
            accepted = [letter for letter in batch if letter.id not in refused]
            positions = self._send_confirmed([self._original_message(letter) for letter in accepted])
            settled = {
                letter.id: self._settled_event(letter, Settlement.RETRIED, position)
                for letter, position in zip(accepted, positions, strict=True)
            }
            self._write(settled.values())
            for letter in batch:
                yield SettlementResult(letter, settled.get(letter.id), refused.get(letter.id, ""))

    def drop(self, letters: Iterable[DeadLetterRecord]) -> Iterator[SettlementResult]:
        """Publish settlements; the letters stay in their topic until its retention removes them."""
        remaining = iter(letters)
        while batch := list(islice(remaining, _BATCH)):
            settled = {letter.id: self._settled_event(letter, Settlement.DROPPED) for letter in batch}
            self._write(settled.values())
            for letter in batch:
                yield SettlementResult(letter, settled[letter.id])

    def _original_message(self, letter: DeadLetterRecord) -> dict[str, Any]:
        message = letter.message
        partitions = self._producer.partitions_for(letter.details.topic) or {0}
        return {
            "topic": letter.details.topic,
            "key": message.key,
            "value": message.value,
            "headers": [*letter.own_headers, (RETRIES, str(letter.retries + 1).encode())],
            # The original partition, so that all events of a camera stay in one.
            "partition": letter.details.partition if letter.details.partition in partitions else None,
        }

    def _settled_event(
        self, letter: DeadLetterRecord, settlement: Settlement, sent_to: str | None = None
    ) -> DeadLetterSettled:
        return DeadLetterSettled(
            letter=letter.id,
            written_at=letter.written_at,
            settlement=settlement,
            settled_at=datetime.now(UTC),
            settled_by=self._settled_by,
            retries=letter.retries + (settlement is Settlement.RETRIED),
            sent_to=sent_to,
        )

    def _write(self, settled: Iterable[DeadLetterSettled]) -> None:
        topic = DEAD_LETTER_SETTLED.full_name(self._settings)
        self._send_confirmed(
            [{"topic": topic, "key": event.letter.encode(), "value": event.to_bytes()} for event in settled]
        )

    def _send_confirmed(self, messages: list[dict[str, Any]]) -> list[str]:
        try:
            sent = [self._producer.send(**message) for message in messages]
            done = [future.get(timeout=_CONFIRM_TIMEOUT_S) for future in sent]
        except KafkaError as error:
            raise DependencyDown(
                f"Kafka at {self._settings.kafka} did not confirm ({error}); letters that were not printed are still "
                "open: run this again"
            ) from error
        return [f"{sent_to.topic}:{sent_to.partition}:{sent_to.offset}" for sent_to in done]
