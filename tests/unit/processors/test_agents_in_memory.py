"""The workers' agents on an in-memory broker; tests/stack/test_agents_on_kafka.py runs the same suites on Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.doubles import doubles
from tests.agents.harness import ALL_TOPICS, MemoryTopics, Topics, closing_deployment_readers
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.agents.workers import BurstsSuite, ClocksSuite, ExplainSuite, IntakeSuite, PredictSuite
from uncia.settings import Settings


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """All topics, in memory."""
    broker = MemoryBroker()
    install(monkeypatch, broker)
    with doubles(tmp_path) as addresses, closing_deployment_readers(monkeypatch):
        topics = MemoryTopics(Settings(_env_file=None, **addresses), broker)
        topics.create(ALL_TOPICS)
        yield topics


TestIntake, TestPredict, TestBursts, TestClocks = IntakeSuite, PredictSuite, BurstsSuite, ClocksSuite
TestExplain = ExplainSuite
