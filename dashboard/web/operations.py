"""What operators can do, as the pages see it; the composition root provides it, because it writes to topics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["DeadLetterRow", "DeadLetters", "NoDeadLetters"]


@dataclass(frozen=True)
class DeadLetterRow:
    """One message that could not be processed."""

    id: str
    """`<partition>:<offset>`"""
    stage: str
    reason: str
    message: str
    topic: str
    key: str
    written_at: str
    retries: int


class DeadLetters(Protocol):
    """The open dead letters. Methods raise `UnciaError`."""

    def open(self, limit: int) -> Sequence[DeadLetterRow]:
        """The open ones, the oldest first."""

    def retry(self, ids: Sequence[str]) -> Sequence[str]:
        """Send the messages again. Returns a sentence for each that was not."""

    def drop(self, ids: Sequence[str]) -> Sequence[str]:
        """Mark them as dropped. Returns a sentence for each that was not."""


class NoDeadLetters:
    """Where the page runs without access to the topics."""

    def open(self, limit: int) -> Sequence[DeadLetterRow]:
        """Nothing."""
        return ()

    def retry(self, ids: Sequence[str]) -> Sequence[str]:
        """Nothing."""
        return ()

    def drop(self, ids: Sequence[str]) -> Sequence[str]:
        """Nothing."""
        return ()
