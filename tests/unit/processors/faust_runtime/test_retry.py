"""Waiting for a dependency that is down."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from uncia.errors import DependencyDown
from uncia.processors.faust_runtime.retry import retry_until_available


def waiting(dependency: str) -> float:
    return REGISTRY.get_sample_value("uncia_waiting", {"dependency": dependency}) or 0.0


def test_the_result_is_returned_after_the_failures() -> None:
    failures = [DependencyDown("1"), DependencyDown("2")]

    async def call() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert asyncio.run(retry_until_available(call, waiting_for="test", first_s=0.001)) == "answer"


def test_other_errors_are_raised() -> None:
    async def call() -> None:
        raise ValueError("a bug is not an outage")

    with pytest.raises(ValueError, match="a bug"):
        asyncio.run(retry_until_available(call, waiting_for="test"))


def test_a_waiting_call_is_counted_while_it_waits() -> None:
    seen: list[float] = []

    async def call() -> None:
        seen.append(waiting("counted"))
        if len(seen) < 3:
            raise DependencyDown("down")

    asyncio.run(retry_until_available(call, waiting_for="counted", first_s=0.001))
    assert seen == [0, 1, 1]
    assert waiting("counted") == 0


def test_a_cancelled_call_is_no_longer_counted() -> None:
    async def call() -> None:
        raise DependencyDown("down")

    async def scene() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(retry_until_available(call, waiting_for="given up", first_s=0.001), 0.02)

    asyncio.run(scene())
    assert waiting("given up") == 0
