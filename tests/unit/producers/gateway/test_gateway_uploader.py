"""What counts as the store's word that it has the bytes."""

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
from uncia.producers.gateway.content import SourceChanged, SourceMissing, Stopped
from uncia.producers.gateway.uploader import BucketMissing, S3Destination, StoreDisagrees, Upload
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore

DATA = b"a photograph"
MD5 = hashlib.md5(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
TAKEN = {"ETag": f'"{MD5}"'}
SHOWN = {"ETag": f'"{MD5}"', "ContentLength": len(DATA)}


class Answers:
    """A store that gives the answers that it was told to give, in their order."""

    def __init__(self) -> None:
        settings = Settings(s3_endpoint="http://store.test", s3_access_key="a", s3_secret_key="b")  # type: ignore[arg-type]
        store = ObjectStore(settings, attempts=1)
        self.stubber = Stubber(store.client)
        self.stop = threading.Event()
        self.destination = S3Destination(store, "camera-uploads", self.stop)

    def say(self, operation: str, answer: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        self.stubber.add_response(operation, answer, expected)

    def fail(self, operation: str, code: str, status: int = 400) -> None:
        self.stubber.add_client_error(operation, code, http_status_code=status)


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()
    with answers.stubber:
        yield answers
        answers.stubber.assert_no_pending_responses()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "été 1.JPG"
    path.write_bytes(DATA)
    return Upload(path, path.name, "ridge", "north", "ridge/north/1.jpg", len(DATA), SHA256, MD5)


def test_what_is_sent_carries_checksums_and_where_it_comes_from(answers: Answers, upload: Upload) -> None:
    checksum = base64.b64encode(bytes.fromhex(SHA256)).decode()
    answers.say(
        "put_object",
        TAKEN,
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
    answers.say("head_object", SHOWN)
    assert answers.destination.send(upload).etag == MD5


def test_a_lane_that_was_asked_for_travels_along(answers: Answers, upload: Upload) -> None:
    sent: list[dict[str, str]] = []
    answers.destination._client.meta.events.register(
        "provide-client-params.s3.PutObject", lambda params, **_: sent.append(params["Metadata"])
    )
    answers.say("put_object", TAKEN)
    answers.say("head_object", SHOWN)
    answers.destination.send(replace(upload, lane=Lane.BACKFILL))

    assert sent[0]["uncia-lane"] == "backfill"


def test_a_store_that_shows_another_size_is_not_believed(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", TAKEN)
    answers.say("head_object", {**SHOWN, "ContentLength": 3})
    with pytest.raises(StoreDisagrees):
        answers.destination.send(upload)


def test_a_store_that_shows_nothing_is_not_believed(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", TAKEN)
    answers.fail("head_object", "404", 404)
    with pytest.raises(StoreDisagrees):
        answers.destination.send(upload)


def test_a_key_that_may_only_write_is_enough_when_the_answer_has_our_md5(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", TAKEN)
    answers.fail("head_object", "403", 403)
    assert answers.destination.send(upload).etag == MD5


def test_a_key_that_may_only_write_is_not_enough_without_an_md5(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", {"ETag": '"encrypted"'})
    answers.fail("head_object", "403", 403)
    with pytest.raises(AccessRefused):
        answers.destination.send(upload)


def test_an_encrypting_store_is_believed_by_the_etag_of_its_answer(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", {"ETag": '"encrypted"'})
    answers.say("head_object", {"ETag": '"encrypted"', "ContentLength": len(DATA)})
    assert answers.destination.send(upload).etag == "encrypted"


def test_a_store_that_knows_no_sha256_is_asked_without(answers: Answers, upload: Upload) -> None:
    answers.fail("put_object", "NotImplemented", 501)
    answers.say("put_object", TAKEN)
    answers.say("head_object", SHOWN, {"Bucket": "camera-uploads", "Key": upload.key})
    assert answers.destination.send(upload).etag == MD5


def test_a_portal_on_the_way_that_says_yes_to_everything_is_no_store(answers: Answers, upload: Upload) -> None:
    answers.say("put_object", {})
    with pytest.raises(DependencyDown, match="not an object store"):
        answers.destination.send(upload)


def test_a_proxy_on_the_way_that_knows_no_uploads_is_waited_out(answers: Answers, upload: Upload) -> None:
    answers.fail("put_object", "404", 404)
    with pytest.raises(DependencyDown, match="no object store"):
        answers.destination.send(upload)


def test_a_bucket_that_is_not_there_is_named(answers: Answers, upload: Upload) -> None:
    answers.fail("put_object", "NoSuchBucket", 404)
    with pytest.raises(BucketMissing, match="UNCIA_BUCKET"):
        answers.destination.send(upload)


def test_wrong_credentials_name_the_settings(answers: Answers, upload: Upload) -> None:
    answers.fail("put_object", "SignatureDoesNotMatch", 403)
    with pytest.raises(AccessRefused, match="UNCIA_S3_SECRET_KEY"):
        answers.destination.send(upload)


def test_bytes_that_changed_since_they_were_spooled_are_not_sent(answers: Answers, upload: Upload) -> None:
    upload.path.write_bytes(b"another one!")
    with pytest.raises(SourceChanged):
        answers.destination.send(upload)


def test_a_file_that_is_gone_is_not_the_stores_fault(answers: Answers, upload: Upload) -> None:
    upload.path.unlink()
    with pytest.raises(SourceMissing):
        answers.destination.send(upload)


def test_what_is_stored_already_is_recognised(answers: Answers, upload: Upload) -> None:
    answers.say("head_object", SHOWN)
    assert answers.destination.look_up(upload)


@pytest.mark.parametrize("code", ["404", "403"])
def test_what_cannot_be_seen_in_the_store_counts_as_not_there(answers: Answers, upload: Upload, code: str) -> None:
    answers.fail("head_object", code, int(code))
    assert answers.destination.look_up(upload) is None


def test_other_bytes_under_our_key_count_as_not_there(answers: Answers, upload: Upload) -> None:
    answers.say("head_object", {"ETag": '"other"', "ContentLength": len(DATA)})
    assert answers.destination.look_up(upload) is None


def test_a_body_stops_in_the_middle_when_the_gateway_ends() -> None:
    from uncia.producers.gateway.uploader import _Body

    stop = threading.Event()
    body = _Body(DATA, stop)
    body.read(3)
    stop.set()
    with pytest.raises(Stopped):
        body.read(3)
