"""Objects below `status/`: reports of cameras, and never photographs."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.unit.processors.intake.filer_events import entry, event
from tests.unit.processors.predict.s3_double import BUCKET, S3Double, s3_double
from uncia.camtrap.status_documents import MAX_STATUS_BYTES
from uncia.errors import PermanentError
from uncia.events import ImageUploaded, StatusReported
from uncia.processors.intake.worker import Intake
from uncia.storage.object_store import ObjectStore

NAME = f"sts-{'0a' * 12}.json"
KEY = f"status/ridge/north/{NAME}"
REPORT = b'{"received_at":"2026-01-01T00:00:00Z","source":"file","profile":"willfine","status":{"battery_percent":60}}'


@pytest.fixture
def server() -> Iterator[S3Double]:
    with s3_double() as (running, _):
        yield running


def announce(server: S3Double, key: str = KEY) -> tuple[list[ImageUploaded | StatusReported], PermanentError | None]:
    settings = server.settings()
    intake = Intake(settings, ObjectStore(settings, timeout_s=5, attempts=1))
    folder, _, name = f"/buckets/{BUCKET}/{key}".rpartition("/")
    raw = event(new=entry(name, s3_etag="00"), parent=folder)
    return asyncio.run(intake.events(raw, f"{folder}/{name}".encode()))


def test_a_report_in_the_store_becomes_an_event_of_its_camera(server: S3Double) -> None:
    server.objects[KEY] = REPORT
    (found,), problem = announce(server)
    assert problem is None
    assert isinstance(found, StatusReported)
    assert (found.camera, found.status.battery_percent) == ("ridge/north", 60)
    assert found.reported_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert announce(server) == ([found], None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "status-report-invalid"),
        (REPORT.replace(b"60", b"160"), "status-report-invalid"),
        (REPORT.replace(b"source", b"camera"), "status-report-invalid"),
        (REPORT + b" " * MAX_STATUS_BYTES, "status-report-invalid"),
    ],
)
def test_an_object_that_is_no_report_is_a_dead_letter(server: S3Double, content: bytes, reason: str) -> None:
    server.objects[KEY] = content
    found, problem = announce(server)
    assert found == []
    assert problem is not None and problem.reason == reason


def test_a_photograph_below_the_prefix_is_a_dead_letter_and_no_upload(server: S3Double) -> None:
    server.objects["status/ridge/x.jpg"] = b"a photograph"
    found, problem = announce(server, "status/ridge/x.jpg")
    assert found == []
    assert problem is not None and problem.reason == "status-key-invalid"


def test_a_report_that_was_deleted_since_is_ignored(server: S3Double) -> None:
    assert announce(server) == ([], None)
