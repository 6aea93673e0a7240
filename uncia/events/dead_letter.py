"""Messages that can never be processed: their original bytes, the reason in the headers, and their settlement."""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.errors import PermanentError
from uncia.events.base import Event, UtcTime

_PREFIX = "__connect.errors."

TRUNCATED_FROM = "uncia.truncated-from"
"""Header: the value is only the beginning of the original, which had so many bytes."""

RETRIES = "uncia.retries"
"""Header of a message that was sent back from the dead letters: how often."""

_MOST = {"exception.message": 1000, "exception.stacktrace": 4000}
"""Characters; the end of a stack trace is more useful than its beginning."""


@dataclass(frozen=True)
class DeadLetter:
    """The headers of a dead letter, named as Kafka Connect names them. Value and key are the original's."""

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
        """Describe a message that failed for good."""
        trace = "".join(traceback.format_exception(error)) if error.__traceback__ else ""
        return cls(topic, partition, offset, stage, error.reason, str(error), worker, _step(error), trace)

    def headers(self) -> list[tuple[str, bytes]]:
        """The headers to send in addition to the original's own; unknown values are left out."""
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
        """Read them back; what is absent is empty."""
        # The last one wins: the original may already carry headers of an earlier failure.
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
    """A dead letter's headers without those that describe the failure: the original's own, and `RETRIES`."""
    return [(name, value) for name, value in headers if not name.startswith(_PREFIX) and name != TRUNCATED_FROM]


def header_number(headers: Iterable[tuple[str, bytes]], name: str) -> int | None:
    """A header's value as a number; None where it is absent or is none."""
    found = [value for header, value in headers if header == name]
    number = _number((found[-1] or b"").decode(errors="replace")) if found else -1
    return number if number >= 0 else None


class Settlement(StrEnum):
    """What became of a dead letter."""

    RETRIED = "retried"
    DROPPED = "dropped"


class DeadLetterSettled(Event):
    """An operator has dealt with a dead letter. Key: `letter`."""

    topic: ClassVar[str] = "uncia.dead-letter.settled.v1"

    letter: str = Field(description="`<partition>:<offset>` of the dead letter in `uncia.dead-letter.v1`")
    written_at: UtcTime = Field(
        description="when that letter was written: distinguishes it from one with the same id in a recreated topic"
    )
    settlement: Settlement
    settled_at: UtcTime
    retries: NonNegativeInt = Field(
        default=0, description="how often the message has been sent back, this time included"
    )
    sent_to: str | None = Field(
        default=None, description="where a retried message went: `<topic>:<partition>:<offset>`"
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
