"""Verdicts, for the agents that follow `camera.burst.resolved.v1` in addition to the topic of their worker."""

import faust
import structlog

from uncia.errors import PermanentError
from uncia.events import BurstResolved

log = structlog.get_logger("uncia")


def verdict_of(event: faust.Event) -> BurstResolved | None:
    """The burst of a message; None for a tombstone, and for a message that cannot be read, which is logged.

    There is no dead letter: sent back, an old revision would take the place of a newer one when the topic is compacted.
    """
    if event.value is None:
        return None
    try:
        return BurstResolved.from_bytes(event.value)
    except PermanentError as error:
        log.warning("burst_invalid", reason=error.reason, offset=event.message.offset)
        return None
