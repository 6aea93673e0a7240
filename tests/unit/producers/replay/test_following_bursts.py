"""A replay's progress is read from a topic on which anything may stand."""

import pytest

from tests.unit.producers.replay.replay_making import burst
from uncia.kafka.broker import Message
from uncia.producers.replay import progress
from uncia.producers.replay.progress import OpenBursts
from uncia.settings import Settings


def test_a_message_that_is_no_burst_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [None, b"", b"junk", b"{}", burst("ab").to_bytes(), b"[" * 100_000]
    messages = [Message("t", 0, at, 0, None, value, []) for at, value in enumerate(values)]
    monkeypatch.setattr(progress, "read_topics", lambda *_, **__: messages)
    assert OpenBursts(Settings(_env_file=None)).read() == (1, 0)  # type: ignore[call-arg]
