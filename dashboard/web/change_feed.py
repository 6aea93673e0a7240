"""Delivers the changes of the catalogue to any number of live viewers, from one poll of the database."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from uncia.dashboard.catalogue.rows import AlertChange, BurstChange

__all__ = ["Change", "ChangeFeed"]

log = structlog.get_logger(__name__)

_KEPT = 2000
"""Changes that are kept in memory; viewers that reconnect from further back read the database."""
_PAGE = 500

Change = BurstChange | AlertChange
ReadChanges = Callable[[int, int], Sequence[Change]]
"""Called with a number and a limit: the changes after it, in order, those of one number together."""


class ChangeFeed:
    """One poll of the database for all viewers of this process. Use in one event loop.

    A slow viewer delays no other: each has its own position, and reads from memory or from the database what it missed.
    """

    def __init__(self, read: ReadChanges, newest: Callable[[], int], *, interval_s: float = 0.25) -> None:
        self._read = read
        self._newest = newest
        self._interval_s = interval_s
        self._recent: deque[Change] = deque()
        self._last = 0
        self._complete_after = 0
        """`_recent` holds all changes after this number."""
        self._arrived = asyncio.Event()
        self._started = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled. An unavailable database is logged once and polled again."""
        available = True
        while True:
            found: Sequence[Change] = ()
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
                available = False
            if found:
                self._add(found)
            if len(found) < _PAGE:
                await asyncio.sleep(self._interval_s)

    async def follow(self, after: int | None = None) -> AsyncIterator[tuple[Change, int | None]]:
        """Yield changes after a number; None: from now on. Never ends.

        The second value is the position to go on from, given with the last change of each number: a reader that
        is cut off between two changes of one number must read both again.
        """
        await self._started.wait()
        position = self._last if after is None or after > self._last else after
        while True:
            arrived = self._arrived
            changes = await self._after(position)
            for at, change in enumerate(changes, 1):
                is_last = at == len(changes) or changes[at].number != change.number
                yield change, change.number if is_last else None
                position = change.number
            if position >= self._last:
                await arrived.wait()

    async def _after(self, position: int) -> list[Change]:
        if position >= self._complete_after:
            return [change for change in self._recent if change.number > position]
        return list(await asyncio.to_thread(self._read, position, _PAGE))

    def _add(self, found: Sequence[Change]) -> None:
        self._recent.extend(found)
        while len(self._recent) > _KEPT:
            # All changes of a number leave together.
            self._complete_after = self._recent[0].number
            while self._recent and self._recent[0].number == self._complete_after:
                self._recent.popleft()
        self._last = found[-1].number
        # A new event each time: a viewer that waits on the old one wakes up, and later ones wait for the next change.
        self._arrived.set()
        self._arrived = asyncio.Event()
