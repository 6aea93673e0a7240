"""The loop of a worker that keeps state: batches of events of the present assignment, all of a batch or nothing."""

from collections.abc import Awaitable, Callable

import faust
import structlog

from uncia.processors.faust_runtime.app import WorkerApp

log = structlog.get_logger("uncia")

Settle = Callable[[list[faust.Event]], Awaitable[None]]


async def settle_in_batches(
    app: WorkerApp, stream: faust.StreamT[bytes], size: int, within_s: float, settle: Settle
) -> None:
    """Hand up to `size` events at a time to `settle`, and acknowledge them when it returns.

    When it raises, nothing of the batch is acknowledged: the process ends, and the next run reads it again. So it is
    with what was read in an assignment that is gone, by whoever has the partition now.
    """
    async for events in stream.noack_take(size, within=within_s):
        generation = app.consumer_generation_id
        current = [event for event in events if event.message.generation_id == generation]
        if not current:
            continue
        try:
            await settle(current)
        except Exception as error:
            log.exception("stopping")
            await app.halt(error)
            raise
        for event in current:
            event.ack()
