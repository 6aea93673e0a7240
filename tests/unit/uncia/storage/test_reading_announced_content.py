"""Only the content that was announced is read, from stores that compare ETags, that do not, and that keep versions."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.unit.uncia.storage.servers import serving, store_at
from uncia.storage.object_file import ObjectFile
from uncia.storage.object_store import ObjectChanged, ObjectMissing, ObjectStore, ObjectUnreadable, normalized_etag

OLD, NEW = (b"a snow leopard", "aaa"), (b"a red fox, later", "bbb-2")
STORED_AT = datetime(2026, 5, 14, 21, 36, tzinfo=UTC)


class Bucket(ThreadingHTTPServer):
    """One object with its versions. How it fails is set by the attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.now: tuple[bytes, str] | None = OLD
        self.versions: dict[str, tuple[bytes, str]] = {}
        self.minds_conditions = True
        self.quotes_matter = False
        self.tells_etags = True
        self.returns_ranges = True
        self.breaks_off: tuple[bytes, str] | None = None
        """The next answer breaks off, and the object holds this from then on."""
        self.requests: list[tuple[str, str | None]] = []


class Request(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        url, condition = urlsplit(self.path), self.headers.get("If-Match")
        assert unquote(url.path) == "/b/s/c/1.jpg"
        self.server.requests.append((self.command, condition))
        version = parse_qs(url.query).get("versionId", [""])[0]
        held = self.server.versions.get(version) if version else self.server.now
        if held is None:
            self.refuse(404, "NoSuchVersion" if version else "NoSuchKey")
            return
        data, etag = held
        matches = condition == (f"<{etag}>" if self.server.quotes_matter else f'"{etag}"')
        if condition and self.server.minds_conditions and not matches:
            self.refuse(412, "PreconditionFailed")
            return
        wanted = self.headers.get("Range")
        if wanted and self.server.returns_ranges:
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            stated = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
            data = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", stated)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", format_datetime(STORED_AT, usegmt=True))
        if self.server.tells_etags:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.server.breaks_off:
            self.server.now, self.server.breaks_off = self.server.breaks_off, None
            self.wfile.write(data[:3])
            self.close_connection = True
        elif self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def refuse(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving(Bucket()) as bucket:
        yield bucket


@pytest.fixture
def store(bucket: Bucket) -> Iterator[ObjectStore]:
    with store_at(bucket) as store:
        yield store


def read(store: ObjectStore, etag: str = "aaa", *, size: int = 0, version_id: str | None = None) -> tuple[bytes, str]:
    content = store.read("b", "s/c/1.jpg", max_bytes=100, etag=etag, size=size, version_id=version_id)
    return content.data, content.etag


def test_the_announced_content_is_read_in_one_conditional_request(bucket: Bucket, store: ObjectStore) -> None:
    assert read(store) == OLD
    assert bucket.requests == [("GET", '"aaa"')]


@pytest.mark.parametrize("minds_conditions", [True, False])
def test_another_content_is_never_handed_out(bucket: Bucket, store: ObjectStore, minds_conditions: bool) -> None:
    bucket.now, bucket.minds_conditions = NEW, minds_conditions
    with pytest.raises(ObjectChanged) as caught:
        read(store)
    assert caught.value.reason == "object-changed"
    assert caught.value.modified == STORED_AT
    assert "bbb" not in str(caught.value)


def test_an_object_that_changes_while_it_is_read_is_changed(bucket: Bucket, store: ObjectStore) -> None:
    bucket.breaks_off = NEW
    with pytest.raises(ObjectChanged):
        read(store)


def test_an_object_that_breaks_off_and_stays_is_read_again(bucket: Bucket, store: ObjectStore) -> None:
    bucket.breaks_off = OLD
    assert read(store) == OLD


def test_a_refused_matching_etag_is_checked_by_a_head_request(bucket: Bucket, store: ObjectStore) -> None:
    bucket.quotes_matter = True
    assert read(store) == OLD


@pytest.mark.parametrize("etag", ["a\r\nx: y", "\u2744", 'a"b', " ", "x" * 9000])
def test_an_etag_that_no_header_can_carry_is_compared_here(bucket: Bucket, store: ObjectStore, etag: str) -> None:
    with pytest.raises(ObjectChanged):
        read(store, etag, size=1)
    assert {condition for _, condition in bucket.requests} == {None}


def test_a_store_without_etags_is_compared_by_size(bucket: Bucket, store: ObjectStore) -> None:
    bucket.tells_etags = bucket.minds_conditions = False
    assert read(store, size=len(OLD[0]))[0] == OLD[0]
    bucket.now = NEW
    with pytest.raises(ObjectChanged):
        read(store, size=len(OLD[0]))


def test_an_announcement_without_an_etag_is_compared_by_size_and_returns_the_etag(
    bucket: Bucket, store: ObjectStore
) -> None:
    assert read(store, "", size=len(OLD[0])) == OLD
    assert read(store, "") == OLD
    with pytest.raises(ObjectChanged):
        read(store, "", size=len(OLD[0]) + 1)


def test_a_version_is_read_though_a_newer_one_stands_there(bucket: Bucket, store: ObjectStore) -> None:
    bucket.now, bucket.versions = NEW, {"v1": OLD, "v2": NEW}
    assert read(store, version_id="v1") == OLD


def test_a_version_that_is_gone_is_found_where_the_same_content_stands(bucket: Bucket, store: ObjectStore) -> None:
    assert read(store, version_id="v1") == OLD


def test_a_version_that_is_gone_and_whose_key_holds_another_is_changed(bucket: Bucket, store: ObjectStore) -> None:
    bucket.now = NEW
    with pytest.raises(ObjectChanged):
        read(store, version_id="v1")


def test_a_version_that_is_gone_with_its_object_is_missing(bucket: Bucket, store: ObjectStore) -> None:
    bucket.now = None
    with pytest.raises(ObjectMissing):
        read(store, version_id="v1")


@pytest.mark.parametrize(
    ("header", "bare"), [('"aaa"', "aaa"), ('W/"aaa-2"', "aaa-2"), ("aaa", "aaa"), (None, ""), ('""', "")]
)
def test_quotes_and_the_mark_of_a_weak_etag_are_no_part_of_it(header: str | None, bare: str) -> None:
    assert normalized_etag(header) == bare


def part(store: ObjectStore, start: int, count: int, etag: str = "aaa", version: str | None = None) -> bytes:
    return store.read_range("b", "s/c/1.jpg", start, count, etag=etag, size=len(OLD[0]), version_id=version)


def test_a_part_of_the_announced_content_is_read(bucket: Bucket, store: ObjectStore) -> None:
    assert part(store, 2, 4) == b"snow"
    assert part(store, 7, 99) == b"leopard"


@pytest.mark.parametrize("minds_conditions", [True, False])
def test_no_part_of_another_content_is_read(bucket: Bucket, store: ObjectStore, minds_conditions: bool) -> None:
    bucket.now, bucket.minds_conditions = NEW, minds_conditions
    with pytest.raises(ObjectChanged):
        part(store, 2, 4)


def test_a_part_of_a_version_is_read(bucket: Bucket, store: ObjectStore) -> None:
    bucket.now, bucket.versions["v1"] = NEW, OLD
    assert part(store, 2, 4, version="v1") == b"snow"


def test_a_part_is_read_where_the_version_was_removed_and_the_content_is_the_same(
    bucket: Bucket, store: ObjectStore
) -> None:
    assert part(store, 2, 4, version="gone") == b"snow"


def test_a_store_that_compares_etags_wrongly_returns_parts(bucket: Bucket, store: ObjectStore) -> None:
    bucket.quotes_matter = True
    assert part(store, 2, 4) == b"snow"


def test_a_store_that_returns_no_parts_is_reported(bucket: Bucket, store: ObjectStore) -> None:
    bucket.returns_ranges = False
    with pytest.raises(ObjectUnreadable, match="no part"):
        part(store, 2, 4)


def test_a_stored_object_is_read_like_a_file(bucket: Bucket, store: ObjectStore) -> None:
    stored = ObjectFile(store, "b", "s/c/1.jpg", len(OLD[0]), etag="aaa")
    file = io.BufferedReader(stored, 4)
    assert file.seek(-7, io.SEEK_END) == 7
    assert (file.read(), file.read()) == (b"leopard", b"")
    assert file.seek(2) == 2
    assert file.read(4) == b"snow"
    assert stored.error is None


def test_what_keeps_a_stored_object_from_being_read_is_kept(bucket: Bucket, store: ObjectStore) -> None:
    bucket.now = None
    stored = ObjectFile(store, "b", "s/c/1.jpg", len(OLD[0]), etag="aaa")
    assert io.BufferedReader(stored).read() == b""
    assert isinstance(stored.error, ObjectMissing)
