"""Uploads at the same time: a few threads that may be left behind when the gateway ends."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from uncia.producers.gateway.spool import Entry
from uncia.producers.gateway.uploader import Receipt


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended: with a receipt, or with an error."""

    entry: Entry
    receipt: Receipt | None
    error: Exception | None
    removing: bool = False
    """It was the check before a file is removed from the card, not an upload."""


class Hands(Protocol):
    """Something that makes attempts and hands back their outcomes."""

    @property
    def busy(self) -> int:
        """Attempts that were started and whose outcome was not handed back yet."""

    @property
    def number(self) -> int:
        """Most attempts at the same time."""

    def start(self, attempt: Callable[[], Outcome]) -> None:
        """Begin one more attempt; it must not raise."""

    def finished(self, wait_s: float) -> list[Outcome]:
        """Outcomes since the last call; waits so long for the first one."""


class Threads:
    """Daemon threads: one that hangs in the network cannot keep the program from ending, and need not.

    What it was doing stands in the spool as `uploading` and is done again by the next run.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.busy = 0
        self._outcomes: queue.Queue[Outcome] = queue.Queue()

    def start(self, attempt: Callable[[], Outcome]) -> None:
        """See `Hands`."""
        self.busy += 1
        threading.Thread(target=lambda: self._outcomes.put(attempt()), daemon=True).start()

    def finished(self, wait_s: float) -> list[Outcome]:
        """See `Hands`."""
        outcomes: list[Outcome] = []
        try:
            outcomes.append(self._outcomes.get(timeout=wait_s) if wait_s > 0 else self._outcomes.get_nowait())
            while True:
                outcomes.append(self._outcomes.get_nowait())
        except queue.Empty:
            pass
        self.busy -= len(outcomes)
        return outcomes
