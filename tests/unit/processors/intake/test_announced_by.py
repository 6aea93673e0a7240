"""An upload event states who announced the photograph: the store, or reconcile where the notification was lost."""

import json
from datetime import UTC, datetime

import pytest

from tests.unit.processors.intake.filer_events import uploads_of
from uncia.processors.intake.worker import Intake
from uncia.producers.reconcile.notifications import notification_of, path_of
from uncia.storage.object_store import StoredObject

LOST = StoredObject("ridge/cam 1/a+b.jpg", "33d7ac42e3aa0f3146843833c23e4365", 3000, datetime(2026, 1, 2, tzinfo=UTC))


def announced_by(intake: Intake, raw: bytes) -> str:
    announced, problem = uploads_of(intake, raw, path_of("camera-uploads", LOST.key))
    assert problem is None
    return announced[0].announced_by


def test_uploads_that_reconcile_announces_are_marked(intake: Intake) -> None:
    assert announced_by(intake, notification_of("camera-uploads", LOST)) == "reconcile"


@pytest.mark.parametrize("source", ["aws:s3", "ceph:s3", "", None, 7])
def test_what_a_store_announces_is_a_notification_whatever_its_source(intake: Intake, source: object) -> None:
    body = json.loads(notification_of("camera-uploads", LOST))
    body["Records"][0]["eventSource"] = source
    assert announced_by(intake, json.dumps(body).encode()) == "notification"
