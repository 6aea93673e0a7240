"""What is down makes everybody wait and nobody fail; what the store could not tell is told by reconcile."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.recovery.faults import Field
from tests.recovery.observer import Observer, Station
from tests.recovery.standing import QUICK
from tests.stack.photographs import photograph
from uncia.events import ImageUploaded
from uncia.ids import upload_id
from uncia.infra.local.stream import stream_status
from uncia.kafka.broker import read_topics
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_UPLOADED, STORAGE_CHANGED

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(240),
    # The clients leave the sockets of a server that was stopped to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PHOTOGRAPHS = 5


class Outage:
    """Uploads to a station of its own amid a stack whose parts can be stopped."""

    def __init__(self, field: Field, observer: Observer) -> None:
        self._field, self._observer = field, observer
        self._settings = field.stack.settings()
        self._store = ObjectStore(self._settings)
        self.station = f"st-{uuid.uuid4().hex[:8]}"
        self.ids: dict[str, str] = {}
        self._letters = len(observer.dead_letters)

    def stop(self, *parts: str) -> None:
        self._field.supervisor.stop_parts(list(parts), 60)

    def start(self, *parts: str) -> None:
        self._field.stack.up(parts, extra_env=QUICK)

    def start_without_waiting(self, part: str) -> None:
        self._field.supervisor.start_part(part)

    def upload(self) -> None:
        for number in range(PHOTOGRAPHS):
            key = f"{self.station}/cam/{number}.jpg"
            answer = self._store.client.put_object(
                Bucket=self._settings.bucket, Key=key, Body=photograph(3000 + number)
            )
            self.ids[upload_id(self._settings.bucket, key, str(answer["ETag"]).strip('"'))] = key

    def announced(self) -> list[ImageUploaded]:
        """Announcements of this station so far."""
        messages = read_topics(self._settings, (IMAGE_UPLOADED,), from_beginning=True, until_end=True)
        events = [ImageUploaded.from_bytes(message.value) for message in messages]
        return [event for event in events if event.station == self.station]

    def notifications(self) -> int:
        """What stands on the store's topic about this station."""
        messages = read_topics(self._settings, (STORAGE_CHANGED,), from_beginning=True, until_end=True)
        return sum(self.station.encode() in (message.key or b"") for message in messages)

    def said(self) -> Station:
        with self._observer.lock:
            return self._observer.station(self.station)

    def waits_for(self, dependency: str, part: str = "predict") -> bool:
        """The worker's log says so, of the process that runs now."""
        log = self._field.stack.folder / "logs" / f"{part}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = max((at for at, line in enumerate(lines) if '"ready"' in line or "ready " in line), default=0)
        return any("dependency_down" in line and dependency in line for line in lines[last:])

    def reconcile(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "reconcile", "--json", "--prefix", f"{self.station}/"],
            env={**self._field.environment(), "UNCIA_RECONCILE_AFTER_S": "0"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_all_predicted_and_nothing_refused(self) -> None:
        until(lambda: self.said().answers.keys() == self.ids.keys(), 60, "answers to all")
        assert {reason for _, reason in self.said().answers.values()} == {None}
        assert len(self._observer.dead_letters) == self._letters
        assert stream_status(self._settings).dead_letters == 0

    def close(self) -> None:
        self._store.client.close()
        self.start(*(part.name for part in self._field.stack.status() if not part.ready))


def until(condition: Callable[[], object], limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def outage(mortal_stack: tuple[Field, Observer]) -> Iterator[Outage]:
    """Afterwards all parts run again."""
    outage = Outage(*mortal_stack)
    yield outage
    outage.close()


def test_while_triton_is_down_predict_waits_and_then_answers_all(outage: Outage) -> None:
    outage.stop("triton-keeper", "triton")
    outage.upload()
    until(lambda: outage.waits_for("triton"), 30, "predict to wait for Triton")
    assert outage.said().answers == {}

    outage.start("triton", "triton-keeper")
    outage.assert_all_predicted_and_nothing_refused()


def test_while_the_store_is_down_predict_waits_and_then_answers_all(outage: Outage) -> None:
    outage.stop("predict")
    outage.upload()
    until(lambda: len(outage.announced()) >= PHOTOGRAPHS, 30, "all uploads to be announced")
    outage.stop("reconcile", "seaweedfs")
    outage.start_without_waiting("predict")
    until(lambda: outage.waits_for("object store"), 60, "predict to wait for the store")
    assert outage.said().answers == {}

    outage.start("seaweedfs", "predict", "reconcile")
    outage.assert_all_predicted_and_nothing_refused()


def test_uploads_that_the_store_could_not_tell_are_named_announced_once_and_answered(outage: Outage) -> None:
    # Without a broker the store accepts, tries to tell, logs the failure, and forgets.
    outage.stop("reconcile", "intake", "kafka")
    outage.upload()
    outage.stop("seaweedfs")
    outage.start("kafka", "seaweedfs", "intake")
    assert outage.notifications() == 0

    *named, counts = outage.reconcile()

    assert [(one["state"], one["key"]) for one in named] == [("missed", key) for key in sorted(outage.ids.values())]
    assert (counts["missed"], counts["zero"]) == (PHOTOGRAPHS, False)
    outage.assert_all_predicted_and_nothing_refused()
    assert [event.announced_by for event in outage.announced()] == ["reconcile"] * PHOTOGRAPHS
    counts = outage.reconcile()[-1]
    assert (counts["zero"], counts["answered"], counts["stored"]) == (True, PHOTOGRAPHS, PHOTOGRAPHS)
