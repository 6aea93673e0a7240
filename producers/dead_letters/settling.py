"""Send dead letters back where they came from, or put them away; either leaves a mark, so that it happens once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.events import DeadLetterSettled, Settlement
from uncia.events.dead_letter import RETRIES
from uncia.producers.dead_letters.reading import Letter
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, DEAD_LETTER_SETTLED, TOPICS

_BATCH = 100
"""So many letters may be sent back twice when this is killed between sending and marking: the ids stay the same."""

_CONFIRMED_WITHIN_S = 30
_MAX_REQUEST_BYTES = 5 * 1_048_576


@dataclass(frozen=True)
class Outcome:
    """What was done with one letter."""

    letter: Letter
    mark: DeadLetterSettled | None
    refused: str = ""
    """Why it was not sent back."""


def why_not(letter: Letter, known_topics: frozenset[str]) -> str:
    """Why a letter cannot be sent back; empty when it can."""
    if letter.truncated_from is not None:
        return (
            f"only the beginning of its {letter.truncated_from:,} bytes was kept; "
            "`uncia reconcile` announces the photograph again, if there is one"
        )
    if letter.why.topic not in known_topics:
        return f"it says it came from {letter.why.topic[:100]!r}, which is no topic that workers read"
    return ""


def sendable_topics(settings: Settings) -> frozenset[str]:
    """Topics to which a letter may go back: a letter's headers are not to be trusted with any other."""
    own = (DEAD_LETTER, DEAD_LETTER_SETTLED)
    return frozenset(topic.full_name(settings) for topic in TOPICS if topic not in own)


class Settler:
    """Writes to the broker; close it, or use it in a `with` block. Raises `DependencyDown`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = sendable_topics(settings)
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=[server.strip() for server in settings.kafka.split(",")],
                acks="all",
                linger_ms=5,
                max_request_size=_MAX_REQUEST_BYTES,
            )
        except KafkaError as error:
            raise DependencyDown(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error

    def __enter__(self) -> "Settler":
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=_CONFIRMED_WITHIN_S)

    def retry(self, letters: Iterable[Letter]) -> Iterator[Outcome]:
        """Send original bytes, key and headers back, confirmed, then mark. Goes on after one that is refused."""
        waiting = iter(letters)
        while batch := list(islice(waiting, _BATCH)):
            refused = {letter.id: why for letter in batch if (why := why_not(letter, self._topics))}
            going = [letter for letter in batch if letter.id not in refused]
            places = self._confirmed([self._back(letter) for letter in going])
            marks = {
                letter.id: _mark(letter, Settlement.RETRIED, place) for letter, place in zip(going, places, strict=True)
            }
            self._write(marks.values())
            for letter in batch:
                yield Outcome(letter, marks.get(letter.id), refused.get(letter.id, ""))

    def drop(self, letters: Iterable[Letter]) -> Iterator[Outcome]:
        """Mark them as done; the letters themselves stay in the topic for as long as it keeps them."""
        waiting = iter(letters)
        while batch := list(islice(waiting, _BATCH)):
            marks = {letter.id: _mark(letter, Settlement.DROPPED) for letter in batch}
            self._write(marks.values())
            for letter in batch:
                yield Outcome(letter, marks[letter.id])

    def _back(self, letter: Letter) -> dict[str, Any]:
        message = letter.message
        there = self._producer.partitions_for(letter.why.topic) or {0}
        return {
            "topic": letter.why.topic,
            "key": message.key,
            "value": message.value,
            "headers": [*letter.own_headers, (RETRIES, str(letter.retries + 1).encode())],
            # Where it was, so that a camera's story stays in one partition.
            "partition": letter.why.partition if letter.why.partition in there else None,
        }

    def _write(self, marks: Iterable[DeadLetterSettled]) -> None:
        topic = DEAD_LETTER_SETTLED.full_name(self._settings)
        self._confirmed([{"topic": topic, "key": m.letter.encode(), "value": m.to_bytes()} for m in marks])

    def _confirmed(self, messages: list[dict[str, Any]]) -> list[str]:
        try:
            sent = [self._producer.send(**message) for message in messages]
            done = [future.get(timeout=_CONFIRMED_WITHIN_S) for future in sent]
        except KafkaError as error:
            raise DependencyDown(
                f"Kafka at {self._settings.kafka} did not confirm ({error}); letters that were not printed are still "
                "open: run this again"
            ) from error
        return [f"{place.topic}:{place.partition}:{place.offset}" for place in done]


def _mark(letter: Letter, settlement: Settlement, sent_to: str | None = None) -> DeadLetterSettled:
    return DeadLetterSettled(
        letter=letter.id,
        written_at=letter.written_at,
        settlement=settlement,
        settled_at=datetime.now(UTC),
        retries=letter.retries + (settlement is Settlement.RETRIED),
        sent_to=sent_to,
    )
