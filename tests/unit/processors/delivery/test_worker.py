"""The service without a broker: what it reads before the first alert, and what it makes of a restart."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.unit.processors.delivery.examples import MOMENT, alert
from tests.unit.processors.delivery.test_alert_intake import handled
from tests.waiting import wait_until
from uncia.events import AlertAction, AlertRaised, AlertState
from uncia.kafka import topic_follower
from uncia.kafka.broker import Message
from uncia.processors.delivery import worker
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.outbox import Outbox
from uncia.settings import Settings
from uncia.topics import ALERT_HANDLED, ALERT_RAISED, Topic

START = MOMENT.timestamp()


class Logs:
    """One partition of alerts, and the topics that are followed."""

    def __init__(self) -> None:
        self.alerts: list[Message] = []
        self.handled: list[Message] = []
        self.order: list[str] = []

    def add(self, event: AlertRaised, at_s: float) -> None:
        offset = len(self.alerts)
        stamp = int(1000 * (START + at_s))
        self.alerts.append(Message(ALERT_RAISED.name, 0, offset, stamp, b"key", event.to_bytes(), []))

    def read_topics(self, _: Settings, topics: tuple[Topic, ...], *, until_end: bool, stop: Any, **__: Any) -> Any:
        self.order.append(topics[0].name)
        if until_end and topics == (ALERT_HANDLED,):
            yield from self.handled
        if not until_end:
            stop.wait(60)

    def consumer(self) -> type:
        logs = self

        class Consumer:
            def __init__(self, *_: Any) -> None:
                self._next = 0

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def end_offsets(self) -> dict[tuple[str, int], int]:
                return {(ALERT_RAISED.name, 0): len(logs.alerts)}

            def seek(self, offsets: Mapping[tuple[str, int], int]) -> None:
                logs.order.append("alerts")
                self._next = offsets[ALERT_RAISED.name, 0]

            def poll(self, timeout_s: float) -> list[Message]:
                found = logs.alerts[self._next : self._next + 1]
                self._next += len(found)
                threading.Event().wait(0 if found else 0.01)
                return found

            def commit(self, *_: Any, **__: Any) -> None:
                pass

        return Consumer


class Delivery:
    """`uncia deliver`, started and stopped by a test. Notes what is sent."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: list[str] = []

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        self.sent.append(f"{message.key} {message.state}")
        return None

    def make(self, _: Channel) -> Self:
        return self

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        arguments = (self.settings, self._stop, self.make)
        self._thread = threading.Thread(target=worker.deliver, args=arguments)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def read_to(self, end: int) -> None:
        """Wait until the log was read to an offset."""

        def read() -> bool:
            path = self.settings.delivery_database or Path()
            if not path.exists():
                return False
            with Outbox(path) as box:
                return any(place.next_offset == end for place in box.partitions().values())

        wait_until(read, limit_s=20)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    found = Logs()
    monkeypatch.setattr(topic_follower, "read_topics", found.read_topics)
    monkeypatch.setattr(worker, "OffsetConsumer", found.consumer())
    monkeypatch.setattr(worker, "topic_ids", lambda settings, topics: {ALERT_RAISED.full_name(settings): "id"})
    yield found


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    channels = tmp_path / "channels.yaml"
    channels.write_text(
        "channels:\n- {name: hook, type: webhook, address: 'http://127.0.0.1:1/', secret_file: none, default: true}\n"
    )
    return Delivery(Settings(channels=channels, delivery_database=tmp_path / "outbox.sqlite"))


def test_mutes_are_read_before_the_first_alert_and_known_after_a_restart(logs: Logs, delivery: Delivery) -> None:
    mute = handled(AlertAction.MUTED, 0, hours=1)
    logs.handled.append(Message(ALERT_HANDLED.name, 0, 0, 0, mute.key.encode(), mute.to_bytes(), []))
    with delivery:
        delivery.read_to(0)
        logs.add(alert("alr-1"), at_s=-10)
        delivery.read_to(1)
        wait_until(lambda: delivery.sent, limit_s=20)
    logs.add(alert("alr-1", 2, AlertState.UPDATED), at_s=20)
    logs.add(alert("alr-2"), at_s=30)
    with delivery:
        logs.add(alert("alr-1", 3, AlertState.WITHDRAWN), at_s=40)
        logs.add(alert("alr-2", 2, AlertState.UPDATED), at_s=3700)
        delivery.read_to(5)
        wait_until(lambda: len(delivery.sent) >= 3, limit_s=20)
    assert delivery.sent == ["alr-1:1 raised", "alr-1:3 withdrawn", "alr-2:2 updated"]
    first = logs.order.index("alerts")
    assert ALERT_HANDLED.name in logs.order[:first]


def test_old_alerts_are_not_sent_when_the_log_lost_its_newest_messages(logs: Logs, delivery: Delivery) -> None:
    logs.add(alert("past"), at_s=-9000)
    with delivery:
        # A new outbox begins at the end of the log.
        delivery.read_to(1)
        for number in range(3):
            logs.add(alert(f"alr-{number}"), at_s=200 * number)
        wait_until(lambda: len(delivery.sent) == 3, limit_s=20)
        delivery.read_to(4)
    del logs.alerts[2:]
    logs.add(alert("new"), at_s=500)
    with delivery:
        wait_until(lambda: "new:1 raised" in delivery.sent, limit_s=20)
        delivery.read_to(3)
    assert sorted(delivery.sent) == ["alr-0:1 raised", "alr-1:1 raised", "alr-2:1 raised", "new:1 raised"]
