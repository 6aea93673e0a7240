"""A broker and the workers `alerts` and `redact`, which read the verdicts that a test publishes."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from kafka.errors import KafkaError

from tests.temporary_stack import temporary_stack
from tests.unit.processors.redact.simulated import cell_of_cameras, deployment
from tests.waiting import SCALE
from uncia.errors import DependencyDown
from uncia.events import CameraStatus, StatusReported, StatusSource
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import Message, read_topics, send_to_cameras
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import ALERT_RAISED, BURST_RESOLVED, DEPLOYMENT_CHANGED, PUBLIC_BURST_RESOLVED, STATUS_REPORTED

RULES = """
rules:
  - {name: leopard, taxon: Panthera uncia, max_age: any}
  - {name: first leopard, taxon: Panthera uncia, max_age: any, rare: 3d}
  - {name: herd, category: animal, max_age: any, encounter: 5m, cooldown: 4s, cameras: peak/*}
  - {name: person, category: person, provisional: true, max_age: any, encounter: 0s}
  - {name: silent, silent_for: 1h, cameras: quiet/*}
"""
PLACES = cell_of_cameras(5)
"""The deployments of the cameras whose verdicts are published, in one cell."""
SILENT = "quiet/north"
SILENT_FOR_S = 3 * 3600

_QUICK = {
    "UNCIA_PUBLIC_TIER": "true",
    "UNCIA_PUBLIC_DELAY_LEAST_S": "0",
    "UNCIA_PUBLIC_DELAY_MOST_S": "2",
    "UNCIA_PUBLIC_DELAY_FROM_DAY_END": "false",
    # Longer than a moment: what is due is published in a row, in the middle of which the worker is killed.
    "UNCIA_PUBLIC_INTERVAL_S": "1",
}


@contextlib.contextmanager
def verdict_stack() -> Iterator[Stack]:
    """A running stack, which knows the deployments, and whose camera `SILENT` was heard of `SILENT_FOR_S` ago."""
    folder = Path(tempfile.mkdtemp(prefix="uncia-verdicts-"))
    rules = folder / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    with temporary_stack(folder, {**_QUICK, "UNCIA_ALERT_RULES": str(rules)}) as stack:
        stack.up(("kafka",), timeout_s=SCALE * 60)
        settings = stack.admin_settings()
        # Before the workers start: they read the deployments to their end then.
        places = [*PLACES, deployment(SILENT, 42.4, 75.2)]
        known = [(one.camera, one.message_key, one.to_bytes()) for one in places]
        send_to_cameras(settings, DEPLOYMENT_CHANGED, known)
        report_status(settings, SILENT, time.time() - SILENT_FOR_S)
        stack.up(("alerts", "redact"), timeout_s=SCALE * 60)
        yield stack


def report_status(settings: Settings, camera: str, at: float) -> None:
    """Publish a status report of a camera, whose time in the log is `at` (seconds since 1970)."""
    report = StatusReported(
        report_id=f"rep-{at:.0f}",
        station=camera.partition("/")[0],
        camera=camera,
        reported_at=datetime.fromtimestamp(at, UTC),
        source=StatusSource.MAIL,
        profile="example",
        status=CameraStatus(battery_percent=80),
    )
    producer = connect_producer(settings, acks="all")
    try:
        producer.send(
            STATUS_REPORTED.full_name(settings),
            key=camera.encode(),
            value=report.to_bytes(),
            partition=partition_of(camera, settings.partitions),
            timestamp_ms=round(1000 * at),
        ).get(timeout=30)
    finally:
        producer.close()


class Messages:
    """What verdicts a test published, and what the workers made of them; read by a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._positions: dict[tuple[str, int], int] = {}
        self._names = {
            topic.full_name(settings): topic for topic in (BURST_RESOLVED, ALERT_RAISED, PUBLIC_BURST_RESOLVED)
        }
        # Appended by the thread alone.
        self.verdicts: list[Message] = []
        self.alerts: list[Message] = []
        self.public: list[Message] = []

    @contextlib.contextmanager
    def reading(self) -> Iterator["Messages"]:
        """Read while the context is entered."""
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(SCALE * 15)

    def _read(self) -> None:
        lists = {BURST_RESOLVED: self.verdicts, ALERT_RAISED: self.alerts, PUBLIC_BURST_RESOLVED: self.public}
        while not self._stop.is_set():
            try:
                topics = tuple(self._names.values())
                for message in read_topics(self._settings, topics, from_positions=self._positions, stop=self._stop):
                    lists[self._names[message.topic]].append(message)
                    self._positions[message.topic, message.partition] = message.offset + 1
            except (DependencyDown, KafkaError):
                self._stop.wait(0.3)
