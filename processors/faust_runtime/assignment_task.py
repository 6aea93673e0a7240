"""What a timer does with the states of an assignment: it begins when they are read, and ends with the assignment.

Written for faust-streaming 0.15.3, which has no public property for a recovery that is requested and has not begun.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from uncia.processors.faust_runtime.app import WorkerApp

__all__ = ["AssignmentTask"]


class AssignmentTask:
    """Runs one coroutine at a time, and cancels it when partitions are revoked: another worker may own them then."""

    def __init__(self, app: WorkerApp) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        app.on_partitions_revoked.connect(self._cancel, weak=False)

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the work to its end or until partitions are revoked; nothing while the states are not read."""
        if not self._is_ready():
            return
        # A send is repeated without limit while Kafka is down: only a cancellation ends it.
        self._task = task = asyncio.create_task(work())
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if not task.cancelled():
            task.result()

    def is_of(self, generation: int) -> bool:
        """Whether the assignment is still the one of this generation, and its states are read."""
        return self._is_ready() and self._app.consumer_generation_id == generation

    def _is_ready(self) -> bool:
        recovery = self._app.tables.recovery
        pending = self._app.rebalancing or self._app.in_recovery or recovery.signal_recovery_start.is_set()
        return bool(recovery.completed.is_set() and not pending and self._app.flow_control.is_active())

    async def _cancel(self, *_: Any, **__: Any) -> None:
        if self._task is not None:
            self._task.cancel()
