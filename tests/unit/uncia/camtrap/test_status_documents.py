"""Status reports in the store: what is accepted, and what is not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.camtrap.status_documents import StatusDocument, read_status_document, status_key
from uncia.errors import PermanentError
from uncia.events import StatusReported
from uncia.storage.object_keys import is_derived_key

STORED = datetime(2026, 5, 14, 12, tzinfo=UTC)
KEY = status_key("ridge", "north", f"sts-{'0a' * 12}")
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "received_at": "2026-05-14T11:59:00Z",
    "source": "mail",
    "profile": "generic",
    "status": {"battery_percent": 80},
}


def read(document: Any, key: str = KEY) -> StatusReported:
    return read_status_document(key, json.dumps(document).encode(), STORED)


def test_a_document_becomes_an_event_of_the_camera_in_its_key() -> None:
    event = read(DOCUMENT)
    assert (event.station, event.camera, event.report_id) == ("ridge", "ridge/north", f"sts-{'0a' * 12}")
    assert (event.reported_at, event.status.battery_percent) == (STORED - timedelta(minutes=1), 80)
    assert StatusReported.from_bytes(event.to_bytes()) == event


def test_no_report_was_received_after_it_was_stored() -> None:
    assert read({**DOCUMENT, "received_at": "2036-01-01T00:00:00Z"}).reported_at == STORED


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"camera": "valley/south"}, "camera"),
        ({"version": 2}, "version"),
        ({"source": "rumour"}, "source"),
        ({"received_at": "2026-05-14T11:59:00"}, "received_at"),
        ({"utc_offset_minutes": 900}, "utc_offset_minutes"),
        ({"status": {"battery_percent": 101}}, "status.battery_percent"),
        ({"status": {"battery_percent": "x" * 9}}, "status.battery_percent"),
        ({"status": {"serial": "B-7"}}, "status.serial"),
        ({"status": {"temperature_c": -81}}, "status.temperature_c"),
        ({"status": {"signal_bars": 6, "signal_bars_of": 5}}, "status"),
        ({"status": {"signal_bars": 6}}, "status"),
        ({"status": {"card_free_mb": 9, "card_total_mb": 8}}, "status"),
    ],
)
def test_a_document_that_is_not_one_is_refused_with_the_field(change: dict[str, Any], where: str) -> None:
    with pytest.raises(PermanentError) as refused:
        read({**DOCUMENT, **change})
    assert refused.value.reason == "status-report-invalid"
    assert f": {where}:" in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        "status/ridge/north/IMG_0001.JPG",
        f"status/ridge/sts-{'0a' * 12}.json",
        f"status/ridge/north/x/sts-{'0a' * 12}.json",
        f"status/ridge/./sts-{'0a' * 12}.json",
        f"status/ridge/../sts-{'0a' * 12}.json",
        f"status/ridge/n\x00/sts-{'0a' * 12}.json",
        f"ridge/north/sts-{'0a' * 12}.json",
    ],
)
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(PermanentError) as refused:
        read(DOCUMENT, key)
    assert refused.value.reason == "status-key-invalid"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_content_is_refused_or_read(content: bytes) -> None:
    with pytest.raises(PermanentError):
        read_status_document(KEY, content, STORED)


def test_what_is_below_the_prefix_is_no_upload() -> None:
    assert is_derived_key(KEY) and is_derived_key("status/x.jpg")
    assert not is_derived_key("ridge/status/x.jpg") and not is_derived_key("status-2/north/x.jpg")


def test_a_document_is_small_and_read_as_it_was_written() -> None:
    document = StatusDocument.model_validate(DOCUMENT)
    assert len(document.to_text()) < 1000
    assert StatusDocument.model_validate_json(document.to_text()) == document
