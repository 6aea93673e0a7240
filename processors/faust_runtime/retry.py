"""Retries while a dependency is down: in place, with backoff, and logged every half minute, not at every attempt."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from uncia.backoff import Backoff
from uncia.errors import DependencyDown
from uncia.processors.faust_runtime import metrics

Result = TypeVar("Result")

log = structlog.get_logger("uncia")

_LOG_INTERVAL_S = 30


async def retry_until_available(
    call: Callable[[], Awaitable[Result]],
    *,
    waiting_for: str,
    on: tuple[type[Exception], ...] = (DependencyDown,),
    first_s: float = 0.2,
    most_s: float = 5.0,
) -> Result:
    """Retry `call` until it raises none of `on`; other errors are raised.

    Waits `first_s`, then twice as long each time up to `most_s` seconds, each with a jitter of one half so that
    workers do not retry at the same moment. Logs the first failure, again every 30 s, and the recovery.
    """
    began, logged, failures = time.monotonic(), float("-inf"), 0
    backoff = Backoff(first_s, most_s)
    try:
        while True:
            try:
                result = await call()
            except on as error:
                failures += 1
                if failures == 1:
                    metrics.WAITING.labels(waiting_for).inc()
                now = time.monotonic()
                if now - logged >= _LOG_INTERVAL_S:
                    logged = now
                    log.warning(
                        "dependency_down", dependency=waiting_for, error=str(error), since_s=round(now - began, 1)
                    )
                await asyncio.sleep(backoff.delay_s(failures))
            else:
                if failures:
                    log.info("dependency_recovered", dependency=waiting_for, after_s=round(time.monotonic() - began, 1))
                return result
    finally:
        if failures:
            metrics.WAITING.labels(waiting_for).dec()
