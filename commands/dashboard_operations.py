"""Connects the dashboard's page of operations with the dead letters of the topics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from uncia.dashboard.web.operations import DeadLetterDetails, DeadLetterRow
from uncia.errors import PermanentError
from uncia.events import DeadLetterSettled
from uncia.producers.dead_letters.reading import (
    DeadLetterFilter,
    DeadLetterRecord,
    parse_ids,
    read_dead_letters,
    read_settlements,
)
from uncia.producers.dead_letters.rendering import render_details
from uncia.producers.dead_letters.settlement import DeadLetterSettler, SettlementResult
from uncia.settings import Settings

__all__ = ["TopicDeadLetters"]


class TopicDeadLetters:
    """The dead letters on the topic, as `uncia dead-letters` manages them. Methods raise `UnciaError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, limit: int, *, stage: str = "", reason: str = "") -> Sequence[DeadLetterRow]:
        """The open ones of a worker and with a reason (empty: any), the oldest first."""
        letters = self._open(DeadLetterFilter(stage=stage, reason=reason))
        return [_row(letter) for letter in islice(letters, limit)]

    def show(self, letter: str) -> DeadLetterDetails:
        """One, open or not. Raises `PermanentError` where there is none."""
        found = next(read_dead_letters(self._settings, DeadLetterFilter(ids=parse_ids([letter]))), None)
        if found is None:
            raise PermanentError("letter-unknown", f"there is no dead letter {letter}")
        settled = read_settlements(self._settings).of(found)
        return DeadLetterDetails(_row(found), _settled(settled), render_details(found, settled))

    def retry(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Send the messages again. Returns a sentence for each that was not."""
        with DeadLetterSettler(self._settings, account) as settler:
            return self._settle(settler.retry, ids)

    def drop(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Mark them as dropped. Returns a sentence for each that was not."""
        with DeadLetterSettler(self._settings, account) as settler:
            return self._settle(settler.drop, ids)

    def _settle(
        self, action: Callable[[Iterable[DeadLetterRecord]], Iterator[SettlementResult]], ids: Sequence[str]
    ) -> list[str]:
        results = list(action(self._open(DeadLetterFilter(ids=parse_ids(list(ids))))))
        settled = {result.letter.id for result in results}
        gone = [f"{letter}: it is not open any more" for letter in dict.fromkeys(ids) if letter not in settled]
        return [f"{result.letter.id}: {result.refused}" for result in results if result.refused] + gone

    def _open(self, letter_filter: DeadLetterFilter) -> Iterator[DeadLetterRecord]:
        settlements = read_settlements(self._settings)
        return (letter for letter in read_dead_letters(self._settings, letter_filter) if settlements.of(letter) is None)


def _settled(settled: DeadLetterSettled | None) -> str:
    if settled is None:
        return ""
    by = f" by {settled.settled_by}" if settled.settled_by else ""
    return f"{settled.settlement.value}{by}, {settled.settled_at:%Y-%m-%d %H:%M:%S} UTC"


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
