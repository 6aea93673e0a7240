"""Waiting for a dependency that is down: in place, with back-off, and said once, not a thousand times."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from uncia.errors import DependencyDown
from uncia.processors.faust_runtime import metrics

Answer = TypeVar("Answer")

log = structlog.get_logger("uncia")

_SAY_AGAIN_S = 30


async def retry_until_available(
    call: Callable[[], Awaitable[Answer]],
    *,
    waiting_for: str,
    on: tuple[type[Exception], ...] = (DependencyDown,),
    first_s: float = 0.2,
    most_s: float = 5.0,
) -> Answer:
    """Call until it does not raise one of `on`; other errors pass.

    Waits `first_s`, then twice as long each time up to `most_s` seconds, each spread by a half so that workers
    do not come back as one. Logs the first failure, again every 30 s, and the return.
    """
    began, said, wait = time.monotonic(), float("-inf"), first_s
    failed = False
    try:
        while True:
            try:
                answer = await call()
            except on as error:
                if not failed:
                    failed = True
                    metrics.WAITING.labels(waiting_for).inc()
                now = time.monotonic()
                if now - said >= _SAY_AGAIN_S:
                    said = now
                    log.warning("waiting", dependency=waiting_for, error=str(error), since_s=round(now - began, 1))
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))
                wait = min(most_s, wait * 2)
            else:
                if failed:
                    log.info("answers again", dependency=waiting_for, after_s=round(time.monotonic() - began, 1))
                return answer
    finally:
        if failed:
            metrics.WAITING.labels(waiting_for).dec()
