"""Notifications of versioned buckets: the object's own key, its version, no deletions.

As SeaweedFS 4.48 writes them and AWS documents them.
"""

import json

import pytest

from tests.unit.processors.intake.filer_events import entry, event, uploads_of
from uncia import ids
from uncia.processors.intake.notifications import IgnoredChange, StoredObjectChange, parse_notification
from uncia.processors.intake.worker import Intake

VERSION = "6713cacac92f79b13f35cac16fd01ff7"
OBJECT = "/buckets/camera-uploads/ridge/cam-1/2026/05/14/20260514T213600-0.JPG"
KEY = "ridge/cam-1/2026/05/14/20260514T213600-0.JPG"
FOLDER = f"{OBJECT}.versions"
ETAG = "b4daca084ad9eabfc8de231929477ed6"


def version(version_id: str = VERSION, *, marker: bool = False, chunk_ns: int = 0) -> bytes:
    etag = "" if marker else ETAG
    return entry(f"v_{version_id}", s3_etag=etag, version_id=version_id, delete_marker=marker, chunk_ns=chunk_ns)


def only(raw: bytes, path: str) -> StoredObjectChange | IgnoredChange:
    (change,) = parse_notification(raw, path.encode())
    assert isinstance(change, StoredObjectChange | IgnoredChange)
    return change


def test_a_version_has_its_objects_key() -> None:
    change = only(event(new=version(), parent=FOLDER), f"{FOLDER}/v_{VERSION}")
    assert isinstance(change, StoredObjectChange)
    assert (change.key, change.etag, change.version_id) == (KEY, ETAG, VERSION)


def test_what_is_stored_while_versioning_is_suspended_is_the_null_version() -> None:
    name = OBJECT.rpartition("/")
    change = only(event(new=entry(name[2], s3_etag=ETAG, version_id="null"), parent=name[0]), OBJECT)
    assert isinstance(change, StoredObjectChange)
    assert (change.key, change.version_id) == (KEY, "null")


@pytest.mark.parametrize("version_id", [VERSION, "null"])
def test_a_delete_marker_is_a_deletion(version_id: str) -> None:
    raw = event(new=version(version_id, marker=True), parent=FOLDER)
    assert only(raw, f"{FOLDER}/v_{version_id}") == IgnoredChange("deleted")


def test_a_removed_version_is_a_deletion() -> None:
    assert only(event(old=version(), parent=""), f"{FOLDER}/v_{VERSION}") == IgnoredChange("deleted")


def test_a_version_that_a_newer_one_pushes_back_is_not_stored_again() -> None:
    raw = event(old=version(), new=version(), parent=FOLDER)
    assert only(raw, f"{FOLDER}/v_{VERSION}") == IgnoredChange("unchanged")


def test_the_folder_of_versions_is_a_folder() -> None:
    parent, _, name = FOLDER.rpartition("/")
    raw = event(old=entry(name, folder=True), new=entry(name, folder=True), parent=parent)
    assert only(raw, FOLDER) == IgnoredChange("folder")


@pytest.mark.parametrize(
    ("folder", "name"), [("trip.versions", "v_1.jpg"), (".versions", "v_1.jpg"), ("x.versions", f"v_{VERSION}")]
)
@pytest.mark.parametrize("version_id", ["", "null"])
def test_a_folder_that_is_only_named_so_keeps_its_name(folder: str, name: str, version_id: str) -> None:
    parent = f"/buckets/camera-uploads/ridge/cam-1/{folder}"
    change = only(event(new=entry(name, s3_etag=ETAG, version_id=version_id), parent=parent), f"{parent}/{name}")
    assert isinstance(change, StoredObjectChange)
    assert change.key == f"ridge/cam-1/{folder}/{name}"


def test_the_same_content_stored_again_at_another_time_is_announced() -> None:
    parent, _, name = OBJECT.rpartition("/")
    raw = event(old=entry(name, s3_etag=ETAG), new=entry(name, s3_etag=ETAG, mtime=1_800_000_000), parent=parent)
    assert isinstance(only(raw, OBJECT), StoredObjectChange)


def test_a_file_without_an_etag_that_is_written_again_within_a_second_is_announced() -> None:
    parent, _, name = OBJECT.rpartition("/")
    assert isinstance(only(event(old=entry(name), new=entry(name), parent=parent), OBJECT), StoredObjectChange)


def record(name: str, version_id: object) -> bytes:
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventName": name,
                    "eventTime": "2026-05-14T21:36:05.000Z",
                    "s3": {
                        "bucket": {"name": "camera-uploads"},
                        "object": {"key": KEY, "size": 10, "eTag": ETAG, "versionId": version_id},
                    },
                }
            ]
        }
    ).encode()


@pytest.mark.parametrize(
    ("given", "version_id"), [("3HL4kqtJvjVBH40Nrjfkd", "3HL4kqtJvjVBH40Nrjfkd"), ("null", "null"), ("", None)]
)
def test_the_version_id_of_an_s3_notification_is_taken(given: str, version_id: str | None) -> None:
    (change,) = parse_notification(record("ObjectCreated:Put", given), None)
    assert isinstance(change, StoredObjectChange)
    assert change.version_id == version_id


@pytest.mark.parametrize("name", ["ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRemoved:DeleteMarkerCreated"])
def test_a_delete_marker_of_an_s3_notification_is_a_deletion(name: str) -> None:
    assert parse_notification(record(name, "xyz"), None) == [IgnoredChange("deleted")]


def test_an_announcement_names_the_version_and_has_the_upload_id_that_a_listing_gives(intake: Intake) -> None:
    raw = event(new=version(), parent=FOLDER)
    (upload,), problem = uploads_of(intake, raw, f"{FOLDER}/v_{VERSION}".encode())
    assert problem is None
    assert (upload.camera, upload.key, upload.version_id) == ("ridge/cam-1", KEY, VERSION)
    assert upload.upload_id == ids.upload_id("camera-uploads", KEY, ETAG)
