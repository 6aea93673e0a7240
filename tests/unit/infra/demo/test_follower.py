"""The demo ignores messages on the result topics that are not valid events."""

import pytest

from uncia.infra.demo.follower import record_message
from uncia.infra.demo.ledger import Ledger
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED, Topic


@pytest.mark.parametrize("topic", [IMAGE_PREDICTED, BURST_RESOLVED])
@pytest.mark.parametrize("value", [None, b"", b"junk", b"\xff", b"{}", b"[]", b'{"event":7}', b"[" * 100_000])
def test_an_invalid_message_is_ignored(topic: Topic, value: bytes | None) -> None:
    settings, ledger = Settings(_env_file=None), Ledger()
    record_message(Message(topic.full_name(settings), 0, 0, 0, None, value, []), settings, ledger)
    assert (ledger.predictions, ledger.bursts) == ({}, {})
