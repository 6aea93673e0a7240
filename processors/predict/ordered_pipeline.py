"""A sliding window over a stream: many in work at once, settled strictly in the order in which they came.

Why not one batch after the other: while the last photographs of a batch are being judged nobody would decode, and
while the first of the next are decoded Triton would idle. Why in order: see `uncia.processors.faust_runtime.app`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Window(Generic[Item, Result]):
    """`work` runs for at most `size` items at a time; `settle` gets the finished ones from the head of the line.

    Whatever `work` or `settle` raises ends the window: `add` raises it too, and `failed` is called with it.
    """

    def __init__(
        self,
        size: int,
        work: Callable[[Item], Awaitable[Result]],
        settle: Callable[[Sequence[tuple[Item, Result]]], Awaitable[None]],
        failed: Callable[[Exception], Awaitable[None]],
    ) -> None:
        self._work, self._settle, self._failed = work, settle, failed
        self._slots = asyncio.Semaphore(size)
        self._line: deque[tuple[Item, asyncio.Task[Result]]] = deque()
        self._changed = asyncio.Event()
        self._error: Exception | None = None
        self._settler = asyncio.create_task(self._run())

    async def add(self, item: Item) -> None:
        """Start work on an item, once there is room."""
        await self._slots.acquire()
        if self._error is not None:
            raise self._error
        task = asyncio.ensure_future(self._work(item))
        self._line.append((item, task))
        self._changed.set()

    async def close(self) -> None:
        """Drop what is not settled."""
        tasks = [self._settler, *(task for _, task in self._line)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                while not self._line:
                    self._changed.clear()
                    await self._changed.wait()
                await asyncio.wait([self._line[0][1]])
                finished: list[tuple[Item, Result]] = []
                # Taken from the line only when settled, so that `close` finds everything.
                for item, task in self._line:
                    if not task.done():
                        break
                    finished.append((item, task.result()))
                await self._settle(finished)
                for _ in finished:
                    self._line.popleft()
                    self._slots.release()
        except Exception as error:
            self._error = error
            self._slots.release()
            await self._failed(error)
