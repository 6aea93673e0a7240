"""Outages of dependencies: workers wait and nothing fails; lost notifications are found by reconcile."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.recovery.faults import FaultContext
from tests.recovery.observer import Observer, Station
from tests.recovery.running_stack import QUICK
from tests.stack.photographs import photograph
from tests.waiting import SCALE, wait_until
from uncia.events import ImageUploaded
from uncia.ids import upload_id
from uncia.kafka.broker import read_topics
from uncia.kafka.stream_status import stream_status
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_UPLOADED, STORAGE_CHANGED

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(1200),
    # Clients leave the sockets of a stopped server to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PHOTOGRAPHS = 5


class Outage:
    """Uploads to a new station while parts of the stack are stopped."""

    def __init__(self, context: FaultContext, observer: Observer) -> None:
        self._context, self._observer = context, observer
        self._settings = context.stack.settings()
        self._store = ObjectStore(self._settings)
        self.station = f"st-{uuid.uuid4().hex[:8]}"
        self.ids: dict[str, str] = {}
        self._dead_letters = len(observer.dead_letters)

    def stop(self, *parts: str) -> None:
        self._context.supervisor.stop_parts(list(parts), 60)

    def start(self, *parts: str) -> None:
        self._context.stack.up(parts, extra_env=QUICK, timeout_s=SCALE * 120)

    def start_without_waiting(self, part: str) -> None:
        self._context.supervisor.start_part(part)

    def upload(self) -> None:
        for number in range(PHOTOGRAPHS):
            key = f"{self.station}/cam/{number}.jpg"
            response = self._store.client.put_object(
                Bucket=self._settings.bucket, Key=key, Body=photograph(3000 + number)
            )
            self.ids[upload_id(self._settings.bucket, key, str(response["ETag"]).strip('"'))] = key

    def announced(self) -> list[ImageUploaded]:
        """Upload events of this station so far."""
        messages = read_topics(self._settings, (IMAGE_UPLOADED,), from_beginning=True, until_end=True)
        events = [ImageUploaded.from_bytes(message.value) for message in messages]
        return [event for event in events if event.station == self.station]

    def notifications(self) -> int:
        """Number of the store's notifications for this station."""
        messages = read_topics(self._settings, (STORAGE_CHANGED,), from_beginning=True, until_end=True)
        return sum(self.station.encode() in (message.key or b"") for message in messages)

    def observed(self) -> Station:
        with self._observer.lock:
            return self._observer.station(self.station)

    def is_waiting_for(self, dependency: str, part: str = "predict") -> bool:
        """True when the worker's log since its latest start reports that it is waiting for the dependency."""
        log = self._context.stack.folder / "logs" / f"{part}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        latest_start = max(
            (number for number, line in enumerate(lines) if '"ready"' in line or "ready " in line), default=0
        )
        return any("dependency_down" in line and dependency in line for line in lines[latest_start:])

    def reconcile(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "reconcile", "--json", "--prefix", f"{self.station}/"],
            env={**self._context.environment(), "UNCIA_RECONCILE_AFTER_S": "0"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_all_predicted_without_dead_letters(self) -> None:
        wait_until(lambda: self.observed().results.keys() == self.ids.keys(), 60, "a result for every upload")
        assert {reason for _, reason in self.observed().results.values()} == {None}
        assert len(self._observer.dead_letters) == self._dead_letters
        assert stream_status(self._settings).dead_letters == 0

    def close(self) -> None:
        self._store.client.close()
        self.start(*(part.name for part in self._context.stack.status() if not part.ready))


@pytest.fixture
def outage(recovery_stack: tuple[FaultContext, Observer]) -> Iterator[Outage]:
    """An outage; afterwards all parts are started again."""
    outage = Outage(*recovery_stack)
    yield outage
    outage.close()


def test_while_triton_is_down_predict_waits_and_then_predicts_all(outage: Outage) -> None:
    outage.stop("triton-keeper", "triton")
    outage.upload()
    wait_until(lambda: outage.is_waiting_for("triton"), 30, "predict to wait for Triton")
    assert outage.observed().results == {}

    outage.start("triton", "triton-keeper")
    outage.assert_all_predicted_without_dead_letters()


def test_while_the_store_is_down_predict_waits_and_then_predicts_all(outage: Outage) -> None:
    outage.stop("predict")
    outage.upload()
    wait_until(lambda: len(outage.announced()) >= PHOTOGRAPHS, 30, "all uploads to be announced")
    outage.stop("reconcile", "seaweedfs")
    outage.start_without_waiting("predict")
    wait_until(lambda: outage.is_waiting_for("object store"), 60, "predict to wait for the store")
    assert outage.observed().results == {}

    outage.start("seaweedfs", "predict", "reconcile")
    outage.assert_all_predicted_without_dead_letters()


def test_uploads_without_a_notification_are_found_announced_once_and_predicted(outage: Outage) -> None:
    # Without a broker the store accepts uploads and drops the notification after logging the failure.
    outage.stop("reconcile", "intake", "kafka")
    outage.upload()
    outage.stop("seaweedfs")
    outage.start("kafka", "seaweedfs", "intake")
    assert outage.notifications() == 0

    *missed, counts = outage.reconcile()

    assert [(upload["state"], upload["key"]) for upload in missed] == [
        ("missed", key) for key in sorted(outage.ids.values())
    ]
    assert (counts["missed"], counts["zero"]) == (PHOTOGRAPHS, False)
    outage.assert_all_predicted_without_dead_letters()
    assert [event.announced_by for event in outage.announced()] == ["reconcile"] * PHOTOGRAPHS
    counts = outage.reconcile()[-1]
    assert (counts["zero"], counts["answered"], counts["stored"]) == (True, PHOTOGRAPHS, PHOTOGRAPHS)
