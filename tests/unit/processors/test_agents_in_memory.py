"""The workers' agents on an in-memory broker; tests/stack/test_agents_on_kafka.py runs the same suites on Kafka."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faust.tables.recovery import Recovery
from mode.utils.queues import FlowControlQueue

from tests.agents.doubles import doubles
from tests.agents.harness import ALL_TOPICS, LIMIT_S, MemoryTopics, Topics, closing_deployment_readers
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.agents.workers import (
    BurstsSuite,
    ClocksSuite,
    CropsSuite,
    ExplainSuite,
    IntakeSuite,
    ListenSuite,
    PredictSuite,
    SecondLookSuite,
)
from uncia.settings import Settings


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """All topics, in memory."""
    # Workers of low priority would lower that of the test process.
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    broker = MemoryBroker()
    install(monkeypatch, broker)
    with doubles(tmp_path) as addresses, closing_deployment_readers(monkeypatch):
        topics = MemoryTopics(Settings(_env_file=None, **addresses), broker)
        topics.create(ALL_TOPICS)
        yield topics


TestIntake, TestPredict, TestBursts, TestCrops = IntakeSuite, PredictSuite, BurstsSuite, CropsSuite
TestClocks, TestExplain, TestSecondLook = ClocksSuite, ExplainSuite, SecondLookSuite
TestListen = ListenSuite


def test_a_worker_that_begins_to_wait_after_the_end_of_its_recovery_resumes(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, delayed = Recovery._wait, []

    async def late(recovery: Recovery, awaitable: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Faust's name
        if getattr(awaitable, "__qualname__", "") == "Event.wait":
            delayed.append(awaitable)
            while recovery.need_recovery():  # noqa: ASYNC110 - another task changes it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        await wait(recovery, awaitable, timeout)

    monkeypatch.setattr(Recovery, "_wait", late)
    BurstsSuite().test_a_restarted_worker_resumes_at_the_committed_offset(topics)
    assert delayed


def test_a_message_that_is_delivered_before_the_last_step_of_a_recovery_is_processed(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, put, delivered = Recovery._wait, FlowControlQueue.force_put_nowait, asyncio.Event()

    def announced(queue: FlowControlQueue[Any], item: Any) -> None:
        # Before the put: so the recovery goes on before the agent can take the message.
        delivered.set()
        put(queue, item)

    async def until_delivered(recovery: Recovery, awaitable: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Faust's name
        delivered.clear()
        await wait(recovery, awaitable, timeout)
        restored = max(recovery.active_highwaters.values(), default=-1) >= 0
        if restored and getattr(awaitable, "__qualname__", "").endswith(".perform_seek"):
            async with asyncio.timeout(LIMIT_S):
                await delivered.wait()

    monkeypatch.setattr(FlowControlQueue, "force_put_nowait", announced)
    monkeypatch.setattr(Recovery, "_wait", until_delivered)
    BurstsSuite().test_a_restarted_worker_resumes_at_the_committed_offset(topics)
    assert delivered.is_set()
