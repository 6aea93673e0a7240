"""Dead letters and what became of them, read from their two topics."""

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
class Letter:
    """One dead letter as it lies in its topic."""

    message: Message

    @property
    def id(self) -> str:
        """`<partition>:<offset>`."""
        return f"{self.message.partition}:{self.message.offset}"

    @cached_property
    def why(self) -> DeadLetter:
        """What its headers say."""
        return DeadLetter.from_headers(self.message.headers)

    @property
    def written_at(self) -> datetime:
        """When the worker gave up."""
        return datetime.fromtimestamp(self.message.timestamp_ms / 1000, UTC)

    @property
    def own_headers(self) -> list[tuple[str, bytes]]:
        """The original message's headers, without the count of its retries."""
        return [header for header in original_headers(self.message.headers) if header[0] != RETRIES]

    @property
    def retries(self) -> int:
        """How often the message had been sent back when this letter was written."""
        return header_number(self.message.headers, RETRIES) or 0

    @property
    def truncated_from(self) -> int | None:
        """How many bytes the original had, where this holds only its beginning."""
        return header_number(self.message.headers, TRUNCATED_FROM)


@dataclass(frozen=True)
class Wanted:
    """Which letters. `ids` None: all; `reason`, `stage` empty: any."""

    ids: frozenset[str] | None = None
    reason: str = ""
    stage: str = ""
    since: datetime | None = None

    def takes(self, letter: Letter) -> bool:
        """True for a letter that is asked for."""
        return (
            (self.ids is None or letter.id in self.ids)
            and self.reason in ("", letter.why.reason)
            and self.stage in ("", letter.why.stage)
            and (self.since is None or letter.written_at >= self.since)
        )


class Settled:
    """What became of which letter."""

    def __init__(self) -> None:
        self._marks: dict[str, DeadLetterSettled] = {}

    def add(self, mark: DeadLetterSettled) -> None:
        """The newest mark counts."""
        self._marks[mark.letter] = mark

    def of(self, letter: Letter) -> DeadLetterSettled | None:
        """The mark on this very letter; one on a letter of the same id in an earlier topic is none."""
        mark = self._marks.get(letter.id)
        return mark if mark is not None and mark.written_at == letter.written_at else None


def ids_of(given: list[str]) -> frozenset[str]:
    """Checked ids. Raises `UnciaError` for what is none."""
    for one in given:
        if not re.fullmatch(r"\d{1,5}:\d{1,18}", one):
            raise UnciaError(f"{one!r} is no dead letter's id: `uncia dead-letters list` shows them, as 0:17")
    return frozenset(given)


def read_settled(settings: Settings) -> Settled:
    """All marks up to now."""
    settled = Settled()
    for message in read_topics(settings, (DEAD_LETTER_SETTLED,), from_beginning=True, until_end=True):
        try:
            settled.add(DeadLetterSettled.from_bytes(message.value))
        except PermanentError:
            continue  # from a newer version, or not ours: the letter counts as open
    return settled


def read_letters(settings: Settings, wanted: Wanted) -> Iterator[Letter]:
    """The letters up to now that are wanted, each partition's in order; one at a time in memory."""
    topic = DEAD_LETTER.full_name(settings)
    positions = _first_positions(topic, wanted.ids)
    left = set(wanted.ids) if wanted.ids is not None else None
    for message in read_topics(settings, (DEAD_LETTER,), until_end=True, from_positions=positions):
        letter = Letter(message)
        if wanted.takes(letter):
            yield letter
        if left is not None:
            left.discard(letter.id)
            if not left:
                return


def _first_positions(topic: str, ids: frozenset[str] | None) -> dict[tuple[str, int], int]:
    """Where each partition's reading may begin when only these letters are wanted."""
    if not ids:
        return {}
    first: dict[tuple[str, int], int] = {}
    for one in ids:
        partition, offset = (int(part) for part in one.split(":"))
        place = (topic, partition)
        first[place] = min(offset, first.get(place, offset))
    return first
