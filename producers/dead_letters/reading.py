"""Reads dead letters and their settlements from the two topics."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter, DeadLetterSettled
from uncia.events.dead_letter import RETRIES, TRUNCATED_FROM, header_number, original_headers
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, DEAD_LETTER_SETTLED


@dataclass(frozen=True)
class DeadLetterRecord:
    """One message of the dead-letter topic."""

    message: Message

    @property
    def id(self) -> str:
        """`<partition>:<offset>`."""
        return f"{self.message.partition}:{self.message.offset}"

    @cached_property
    def details(self) -> DeadLetter:
        """Reason, stage and origin, from its headers."""
        return DeadLetter.from_headers(self.message.headers)

    @property
    def written_at(self) -> datetime:
        """When the worker wrote it."""
        return datetime.fromtimestamp(self.message.timestamp_ms / 1000, UTC)

    @property
    def own_headers(self) -> list[tuple[str, bytes]]:
        """The headers of the original message, without the count of its retries."""
        return [header for header in original_headers(self.message.headers) if header[0] != RETRIES]

    @property
    def retries(self) -> int:
        """How many retries of the message preceded this letter."""
        return header_number(self.message.headers, RETRIES) or 0

    @property
    def truncated_from(self) -> int | None:
        """The size of the original in bytes, if only its beginning was stored."""
        return header_number(self.message.headers, TRUNCATED_FROM)


@dataclass(frozen=True)
class DeadLetterFilter:
    """Selects dead letters. `ids` None: all; `reason` and `stage` empty: any."""

    ids: frozenset[str] | None = None
    reason: str = ""
    stage: str = ""
    since: datetime | None = None

    def matches(self, letter: DeadLetterRecord) -> bool:
        """True for a letter that fulfils all conditions."""
        return (
            (self.ids is None or letter.id in self.ids)
            and self.reason in ("", letter.details.reason)
            and self.stage in ("", letter.details.stage)
            and (self.since is None or letter.written_at >= self.since)
        )


class Settlements:
    """The settlements of dead letters: retried, dropped."""

    def __init__(self) -> None:
        self._settlements: dict[str, DeadLetterSettled] = {}

    def add(self, settled: DeadLetterSettled) -> None:
        """Add a settlement; the last one of a letter counts."""
        self._settlements[settled.letter] = settled

    def of(self, letter: DeadLetterRecord) -> DeadLetterSettled | None:
        """The settlement of this letter; that of the same id in an earlier topic has another time and is ignored."""
        settled = self._settlements.get(letter.id)
        return settled if settled is not None and settled.written_at == letter.written_at else None


def parse_ids(given: list[str]) -> frozenset[str]:
    """Check ids of the form `<partition>:<offset>`. Raises `UnciaError`."""
    for letter_id in given:
        if not re.fullmatch(r"\d{1,5}:\d{1,18}", letter_id):
            raise UnciaError(
                f"{letter_id!r} is not the id of a dead letter, such as 0:17: `uncia dead-letters list` shows the ids"
            )
    return frozenset(given)


def read_settlements(settings: Settings) -> Settlements:
    """All settlements up to now."""
    settlements = Settlements()
    for message in read_topics(settings, (DEAD_LETTER_SETTLED,), from_beginning=True, until_end=True):
        try:
            settlements.add(DeadLetterSettled.from_bytes(message.value))
        except PermanentError:
            continue  # of a newer version, or not a settlement: the letter counts as open
    return settlements


def read_dead_letters(settings: Settings, letter_filter: DeadLetterFilter) -> Iterator[DeadLetterRecord]:
    """Yield the matching letters up to now, those of each partition in order; one at a time in memory."""
    topic = DEAD_LETTER.full_name(settings)
    positions = _first_positions(topic, letter_filter.ids)
    left = set(letter_filter.ids) if letter_filter.ids is not None else None
    for message in read_topics(settings, (DEAD_LETTER,), until_end=True, from_positions=positions):
        letter = DeadLetterRecord(message)
        if letter_filter.matches(letter):
            yield letter
        if left is not None:
            left.discard(letter.id)
            if not left:
                return


def _first_positions(topic: str, ids: frozenset[str] | None) -> dict[tuple[str, int], int]:
    """The offset from which to read each partition when only these letters are requested."""
    if not ids:
        return {}
    first: dict[tuple[str, int], int] = {}
    for letter_id in ids:
        partition, offset = (int(part) for part in letter_id.split(":"))
        key = (topic, partition)
        first[key] = min(offset, first.get(key, offset))
    return first
