"""What reconcile announces stands in one queue with live photographs, and must leave them room."""

from datetime import UTC, datetime
from typing import Any

import pytest

from uncia.producers.reconcile import announce as announce_module
from uncia.producers.reconcile.announce import announce
from uncia.settings import Settings
from uncia.storage.object_store import StoredObject

MISSED = [StoredObject(f"ridge/cam/{number:04}.jpg", "e1", 1, datetime(2026, 1, 1, tzinfo=UTC)) for number in range(90)]


class Broker:
    """Takes everything and confirms it."""

    def __init__(self, **_: Any) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, _topic: str, *, key: bytes, value: bytes) -> "Broker":
        self.sent.append(key)
        return self

    def get(self, timeout: float) -> None:
        """Confirmed."""

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(announce_module, "connect_producer", lambda _settings, **_: broker)
    return broker


def test_the_rate_is_limited(broker: Broker) -> None:
    settings = Settings(_env_file=None, reconcile_per_s=400)
    after: list[tuple[int, float]] = []
    announce(settings, MISSED, pause=lambda seconds: after.append((len(broker.sent), seconds)))

    assert [sent for sent, _ in after] == [40, 80]
    assert all(0 < seconds <= 0.1 for _, seconds in after)


def test_all_are_announced_in_order_and_the_connection_is_closed(broker: Broker) -> None:
    settings = Settings(_env_file=None, reconcile_per_s=400)
    announce(settings, MISSED, pause=lambda _: None)
    assert broker.sent == [f"/buckets/camera-uploads/{stored.key}".encode() for stored in MISSED]
    assert broker.closed


def test_a_rate_below_one_a_second_is_kept(broker: Broker) -> None:
    settings = Settings(_env_file=None, reconcile_per_s=0.5)
    pauses: list[float] = []
    announce(settings, MISSED[:2], pause=pauses.append)
    assert [round(pause) for pause in pauses] == [2, 2]
