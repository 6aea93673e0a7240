"""Any bytes on the store's topic give changes, or an error with a reason, within bounds of time and memory."""

import json
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.intake.filer_events import entry, event, uploads_of
from uncia.errors import PermanentError
from uncia.events import ImageUploaded
from uncia.processors.intake.notifications import (
    MAX_BYTES,
    Change,
    IgnoredChange,
    StoredObjectChange,
    parse_notification,
)
from uncia.processors.intake.worker import Intake
from uncia.settings import Settings
from uncia.storage.object_keys import key_problem
from uncia.storage.object_store import ObjectStore

GENEROUS_S = 120
GENEROUS_BYTES = 400 * 1_048_576
AT = datetime(2026, 5, 1, tzinfo=UTC)

CONFIG = Settings(_env_file=None, s3_endpoint="http://store.test", s3_access_key="a", s3_secret_key="b")
INTAKE = Intake(CONFIG, ObjectStore(CONFIG, attempts=1))

numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.floats())
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
times = st.one_of(
    json_values,
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.builds("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format, *[st.integers(0, 9999)] * 1, *[st.integers(0, 99)] * 5,
              st.sampled_from(["Z", "+14:00", "-14:00", "+99:99", ""])),
)  # fmt: skip
records = st.fixed_dictionaries(
    {
        "eventVersion": st.one_of(st.just("2.1"), json_values),
        "eventName": st.one_of(st.just("ObjectCreated:Put"), json_values),
        "eventTime": times,
        "s3": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {
                    "bucket": st.fixed_dictionaries({"name": st.one_of(st.just("camera-uploads"), json_values)}),
                    "object": st.fixed_dictionaries(
                        {
                            "key": st.one_of(json_values, st.text().map(lambda text: f"ridge/cam/{text}")),
                            "size": json_values,
                            "eTag": json_values,
                        }
                    ),
                }
            ),
        ),
    },
    optional={"eventSource": json_values},
)


def parse(value: bytes | None, key: bytes | None = None) -> list[Change]:
    """The changes in a message; an error of the whole message counts as one."""
    try:
        return parse_notification(value, key)
    except PermanentError as error:
        return [error]


def check(changes: list[Change]) -> None:
    assert changes
    for change in changes:
        assert isinstance(change, StoredObjectChange | IgnoredChange | PermanentError)
        if isinstance(change, StoredObjectChange) and change.stored_at is not None:
            assert 1970 <= change.stored_at.year < 2200


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(value: bytes, key: bytes) -> None:
    check(parse(value, key))


@settings(max_examples=100, deadline=None)
@given(st.lists(records, max_size=3), st.booleans())
def test_any_records_are_read_or_refused(found: list[Any], ascii_only: bool) -> None:
    raw = json.dumps({"Records": found}, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    check(parse(raw))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_entry_that_is_cut_and_altered_is_read_or_refused(data: st.DataObject) -> None:
    whole = event(
        new=entry(
            "x.jpg", md5=bytes(16), chunk_etags=["AAAA", ""], chunk_ns=7, s3_etag="e", metadata={"X-Amz-Meta-A": "b"}
        )
    )
    raw = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    check(parse(bytes(raw), b"/buckets/camera-uploads/ridge/cam/x.jpg"))


@settings(max_examples=60, deadline=None)
@given(st.lists(records, max_size=2))
def test_uploads_from_any_records_are_valid_events(found: list[Any]) -> None:
    for record in found:
        if isinstance(record["s3"], dict) and isinstance(record["s3"].get("object"), dict):
            record["s3"]["object"]["eTag"] = "e"  # Otherwise intake requests it from the store.
    announced, problem = uploads_of(INTAKE, json.dumps({"Records": found}).encode(), None, AT)
    assert problem is None or problem.reason
    for upload in announced:
        assert key_problem(upload.key) is None
        assert len(upload.to_bytes()) < 16 * 1024
        assert ImageUploaded.from_bytes(upload.to_bytes()) == upload


def field(number: int, value: bytes) -> bytes:
    size, length = len(value), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def nested(depth: int) -> bytes:
    raw = b""
    for _ in range(depth):
        raw = field(2, raw)
    return raw


BOMBS = {
    "deep lists": b'{"Records":' + b"[" * 500_000,
    "deep objects": b'{"a":' * 100_000,
    "a deep version": b'{"Records":[{"eventVersion":' + b"[" * 900 + b"]" * 900 + b"}]}",
    "deep sources": b'{"Records":[{"eventSource":' + b"[" * 900 + b"]" * 900 + b"}]}",
    "a huge integer": b'{"Records":[{"s3":{"object":{"size":' + b"9" * 1_000_000 + b"}}}]}",
    "a huge float": b'{"Records":[{"eventTime":' + b"9" * 300_000 + b"e" + b"9" * 300_000 + b"}]}",
    "many records": b'{"Records":[' + b"{}," * 300_000 + b"{}]}",
    "many fields": b'{"Records":[{' + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}]}",
    "one key again and again": b'{"Records":[{' + b",".join([b'"eventVersion":"2.1"'] * 45_000) + b"}]}",
    "a long key": b'{"Records":[{"s3":{"object":{"key":"' + b"%2F" * 300_000 + b'"}}}]}',
    "no strings": b'{"Records":[{"eventVersion":"' + b"\\ud800" * 150_000 + b'"}]}',
    "deep entries": nested(100_000),
    "a length of exabytes": b"\x12" + b"\xff" * 8 + b"\x7f" + b"x" * 1000,
    "many chunks": event(new=b"\x0a\x01x" + field(3, field(5, b"AAAA")) * 100_000),
    "many attributes": event(new=b"\x0a\x01x" + field(5, field(1, b"x-amz-meta-a") + field(2, b"b")) * 40_000),
    "many entries": field(2, b"\x0a\x01x") * 150_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little(name: str) -> None:
    raw = BOMBS[name][:MAX_BYTES]
    tracemalloc.start()
    began = time.monotonic()
    check(parse(raw, b"/buckets/camera-uploads/ridge/cam/x.jpg"))
    taken, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < GENEROUS_S
    assert peak < GENEROUS_BYTES
