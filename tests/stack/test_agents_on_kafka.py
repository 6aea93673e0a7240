"""The workers' agents on Kafka: the suites that tests/unit/processors/test_agents_in_memory.py runs in memory.

The worker runs in the test's process; the stack's own workers have other groups and topics.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.doubles import doubles
from tests.agents.harness import ALL_TOPICS, KafkaTopics, Topics, closing_deployment_readers
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
def topics(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """All topics under a namespace of this test."""
    # Workers of low priority would lower that of the test process.
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    namespace = f"replay-agents-{uuid.uuid4().hex[:10]}"
    with doubles(tmp_path) as addresses:
        topics = KafkaTopics(settings.model_copy(update={**addresses, "namespace": namespace}))
        # Topics are removed when nothing reads them any more.
        with contextlib.closing(topics), closing_deployment_readers(monkeypatch):
            topics.create(ALL_TOPICS)
            yield topics


TestIntake, TestBursts = IntakeSuite, BurstsSuite


@pytest.mark.thorough
class TestPredict(PredictSuite):
    """Predictions."""


@pytest.mark.thorough
class TestCrops(CropsSuite):
    """Crops."""


@pytest.mark.thorough
class TestClocks(ClocksSuite):
    """Clocks."""


@pytest.mark.thorough
class TestExplain(ExplainSuite):
    """Explanations."""


@pytest.mark.thorough
class TestSecondLook(SecondLookSuite):
    """Second looks."""


@pytest.mark.thorough
class TestListen(ListenSuite):
    """Recordings."""
