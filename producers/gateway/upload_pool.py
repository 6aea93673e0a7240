"""Runs upload attempts concurrently, on threads that may be abandoned when the gateway ends."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from uncia.producers.gateway.spool_entry import SpoolEntry
from uncia.producers.gateway.uploader import Receipt


@dataclass(frozen=True)
class UploadOutcome:
    """The end of one attempt: a receipt or an error."""

    entry: SpoolEntry
    receipt: Receipt | None
    error: Exception | None
    is_removal_check: bool = False
    """True for the check before a file is removed from the card, which is not an upload."""


@dataclass(frozen=True)
class PollOutcome:
    """The end of one attempt to look up requests: a new list with its ETag, nothing new, or an error."""

    content: tuple[bytes, str] | None
    error: Exception | None


Outcome = UploadOutcome | PollOutcome


class UploadPool(Protocol):
    """Runs attempts and returns their outcomes. Called by one thread only."""

    @property
    def busy(self) -> int:
        """The number of attempts that were started and whose outcomes were not returned yet."""

    @property
    def size(self) -> int:
        """The maximum number of concurrent attempts; the caller enforces it."""

    def start(self, attempt: Callable[[], Outcome]) -> None:
        """Start an attempt, which must not raise."""

    def finished(self, wait_s: float) -> list[Outcome]:
        """The outcomes since the last call; waits up to `wait_s` seconds for the first one."""


class ThreadUploadPool:
    """An `UploadPool` of daemon threads: one that hangs in the network does not keep the program from ending.

    Its file is `uploading` in the spool, and the next run repeats the attempt.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.busy = 0
        self._outcomes: queue.Queue[Outcome] = queue.Queue()

    def start(self, attempt: Callable[[], Outcome]) -> None:
        """See `UploadPool`."""
        self.busy += 1
        threading.Thread(target=lambda: self._outcomes.put(attempt()), daemon=True).start()

    def finished(self, wait_s: float) -> list[Outcome]:
        """See `UploadPool`."""
        outcomes: list[Outcome] = []
        try:
            outcomes.append(self._outcomes.get(timeout=wait_s) if wait_s > 0 else self._outcomes.get_nowait())
            while True:
                outcomes.append(self._outcomes.get_nowait())
        except queue.Empty:
            pass
        self.busy -= len(outcomes)
        return outcomes
