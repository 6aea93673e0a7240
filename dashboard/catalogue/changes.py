"""What folding a message yields: rows to put, rows to remove, messages to skip."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = ["Change", "LogRecord", "PutRow", "RemoveRow", "Row", "SkipMessage", "offset_of", "order_of"]

Row = Mapping[Any, Any]
"""A row by the names of its columns, ours or one that a query returned."""

_OFFSET_BITS = 44
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_000_000_000_000
"""In the year 9987: a producer may write any timestamp."""


@dataclass(frozen=True)
class LogRecord:
    """One message of a topic, with the name of the topic outside its namespace."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    generation: int = 0
    """How often the partition's offsets began again."""

    @property
    def position(self) -> int:
        """Orders the messages of one partition, and of all its generations: 62 bits, more than 0."""
        return (self.generation << _OFFSET_BITS) + self.offset + 1

    @property
    def published_at(self) -> datetime:
        """The message's timestamp; 1970 where it has none that a calendar holds."""
        if not 0 <= self.timestamp_ms <= _LAST_MS:
            return _EPOCH
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


def offset_of(version: int) -> int:
    """The offset of the message that a row with this version was written from."""
    return (version & ((1 << _OFFSET_BITS) - 1)) - 1


_REVISED = ("bursts", "individual_sightings")


def order_of(table: str, row: Row) -> tuple[int, ...]:
    """What of two rows with one key the higher counts by.

    Bursts and sightings of individuals count by revision, and by position where a worker published one revision twice.
    Where the topic was recreated, its new messages count, although revisions begin at 1 again.
    """
    version: int = row["version"]
    return (version >> _OFFSET_BITS, row["revision"], version) if table in _REVISED else (version,)


@dataclass(frozen=True)
class PutRow:
    """Write a row, unless the table holds one of the same key and at least the same order (`order_of`).

    `parts`: rows of other tables that belong to it. They replace those of the older version. `also`: rows of tables
    without versions, which are written where they are missing, whatever the version.
    """

    table: str
    key: tuple[Any, ...]
    """Values of the primary key, in its order."""
    row: Row
    """All columns but derived ones."""
    parts: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    also: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, ...]:
        """See `order_of`."""
        return order_of(self.table, self.row)


@dataclass(frozen=True)
class RemoveRow:
    """Remove a row and its parts, unless its version is higher."""

    table: str
    key: tuple[Any, ...]
    version: int


@dataclass(frozen=True)
class SkipMessage:
    """A message that could not be folded."""

    record: LogRecord
    reason: str
    message: str

    @property
    def row(self) -> Row:
        """Its row in `skipped_events`."""
        return {
            "topic": self.record.topic,
            "partition": self.record.partition,
            "generation": self.record.generation,
            "offset": self.record.offset,
            "reason": self.reason,
            "message": self.message.replace("\x00", "\ufffd")[:1000],
            "published_at": self.record.published_at,
        }


Change = PutRow | RemoveRow | SkipMessage
