"""What SeaweedFS's own notifications mean. The bytes are made here, by the field numbers of its filer.proto."""

from datetime import UTC, datetime

import pytest

from tests.unit.processors.intake.filer_events import entry, event
from uncia.errors import PermanentError
from uncia.processors.intake.notifications import IgnoredChange, StoredObjectChange, parse_notification

PATH = b"/buckets/camera-uploads/ridge/cam-1/IMG 0019+x%20\xc3\xbc.JPG"
PARENT = "/buckets/camera-uploads/ridge/cam-1"


def test_a_stored_object_has_its_raw_key_size_and_etag() -> None:
    raw = event(new=entry("IMG 0019+x%20ü.JPG", size=3000, md5=bytes.fromhex("33d7ac42e3aa0f3146843833c23e4365")))

    assert parse_notification(raw, PATH) == [
        StoredObjectChange(
            bucket="camera-uploads",
            key="ridge/cam-1/IMG 0019+x%20ü.JPG",
            etag="33d7ac42e3aa0f3146843833c23e4365",
            size=3000,
            stored_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )
    ]


def test_an_s3_clients_etag_is_taken_also_of_a_multipart_upload() -> None:
    raw = event(new=entry("big.jpg", s3_etag="0512cff0afd7ab00341c7a1aed08bf29-3"))
    assert _stored(raw).etag == "0512cff0afd7ab00341c7a1aed08bf29-3"


def test_a_file_of_one_chunk_has_the_chunks_md5_as_its_etag() -> None:
    raw = event(new=entry("small.jpg", chunk_etags=["M9esQuOqDzFGhDgzwj5DZQ=="]))
    assert _stored(raw).etag == "33d7ac42e3aa0f3146843833c23e4365"


@pytest.mark.parametrize("etags", [["M9esQuOqDzFGhDgzwj5DZQ==", "M9esQuOqDzFGhDgzwj5DZQ=="], ["no base64!"], []])
def test_an_etag_that_the_notification_lacks_is_none(etags: list[str]) -> None:
    assert _stored(event(new=entry("x.jpg", chunk_etags=etags))).etag is None


def test_the_lane_that_the_uploader_requested_is_parsed() -> None:
    raw = event(new=entry("x.jpg", metadata={"X-Amz-Meta-Uncia-Lane": "backfill", "X-Amz-Storage-Class": "STANDARD"}))
    assert _stored(raw).lane == "backfill"


def test_without_a_requested_lane_there_is_none() -> None:
    assert _stored(event(new=entry("x.jpg", metadata={"X-Amz-Meta-Sha256": "00"}))).lane is None


def test_the_last_chunk_has_the_milliseconds() -> None:
    second = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    raw = event(new=entry("x.jpg", chunk_etags=[""], chunk_ns=second * 10**9 + 250_000_000))
    assert _stored(raw).stored_at == datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)


def test_a_chunk_of_another_second_is_ignored() -> None:
    raw = event(new=entry("x.jpg", chunk_etags=[""], chunk_ns=10**9))
    assert _stored(raw).stored_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_object_that_is_stored_again_has_its_present_size() -> None:
    raw = event(old=entry("x.jpg", size=1), new=entry("x.jpg", size=2))
    assert _stored(raw).size == 2


def test_a_renamed_object_has_its_new_key() -> None:
    raw = event(old=entry("x.jpg"), new=entry("y.jpg"), parent="/buckets/camera-uploads/ridge/cam-2")
    assert _stored(raw).key == "ridge/cam-2/y.jpg"


def test_without_a_parent_the_messages_key_has_the_folder() -> None:
    assert _stored(event(new=entry("x.jpg"), parent="")).key == "ridge/cam-1/x.jpg"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (event(old=entry("x.jpg"), parent=""), "deleted"),
        (event(new=entry("cam-1", folder=True), parent="/buckets/camera-uploads/ridge"), "folder"),
        (event(new=entry("0001_a.part"), parent="/buckets/camera-uploads/.uploads/4727"), "part"),
        (event(new=entry(".complete"), parent="/topics/owners"), "outside-buckets"),
        (event(new=entry("stray"), parent="/buckets"), "outside-buckets"),
    ],
)
def test_what_is_no_upload_is_ignored(raw: bytes, why: str) -> None:
    assert parse_notification(raw, PATH) == [IgnoredChange(why)]


def test_fields_of_newer_releases_are_skipped() -> None:
    newer = bytes([15 << 3 | 0, 7, 16 << 3 & 0x7F | 1 | 0x80, 1]) + bytes(8)
    assert _stored(event(new=entry("x.jpg")) + newer).key == "ridge/cam-1/x.jpg"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x12\xff\x01abc", id="breaks off"),
        pytest.param(b"\x12" + b"\xff" * 11, id="endless number"),
        pytest.param(b"\x13abc", id="unknown wire type"),
        pytest.param(b"\x00\x00", id="field number 0"),
        pytest.param(b"GIF89a" * 50, id="something else"),
        pytest.param(b"\x20\x01", id="no entry"),
        pytest.param(event(new=b"\x0a\x02\xff\xfe"), id="a name that is no UTF-8"),
    ],
)
def test_bytes_that_are_no_notification_are_refused_by_name(raw: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_notification(raw, PATH)
    assert refused.value.reason == "notification-malformed"


@pytest.mark.parametrize("length", [ord("{"), ord("[")])
def test_an_old_entry_whose_length_is_that_of_a_brace_is_no_json(length: int) -> None:
    name = next(name for name in ("x" * count for count in range(length)) if len(entry(name)) == length)
    raw = event(old=entry(name), parent="")
    assert raw.startswith(b"\n" + bytes([length]))
    assert parse_notification(raw, PATH) == [IgnoredChange("deleted")]


@pytest.mark.parametrize("mtime", [2**62, 2**64 - 5, 253402300800])
def test_a_time_that_no_clock_shows_is_none_and_the_photograph_is_announced(mtime: int) -> None:
    assert _stored(event(new=entry("x.jpg", mtime=mtime))).stored_at is None


def _stored(raw: bytes) -> StoredObjectChange:
    (change,) = parse_notification(raw, PATH)
    assert isinstance(change, StoredObjectChange)
    return change
