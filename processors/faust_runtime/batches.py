"""The loop of a stateful worker: batches of events of the current assignment, processed completely or not at all."""

from collections.abc import Awaitable, Callable, Sequence

import faust
import structlog

from uncia.processors.faust_runtime.app import WorkerApp

log = structlog.get_logger("uncia")


async def process_batches(
    app: WorkerApp,
    stream: faust.StreamT[bytes],
    size: int,
    wait_s: float,
    process: Callable[[Sequence[faust.Event]], Awaitable[None]],
) -> None:
    """Pass up to `size` events at a time to `process`, and acknowledge them when it returns.

    When it raises, nothing of the batch is acknowledged: the process ends, and the next run reads it again. Events of
    an assignment that has ended are dropped; the present owner of their partition reads them again.
    """
    async for events in stream.noack_take(size, within=wait_s):
        generation = app.consumer_generation_id
        current = [event for event in events if event.message.generation_id == generation]
        if not current:
            continue
        try:
            await process(current)
        except Exception as error:
            log.exception("batch_failed", action="the worker stops")
            await app.halt(error)
            raise
        for event in current:
            event.ack()
