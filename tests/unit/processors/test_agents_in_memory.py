"""The workers' agents on an in-memory broker; tests/stack/test_agents_on_kafka.py runs the same suites on Kafka."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.doubles import doubles
from tests.agents.harness import ALL_TOPICS, MemoryTopics, Topics, closing_deployment_readers
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.agents.workers import BurstsSuite, ClocksSuite, CropsSuite, ExplainSuite, IntakeSuite, PredictSuite
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
TestClocks, TestExplain = ClocksSuite, ExplainSuite
