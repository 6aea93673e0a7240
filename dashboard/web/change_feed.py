"""Hands the changes of the catalogue to any number of live viewers, from one poll of the database."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import structlog

__all__ = ["ChangeFeed", "FeedChange"]

log = structlog.get_logger(__name__)

_KEPT = 2000
"""Changes that are kept in memory; whoever reconnects from further back reads the database."""
_PAGE = 500


@dataclass(frozen=True)
class FeedChange:
    """A burst has changed: a new revision, or a review."""

    sequence: int
    """Increases with every change; a viewer that reconnects sends the last one it has seen."""
    burst_id: str


ReadChanges = Callable[[int, int], Sequence[FeedChange]]
"""Called with a sequence and a limit: the changes after it, in order."""


class ChangeFeed:
    """One poll of the database for all viewers of this process. Use in one event loop.

    A slow viewer delays nobody: each has its own position, and reads from memory or from the database what it missed.
    """

    def __init__(self, read: ReadChanges, newest: Callable[[], int], *, interval_s: float = 0.25) -> None:
        self._read = read
        self._newest = newest
        self._interval_s = interval_s
        self._recent: deque[FeedChange] = deque(maxlen=_KEPT)
        self._last = 0
        self._complete_after = 0
        """`_recent` holds all changes after this sequence."""
        self._arrived = asyncio.Event()
        self._started = asyncio.Event()

    @property
    def last(self) -> int:
        """The newest sequence that was read."""
        return self._last

    async def run(self) -> None:
        """Poll until cancelled. An unavailable database is logged once and polled again."""
        available = True
        while True:
            try:
                if not self._started.is_set():
                    self._last = self._complete_after = await asyncio.to_thread(self._newest)
                    self._started.set()
                found = await asyncio.to_thread(self._read, self._last, _PAGE)
                available = True
            except Exception as error:
                # Whatever the database raises, the feed must go on when it is back.
                if available:
                    log.warning("changes_not_read", error=str(error))
                available, found = False, ()
            if found:
                self._add(found)
            if len(found) < _PAGE:
                await asyncio.sleep(self._interval_s)

    async def follow(self, after: int | None = None) -> AsyncIterator[FeedChange]:
        """Yield changes after a sequence; None: from now on. Never ends."""
        await self._started.wait()
        position = self._last if after is None or after > self._last else after
        while True:
            arrived = self._arrived
            for change in await self._after(position):
                position = change.sequence
                yield change
            if position >= self._last:
                await arrived.wait()

    async def _after(self, position: int) -> list[FeedChange]:
        if position >= self._complete_after:
            return [change for change in self._recent if change.sequence > position]
        return list(await asyncio.to_thread(self._read, position, _PAGE))

    def _add(self, found: Sequence[FeedChange]) -> None:
        if (overflow := len(self._recent) + len(found) - _KEPT) > 0:
            for _ in range(min(overflow, len(self._recent))):
                self._complete_after = self._recent.popleft().sequence
            if len(found) > _KEPT:
                self._complete_after = found[-_KEPT - 1].sequence
        self._recent.extend(found)
        self._last = found[-1].sequence
        # A new event each time: a viewer that waits on the old one wakes up, and later ones wait for the next change.
        self._arrived.set()
        self._arrived = asyncio.Event()
