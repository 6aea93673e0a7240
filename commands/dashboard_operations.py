"""Connects the dashboard's page of operations with the dead letters of the topics."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from uncia.dashboard.web.operations import DeadLetterRow
from uncia.producers.dead_letters.reading import (
    DeadLetterFilter,
    DeadLetterRecord,
    parse_ids,
    read_dead_letters,
    read_settlements,
)
from uncia.producers.dead_letters.settlement import DeadLetterSettler, SettlementResult
from uncia.settings import Settings

__all__ = ["TopicDeadLetters"]


class TopicDeadLetters:
    """The dead letters on the topic, as `uncia dead-letters` manages them. Methods raise `UnciaError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, limit: int) -> Sequence[DeadLetterRow]:
        """The open ones, the oldest first."""
        return [_row(letter) for letter in islice(self._open(DeadLetterFilter()), limit)]

    def retry(self, ids: Sequence[str]) -> Sequence[str]:
        """Send the messages again. Returns a sentence for each that was not."""
        with DeadLetterSettler(self._settings) as settler:
            return _problems(settler.retry(self._chosen(ids)))

    def drop(self, ids: Sequence[str]) -> Sequence[str]:
        """Mark them as dropped. Returns a sentence for each that was not."""
        with DeadLetterSettler(self._settings) as settler:
            return _problems(settler.drop(self._chosen(ids)))

    def _chosen(self, ids: Sequence[str]) -> Iterable[DeadLetterRecord]:
        return self._open(DeadLetterFilter(ids=parse_ids(list(ids))))

    def _open(self, letter_filter: DeadLetterFilter) -> Iterator[DeadLetterRecord]:
        settlements = read_settlements(self._settings)
        return (letter for letter in read_dead_letters(self._settings, letter_filter) if settlements.of(letter) is None)


def _problems(results: Iterable[SettlementResult]) -> list[str]:
    return [f"{result.letter.id}: {result.refused}" for result in results if result.refused]


def _row(letter: DeadLetterRecord) -> DeadLetterRow:
    details = letter.details
    return DeadLetterRow(
        id=letter.id,
        stage=details.stage,
        reason=details.reason,
        message=details.message,
        topic=details.topic,
        key=(letter.message.key or b"").decode(errors="replace")[:300],
        written_at=f"{letter.written_at:%Y-%m-%d %H:%M:%S} UTC",
        retries=letter.retries,
    )
