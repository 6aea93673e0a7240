"""A photograph that went to another camera: the new place is announced, the old upload withdrawn."""

import json

import pytest

from tests.unit.processors.intake.filer_events import entry, event, uploads_of
from uncia import ids
from uncia.events import ImageUploaded
from uncia.processors.intake.notifications import IgnoredChange, StoredObjectChange, parse_notification
from uncia.processors.intake.worker import Intake

ETAG = "b4daca084ad9eabfc8de231929477ed6"
ROOT = "/buckets/camera-uploads"
WRONG, RIGHT = "ridge/wrong/IMG 1+ü.JPG", "ridge/right/IMG 1+ü.JPG"


def renamed(old: str, new: str, *, old_etag: str = ETAG) -> tuple[bytes, bytes]:
    parent, _, name = f"{ROOT}/{new}".rpartition("/")
    old_entry = entry(old.rpartition("/")[2], s3_etag=old_etag)
    return event(old=old_entry, new=entry(name, s3_etag=ETAG), parent=parent), f"{ROOT}/{old}".encode()


def announced(intake: Intake, raw: bytes, key: bytes) -> list[ImageUploaded]:
    uploads, problem = uploads_of(intake, raw, key)
    assert problem is None
    return uploads


def test_a_rename_to_another_camera_announces_the_new_place_and_withdraws_the_old(intake: Intake) -> None:
    new, old = announced(intake, *renamed(WRONG, RIGHT))
    assert (new.key, new.camera, new.moved_to) == (RIGHT, "ridge/right", None)
    assert (old.key, old.camera, old.moved_to) == (WRONG, "ridge/wrong", RIGHT)
    assert old.upload_id == ids.upload_id("camera-uploads", WRONG, ETAG)


@pytest.mark.parametrize("new", ["ridge/wrong/other.JPG", "ridge/wrong/DCIM/IMG 1+ü.JPG"])
def test_a_rename_within_a_camera_withdraws_nothing(intake: Intake, new: str) -> None:
    assert [(one.key, one.moved_to) for one in announced(intake, *renamed(WRONG, new))] == [(new, None)]


@pytest.mark.parametrize("old", ["no-camera.JPG", ".uploads/1/0001.part"])
def test_what_comes_from_no_cameras_folder_withdraws_nothing(intake: Intake, old: str) -> None:
    assert [(one.key, one.moved_to) for one in announced(intake, *renamed(old, RIGHT))] == [(RIGHT, None)]


def test_what_is_renamed_over_another_picture_withdraws_only_its_own_old_place(intake: Intake) -> None:
    assert [one.moved_to for one in announced(intake, *renamed(WRONG, RIGHT, old_etag="other"))] == [None]


def test_a_rename_out_of_the_bucket_is_ignored_by_camera() -> None:
    parent = "/buckets/archive/ridge/wrong"
    raw = event(old=entry("x.jpg", s3_etag=ETAG), new=entry("x.jpg", s3_etag=ETAG), parent=parent)
    changes = parse_notification(raw, f"{ROOT}/ridge/wrong/x.jpg".encode())
    assert [isinstance(one, StoredObjectChange) and one.bucket for one in changes] == ["archive"]


def reconcile_record(source: str, name: str, moved_to: object) -> bytes:
    record = {
        "eventVersion": "2.1",
        "eventSource": source,
        "eventName": name,
        "eventTime": "2026-05-14T21:36:05.000Z",
        "s3": {
            "bucket": {"name": "camera-uploads"},
            "object": {"key": "ridge/wrong/a.jpg", "size": 10, "eTag": ETAG, "movedTo": moved_to},
        },
    }
    return json.dumps({"Records": [record]}).encode()


def test_a_move_that_reconcile_announces_withdraws_the_upload(intake: Intake) -> None:
    raw = reconcile_record("uncia:reconcile", "ObjectRemoved:Delete", "ridge%2Fright%2Fa+1.jpg")
    (old,) = announced(intake, raw, b"")
    assert (old.key, old.moved_to, old.announced_by) == ("ridge/wrong/a.jpg", "ridge/right/a 1.jpg", "reconcile")


@pytest.mark.parametrize(
    ("source", "moved_to"), [("aws:s3", "ridge%2Fright%2Fa.jpg"), ("uncia:reconcile", None), ("uncia:reconcile", 7)]
)
def test_every_other_deletion_is_a_deletion(source: str, moved_to: object) -> None:
    raw = reconcile_record(source, "ObjectRemoved:Delete", moved_to)
    assert parse_notification(raw, None) == [IgnoredChange("deleted")]


@pytest.mark.parametrize("moved_to", ["ridge%2Fwrong%2Fb.jpg", "nowhere", ""])
def test_a_move_that_leads_to_no_other_camera_withdraws_nothing(intake: Intake, moved_to: str) -> None:
    assert announced(intake, reconcile_record("uncia:reconcile", "ObjectRemoved:Delete", moved_to), b"") == []
