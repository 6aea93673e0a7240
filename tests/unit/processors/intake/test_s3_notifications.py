"""What S3 event notifications mean, as AWS, Ceph and MinIO write them."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.processors.intake.filer_events import uploads_of
from uncia.errors import PermanentError
from uncia.processors.intake.notifications import (
    MAX_BYTES,
    IgnoredChange,
    StoredObjectChange,
    parse_notification,
)
from uncia.processors.intake.worker import Intake

AWS: dict[str, Any] = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "eu-central-1",
    "eventTime": "2026-01-02T03:04:05.678Z",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "s3SchemaVersion": "1.0",
        "bucket": {"name": "camera-uploads", "arn": "arn:aws:s3:::camera-uploads"},
        "object": {
            "key": "ridge/cam+1/IMG+0019%2Bx%2520%C3%BC.JPG",
            "size": 3000,
            "eTag": "33d7ac42e3aa0f3146843833c23e4365",
            "sequencer": "0055AED6DCD90281E5",
        },
    },
}

STORED = StoredObjectChange(
    bucket="camera-uploads",
    key="ridge/cam 1/IMG 0019+x%20ü.JPG",
    etag="33d7ac42e3aa0f3146843833c23e4365",
    size=3000,
    stored_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
)


def _record(**changes: Any) -> dict[str, Any]:
    record = copy.deepcopy(AWS)
    record["s3"]["object"].update(changes.pop("object", {}))
    return record | changes


def _message(*records: Any, **outer: Any) -> bytes:
    return json.dumps({"Records": list(records), **outer}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(_message(AWS), id="AWS"),
        pytest.param(
            _message(_record(eventVersion="2.6", eventName="ObjectCreated:CompleteMultipartUpload")), id="2.6"
        ),
        pytest.param(
            _message(
                _record(eventVersion="2.2", eventSource="ceph:s3", object={"versionId": "", "metadata": []}),
            ),
            id="Ceph",
        ),
        pytest.param(
            _message(
                _record(eventVersion="2.0", eventSource="minio:s3", eventName="s3:ObjectCreated:Put", source={}),
                EventName="s3:ObjectCreated:Put",
                Key="camera-uploads/ridge/cam 1/IMG 0019+x%20ü.JPG",
            ),
            id="MinIO",
        ),
        pytest.param(b"\n  " + _message(_record(object={"eTag": '"33d7ac42e3aa0f3146843833c23e4365"'})), id="quoted"),
    ],
)
def test_every_stores_dialect_tells_the_same(raw: bytes) -> None:
    assert parse_notification(raw, b"whatever") == [STORED]


def test_several_records_are_parsed_in_their_order() -> None:
    raw = _message(AWS, _record(eventName="ObjectRemoved:Delete"), _record(object={"key": "ridge/cam+1/"}))
    assert parse_notification(raw, None) == [STORED, IgnoredChange("deleted"), IgnoredChange("folder")]


def test_a_bad_record_spares_the_others() -> None:
    bad, good = parse_notification(_message(_record(eventTime="yesterday"), AWS), None)
    assert isinstance(bad, PermanentError)
    assert good == STORED


def test_the_test_message_of_a_new_subscription_is_ignored() -> None:
    raw = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "camera-uploads"}).encode()
    assert parse_notification(raw, None) == [IgnoredChange("test")]


def test_an_etag_that_is_missing_is_none() -> None:
    record = _record()
    del record["s3"]["object"]["eTag"]
    (change,) = parse_notification(_message(record), None)
    assert isinstance(change, StoredObjectChange)
    assert change.etag is None


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T00:00:00Z", "1969-12-31T23:59:59Z"]
)
def test_a_time_that_no_clock_shows_is_none_and_the_photograph_is_announced(time: str) -> None:
    assert parse_notification(_message(_record(eventTime=time)), None) == [replace(STORED, stored_at=None)]


def test_a_leap_second_is_the_second_before() -> None:
    (change,) = parse_notification(_message(_record(eventTime="2016-12-31T23:59:60Z")), None)
    assert isinstance(change, StoredObjectChange)
    assert change.stored_at == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("etag", ["", "a\r\nX-Evil: 1", "ü", "e" * 1000])
def test_an_etag_that_no_header_carries_is_left_open(etag: str) -> None:
    (change,) = parse_notification(_message(_record(object={"eTag": etag})), None)
    assert change == replace(STORED, etag=None)


def test_a_flood_of_records_is_refused_as_a_whole() -> None:
    with pytest.raises(PermanentError, match="1,001 records"):
        parse_notification(_message(*[{}] * 1001), None)


@pytest.mark.parametrize("version", ["1.0", "3.0", "20.1"])
def test_another_major_version_is_refused_by_name(version: str) -> None:
    (change,) = parse_notification(_message(_record(eventVersion=version)), None)
    assert isinstance(change, PermanentError)
    assert change.reason == "notification-unknown-version"
    assert version in str(change)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="breaks off"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b'{"hello": "world"}', id="no records"),
        pytest.param(b'{"Records": []}', id="empty records"),
        pytest.param(b'{"a":' * 100_000, id="deeply nested"),
    ],
)
def test_what_is_no_notification_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_notification(raw, None)
    assert refused.value.reason == "notification-malformed"


@pytest.mark.parametrize("record", [None, 7, "text", {}, {"eventVersion": "2.1"}, {**AWS, "s3": None}])
def test_an_invalid_record_is_an_error(record: Any) -> None:
    (change,) = parse_notification(_message(record), None)
    assert isinstance(change, PermanentError)
    assert change.reason == "notification-malformed"


def test_a_message_of_two_megabytes_is_refused_unread() -> None:
    with pytest.raises(PermanentError, match="2,097,152 bytes") as refused:
        parse_notification(b"{" * 2 * MAX_BYTES, None)
    assert refused.value.reason == "notification-too-large"


@pytest.mark.parametrize(
    ("key", "uploads"),
    [
        ("crops/ridge/cam/crp-0123456789abcdef01234567.jpg", 0),
        ("crops/ridge/cam/bst-0123456789abcdef01234567.json", 0),
        ("explanations/ridge/cam/img-0123456789abcdef01234567.png", 0),
        ("crops/cam/IMG_0001.JPG", 1),
        ("ridge/crops/crp-0123456789abcdef01234567.jpg", 1),
    ],
)
def test_objects_that_uncia_wrote_are_no_uploads(intake: Intake, key: str, uploads: int) -> None:
    message = _message(_record(object={"key": key}))
    found, problem = uploads_of(intake, message, None)
    assert (len(found), problem) == (uploads, None)
