"""What counts as a confirmation by the store."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.producers.gateway import uploader
from uncia.producers.gateway.content import SourceChanged, SourceMissing, Stopped
from uncia.producers.gateway.uploader import BucketNotFound, S3Destination, StoreMismatch, Upload
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore

DATA = b"a photograph"
MD5 = hashlib.md5(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
PUT_RESPONSE = {"ETag": f'"{MD5}"'}
HEAD_RESPONSE = {"ETag": f'"{MD5}"', "ContentLength": len(DATA)}


class StubbedStore:
    """A destination whose S3 client returns prepared responses, in order."""

    def __init__(self) -> None:
        settings = Settings(s3_endpoint="http://store.test", s3_access_key="a", s3_secret_key="b")
        store = ObjectStore(settings, attempts=1)
        self.stubber = Stubber(store.client)
        self.stop = threading.Event()
        self.destination = S3Destination(store, "camera-uploads", self.stop)

    def respond(self, operation: str, response: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        self.stubber.add_response(operation, response, expected)

    def fail(self, operation: str, code: str, status: int = 400) -> None:
        self.stubber.add_client_error(operation, code, http_status_code=status)


@pytest.fixture
def stubbed() -> Iterator[StubbedStore]:
    stubbed = StubbedStore()
    with stubbed.stubber:
        yield stubbed
        stubbed.stubber.assert_no_pending_responses()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "été 1.JPG"
    path.write_bytes(DATA)
    return Upload(path, path.name, "ridge", "north", "ridge/north/1.jpg", len(DATA), SHA256, MD5)


def test_an_upload_has_checksums_and_metadata(stubbed: StubbedStore, upload: Upload) -> None:
    checksum = base64.b64encode(bytes.fromhex(SHA256)).decode()
    stubbed.respond(
        "put_object",
        PUT_RESPONSE,
        {
            "Bucket": "camera-uploads",
            "Key": upload.key,
            "Body": ANY,
            "ContentMD5": base64.b64encode(bytes.fromhex(MD5)).decode(),
            "ChecksumSHA256": checksum,
            "ContentType": "image/jpeg",
            "Metadata": {"sha256": SHA256, "name": "%C3%A9t%C3%A9%201.JPG", "uploader": ANY},
        },
    )
    stubbed.respond("head_object", HEAD_RESPONSE)
    assert stubbed.destination.send(upload).etag == MD5


def test_a_requested_lane_is_in_the_metadata(stubbed: StubbedStore, upload: Upload) -> None:
    sent: list[dict[str, str]] = []
    stubbed.destination._client.meta.events.register(
        "provide-client-params.s3.PutObject", lambda params, **_: sent.append(params["Metadata"])
    )
    stubbed.respond("put_object", PUT_RESPONSE)
    stubbed.respond("head_object", HEAD_RESPONSE)
    stubbed.destination.send(replace(upload, lane=Lane.BACKFILL))

    assert sent[0]["uncia-lane"] == "backfill"


def test_another_size_in_the_store_is_a_mismatch(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", PUT_RESPONSE)
    stubbed.respond("head_object", {**HEAD_RESPONSE, "ContentLength": 3})
    with pytest.raises(StoreMismatch):
        stubbed.destination.send(upload)


def test_an_object_that_the_store_does_not_find_is_a_mismatch(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", PUT_RESPONSE)
    stubbed.fail("head_object", "404", 404)
    with pytest.raises(StoreMismatch):
        stubbed.destination.send(upload)


def test_write_only_credentials_suffice_where_the_response_has_the_md5(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", PUT_RESPONSE)
    stubbed.fail("head_object", "403", 403)
    assert stubbed.destination.send(upload).etag == MD5


def test_write_only_credentials_do_not_suffice_without_an_md5(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", {"ETag": '"encrypted"'})
    stubbed.fail("head_object", "403", 403)
    with pytest.raises(AccessRefused):
        stubbed.destination.send(upload)


def test_write_only_credentials_suffice_for_parts_where_the_response_has_the_md5_of_their_md5s(
    stubbed: StubbedStore, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploader, "PART_BYTES", 2)
    parts = [DATA[start : start + 2] for start in range(0, len(DATA), 2)]
    digests = [hashlib.md5(part) for part in parts]
    etag = f"{hashlib.md5(b''.join(digest.digest() for digest in digests)).hexdigest()}-{len(parts)}"
    stubbed.respond("create_multipart_upload", {"UploadId": "1"})
    for digest in digests:
        stubbed.respond("upload_part", {"ETag": f'"{digest.hexdigest()}"'})
    stubbed.respond("complete_multipart_upload", {"ETag": f'"{etag}"'})
    stubbed.fail("head_object", "403", 403)
    assert stubbed.destination.send(upload).etag == etag


def test_an_encrypting_store_confirms_by_the_etag_of_its_response(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", {"ETag": '"encrypted"'})
    stubbed.respond("head_object", {"ETag": '"encrypted"', "ContentLength": len(DATA)})
    assert stubbed.destination.send(upload).etag == "encrypted"


def test_a_store_without_sha256_support_gets_no_checksum(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.fail("put_object", "NotImplemented", 501)
    stubbed.respond("put_object", PUT_RESPONSE)
    stubbed.respond("head_object", HEAD_RESPONSE, {"Bucket": "camera-uploads", "Key": upload.key})
    assert stubbed.destination.send(upload).etag == MD5


def test_a_captive_portal_that_accepts_everything_is_not_a_store(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("put_object", {})
    with pytest.raises(DependencyDown, match="not an object store"):
        stubbed.destination.send(upload)


def test_a_proxy_without_uploads_is_an_unavailable_store(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.fail("put_object", "404", 404)
    with pytest.raises(DependencyDown, match="not be an object store"):
        stubbed.destination.send(upload)


def test_a_missing_bucket_is_named(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.fail("put_object", "NoSuchBucket", 404)
    with pytest.raises(BucketNotFound, match="UNCIA_BUCKET"):
        stubbed.destination.send(upload)


def test_wrong_credentials_name_the_settings(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.fail("put_object", "SignatureDoesNotMatch", 403)
    with pytest.raises(AccessRefused, match="UNCIA_S3_SECRET_KEY"):
        stubbed.destination.send(upload)


def test_bytes_that_changed_after_they_were_spooled_are_not_sent(stubbed: StubbedStore, upload: Upload) -> None:
    upload.path.write_bytes(b"another one!")
    with pytest.raises(SourceChanged):
        stubbed.destination.send(upload)


def test_a_missing_file_is_not_an_error_of_the_store(stubbed: StubbedStore, upload: Upload) -> None:
    upload.path.unlink()
    with pytest.raises(SourceMissing):
        stubbed.destination.send(upload)


def test_stored_bytes_are_found(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("head_object", HEAD_RESPONSE)
    assert stubbed.destination.find_stored(upload)


@pytest.mark.parametrize("code", ["404", "403"])
def test_an_object_that_cannot_be_read_counts_as_not_stored(stubbed: StubbedStore, upload: Upload, code: str) -> None:
    stubbed.fail("head_object", code, int(code))
    assert stubbed.destination.find_stored(upload) is None


def test_other_bytes_under_the_key_count_as_not_stored(stubbed: StubbedStore, upload: Upload) -> None:
    stubbed.respond("head_object", {"ETag": '"other"', "ContentLength": len(DATA)})
    assert stubbed.destination.find_stored(upload) is None


def test_a_request_body_ends_when_the_gateway_ends() -> None:
    from uncia.producers.gateway.uploader import _Body

    stop = threading.Event()
    body = _Body(DATA, stop)
    body.read(3)
    stop.set()
    with pytest.raises(Stopped):
        body.read(3)
