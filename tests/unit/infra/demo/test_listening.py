"""The demonstration reads what others write too, and goes on."""

import pytest

from uncia.infra.demo.follower import _take
from uncia.infra.demo.ledger import Ledger
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED, Topic


@pytest.mark.parametrize("topic", [IMAGE_PREDICTED, BURST_RESOLVED])
@pytest.mark.parametrize("value", [None, b"", b"junk", b"\xff", b"{}", b"[]", b'{"event":7}', b"[" * 100_000])
def test_a_message_that_is_no_event_is_passed_over(topic: Topic, value: bytes | None) -> None:
    settings, ledger = Settings(_env_file=None), Ledger()  # type: ignore[call-arg]
    _take(Message(topic.full_name(settings), 0, 0, 0, None, value, []), settings, ledger)
    assert (ledger.answers, ledger.bursts) == ({}, {})
