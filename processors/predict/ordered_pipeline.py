"""A pipeline over a stream: many items are processed at once, and committed strictly in the order of arrival.

Why not one batch after the other: while the last photographs of a batch are in inference nothing would be decoded, and
while the first of the next are decoded Triton would be idle. Why in order: see `uncia.processors.faust_runtime.app`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class OrderedPipeline(Generic[Item, Result]):
    """Runs `process` for at most `size` items at a time; `commit` receives finished items from the head of the queue.

    Back-pressure: `add` waits while `size` items are in progress or uncommitted. An exception in `process` or `commit`
    ends the pipeline: `failed` is called with it, and `add` raises it. Must be created in a running event loop.
    """

    def __init__(
        self,
        size: int,
        process: Callable[[Item], Awaitable[Result]],
        commit: Callable[[Sequence[tuple[Item, Result]]], Awaitable[None]],
        failed: Callable[[Exception], Awaitable[None]],
    ) -> None:
        self._process, self._commit, self._failed = process, commit, failed
        self._slots = asyncio.Semaphore(size)
        self._queue: deque[tuple[Item, asyncio.Task[Result]]] = deque()
        self._changed = asyncio.Event()
        self._error: Exception | None = None
        self._committer = asyncio.create_task(self._run())

    async def add(self, item: Item) -> None:
        """Start to process an item as soon as there is room."""
        await self._slots.acquire()
        if self._error is not None:
            raise self._error
        task = asyncio.ensure_future(self._process(item))
        self._queue.append((item, task))
        self._changed.set()

    async def close(self) -> None:
        """Cancel everything that is not committed."""
        tasks = [self._committer, *(task for _, task in self._queue)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                while not self._queue:
                    self._changed.clear()
                    await self._changed.wait()
                await asyncio.wait([self._queue[0][1]])
                finished: list[tuple[Item, Result]] = []
                # Removed from the queue only when committed, so that `close` finds everything.
                for item, task in self._queue:
                    if not task.done():
                        break
                    finished.append((item, task.result()))
                await self._commit(finished)
                for _ in finished:
                    self._queue.popleft()
                    self._slots.release()
        except Exception as error:
            self._error = error
            self._slots.release()
            await self._failed(error)
