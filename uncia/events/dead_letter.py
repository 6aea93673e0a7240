"""Dead letters: messages that can never be processed, and what an operator did with them.

Value and key of a dead letter are those of the original message; its headers contain the reason.
"""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.errors import PermanentError
from uncia.events.base import Event, Name, UtcTime

_PREFIX = "__connect.errors."

TRUNCATED_FROM = "uncia.truncated-from"
"""Header of a truncated value: the size of the original in bytes."""

RETRIES = "uncia.retries"
"""Header of a retried message: the number of retries."""

_MOST = {"exception.message": 1000, "exception.stacktrace": 4000}
"""Maximum length in characters. Stack traces keep their end, which names the error."""


@dataclass(frozen=True)
class DeadLetter:
    """The headers of a dead letter, with the names of Kafka Connect."""

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    """`PermanentError.reason`, in the header `exception.class.name`."""
    message: str
    worker: str = ""
    """Consumer group of the worker that gave up, in the header `connector.name`."""
    step: str = ""
    """Module and function that found the error, in the header `class.name`."""
    trace: str = ""

    @classmethod
    def of(
        cls, error: PermanentError, *, topic: str, partition: int, offset: int, stage: str, worker: str = ""
    ) -> "DeadLetter":
        """Describe a message that failed with a permanent error."""
        trace = "".join(traceback.format_exception(error)) if error.__traceback__ else ""
        return cls(topic, partition, offset, stage, error.reason, str(error), worker, _step(error), trace)

    def headers(self) -> list[tuple[str, bytes]]:
        """The headers to send in addition to those of the original; without empty values."""
        named = {
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "connector.name": self.worker,
            "stage": self.stage,
            "class.name": self.step,
            "exception.class.name": self.reason,
            "exception.message": self.message[: _MOST["exception.message"]],
            "exception.stacktrace": self.trace[-_MOST["exception.stacktrace"] :],
        }
        return [(_PREFIX + name, value.encode(errors="replace")) for name, value in named.items() if value]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> "DeadLetter":
        """Decode the headers; missing ones become empty strings, or -1 for numbers."""
        # The last one counts: the original can already have headers of an earlier failure.
        found = {
            name.removeprefix(_PREFIX): (value or b"").decode(errors="replace")
            for name, value in headers
            if name.startswith(_PREFIX)
        }
        return cls(
            topic=found.get("topic", ""),
            partition=_number(found.get("partition")),
            offset=_number(found.get("offset")),
            stage=found.get("stage", ""),
            reason=found.get("exception.class.name", ""),
            message=found.get("exception.message", ""),
            worker=found.get("connector.name", ""),
            step=found.get("class.name", ""),
            trace=found.get("exception.stacktrace", ""),
        )


def original_headers(headers: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the headers of the original message and `RETRIES`, without those that describe the failure."""
    return [(name, value) for name, value in headers if not name.startswith(_PREFIX) and name != TRUNCATED_FROM]


def header_number(headers: Iterable[tuple[str, bytes]], name: str) -> int | None:
    """Return a header's value as a number; None when the header is missing or not a number."""
    found = [value for header, value in headers if header == name]
    number = _number((found[-1] or b"").decode(errors="replace")) if found else -1
    return number if number >= 0 else None


class Settlement(StrEnum):
    """What an operator did with a dead letter."""

    RETRIED = "retried"
    DROPPED = "dropped"


class DeadLetterSettled(Event):
    """An operator has retried or dropped a dead letter. Key: `letter`."""

    topic: ClassVar[str] = "uncia.dead-letter.settled.v1"

    letter: str = Field(description="`<partition>:<offset>` of the dead letter in `uncia.dead-letter.v1`")
    written_at: UtcTime = Field(
        description="when the dead letter was written; distinguishes it from one with the same id after the topic was "
        "deleted and created again"
    )
    settlement: Settlement
    settled_at: UtcTime
    settled_by: Name | None = Field(
        default=None, description="account of the dashboard that did it; null where a command did"
    )
    retries: NonNegativeInt = Field(default=0, description="number of retries of the message, including this one")
    sent_to: str | None = Field(
        default=None, description="destination of a retried message: `<topic>:<partition>:<offset>`"
    )


def _number(text: str | None) -> int:
    try:
        return int(text) if text else -1
    except ValueError:
        return -1


def _step(error: PermanentError) -> str:
    frame = error.__traceback__
    if frame is None:
        return ""
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_globals.get('__name__', '')}.{frame.tb_frame.f_code.co_qualname}"
