"""The progress of a replay is read from a topic that may hold arbitrary bytes."""

import pytest

from tests.unit.producers.replay.builders import burst
from uncia.kafka.broker import Message
from uncia.producers.replay import progress
from uncia.producers.replay.progress import BurstCounter
from uncia.settings import Settings


def test_messages_that_are_not_bursts_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [None, b"", b"junk", b"{}", burst("ab").to_bytes(), b"[" * 100_000]
    messages = [Message("t", 0, offset, 0, None, value, []) for offset, value in enumerate(values)]
    monkeypatch.setattr(progress, "read_topics", lambda *_, **__: messages)
    assert BurstCounter(Settings(_env_file=None)).read() == (1, 0)
