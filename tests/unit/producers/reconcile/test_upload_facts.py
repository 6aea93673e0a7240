"""The facts that each kind of message states about an upload."""

import json

import pytest

from tests.paths import EVENT_SAMPLES
from uncia.camtrap.status_documents import status_key
from uncia.errors import PermanentError
from uncia.events import DeadLetter, ImageUploaded, StatusReported
from uncia.kafka.broker import Message
from uncia.producers.reconcile.upload_facts import (
    fact_of_prediction,
    fact_of_refusal,
    fact_of_report,
    fact_of_upload,
    object_keys,
    path_key,
    upload_key,
)

GOLDEN = EVENT_SAMPLES
STORAGE = "storage.object.changed"


def message(value: bytes | None, key: bytes | None = None, origin: str = "") -> Message:
    why = DeadLetter.of(PermanentError("bad", "bad"), topic=origin, partition=0, offset=1, stage="s")
    return Message("t", 0, 7, 5_000, key, value, why.headers() if origin else [])


def golden(name: str) -> tuple[str, bytes]:
    raw = (GOLDEN / name).read_bytes()
    return json.loads(raw)["upload_id"], raw


def test_an_event_of_this_version_is_read_without_parsing() -> None:
    identity, raw = golden("camera.image.uploaded.v1.json")
    fact = fact_of_upload(message(ImageUploaded.from_bytes(raw).to_bytes()))
    assert fact is not None
    assert (fact.id, fact.announced) == (upload_key(identity), 5.0)


def test_a_status_report_is_announced_and_answered_by_its_event_and_found_by_its_key() -> None:
    report = StatusReported.from_bytes((GOLDEN / "camera.status.reported.v1.json").read_bytes())
    camera = report.camera.partition("/")[2]
    key = status_key(report.station, camera, report.report_id)
    fact = fact_of_report(message(report.to_bytes()))
    assert fact is not None
    assert (fact.id, fact.announced, fact.answered) == (object_keys("b", key, "etag")[0], 5.0, 5.0)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{}", b'{"camera":1,"report_id":"sts-1"}'])
def test_what_is_no_status_report_states_nothing(value: bytes | None) -> None:
    assert fact_of_report(message(value)) is None


def test_an_event_in_another_layout_is_parsed() -> None:
    identity, raw = golden("camera.image.uploaded.v1.json")
    fact = fact_of_upload(message(raw))
    assert fact is not None
    assert fact.id == upload_key(identity)


@pytest.mark.parametrize("name", ["camera.image.predicted.v1.json", "camera.image.predicted.v1.rejected.json"])
def test_predictions_and_rejections_count_as_answers(name: str) -> None:
    identity, raw = golden(name)
    fact = fact_of_prediction(message(raw))
    assert fact is not None
    assert (fact.id, fact.answered, fact.withdrawn) == (upload_key(identity), 5.0, 0.0)


@pytest.mark.parametrize("reason", ["object-missing", "object-changed", "object-moved", "image-forgotten"])
def test_a_rejection_for_a_missing_content_withdraws(reason: str) -> None:
    raw = b'{"event":"e","upload_id":"upl-1","rejection":{"reason":"%s","message":""}}' % reason.encode()
    fact = fact_of_prediction(message(raw))
    assert fact is not None
    assert (fact.id, fact.answered, fact.withdrawn) == (upload_key("upl-1"), 0.0, 5.0)


def test_a_rejection_for_an_unreadable_object_is_a_refusal() -> None:
    raw = b'{"event":"e","upload_id":"upl-1","rejection":{"reason":"object-unreadable","message":""}}'
    fact = fact_of_prediction(message(raw))
    assert fact is not None
    assert (fact.id, fact.answered, fact.refused) == (upload_key("upl-1"), False, 5.0)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"upload_id":7}', b"\xff"])
def test_other_messages_give_no_fact(value: bytes | None) -> None:
    assert fact_of_upload(message(value)) is None
    assert fact_of_prediction(message(value)) is None


def test_a_refused_notification_concerns_its_path() -> None:
    fact = fact_of_refusal(message(b"\x00", b"/buckets/b/k.jpg", STORAGE), STORAGE)
    assert fact is not None
    assert (fact.id, fact.refused) == (path_key("b/k.jpg"), 5.0)


def test_a_refused_upload_event_concerns_its_upload() -> None:
    fact = fact_of_refusal(message(b'{"upload_id":"upl-1"}', b"s/c", "camera.image.uploaded.v1"), STORAGE)
    assert fact is not None
    assert fact.id == upload_key("upl-1")
