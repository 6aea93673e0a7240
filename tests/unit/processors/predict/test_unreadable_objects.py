"""An object that cannot be read is rejected when others can; a store that answers for nothing is waited for."""

import asyncio
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.unit.processors.predict.s3_double import BUCKET, Connection, Misbehaviour, S3Double, s3_double
from uncia.events import ImageUploaded
from uncia.imaging.frame_spec import FrameSpec
from uncia.processors.faust_runtime import object_errors
from uncia.processors.predict.image_loading import LoadedPhotograph, ModelFrames, PhotographLoader
from uncia.storage.object_store import ObjectStore

BAD, GOOD = "ridge/cam/bad.jpg", "ridge/cam/good.jpg"


def photograph() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((900, 660)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_errors, "PROBE_AFTER_S", 0.1)
    monkeypatch.setattr(object_errors, "_NEGATIVE_RESULT_S", 0.05)
    monkeypatch.setattr(object_errors, "SETTLING_S", 0.0)


@pytest.fixture
def double() -> Iterator[tuple[S3Double, ObjectStore]]:
    with s3_double() as (server, store):
        server.objects = {BAD: photograph(), GOOD: photograph()}
        yield server, store


def upload(key: str, bucket: str = BUCKET) -> ImageUploaded:
    now = datetime.now(UTC)
    return ImageUploaded(
        upload_id=f"upl-{key}",
        station="ridge",
        camera="ridge/cam",
        bucket=bucket,
        key=key,
        etag="e",
        size=len(photograph()),
        uploaded_at=now,
        announced_at=now,
    )


def read(server: S3Double, store: ObjectStore, *uploads: ImageUploaded, limit_s: float = 30) -> list[LoadedPhotograph]:
    """All at once, as a worker does."""

    async def scene() -> list[LoadedPhotograph]:
        photographs = PhotographLoader(server.settings(), store)
        try:
            reads = (photographs.load(upload, ModelFrames(FrameSpec())) for upload in uploads)
            return await asyncio.wait_for(asyncio.gather(*reads), limit_s)
        finally:
            photographs.close()

    return asyncio.run(scene())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda c, _: c.refuse(500, "InternalError"), id="500"),
        pytest.param(lambda c, _: c.refuse(503, "SlowDown"), id="503"),
        pytest.param(lambda c, _: c.refuse(400, "InvalidRequest"), id="InvalidRequest"),
        pytest.param(lambda c, _: c.refuse(400, "NeverHeardOf"), id="an unknown code"),
        pytest.param(lambda c, _: c.refuse(403, "AccessDenied"), id="403"),
        pytest.param(lambda c, _: c.refuse(403, "SignatureDoesNotMatch"), id="signature"),
        pytest.param(lambda c, _: c.refuse(307, "TemporaryRedirect", Location="http://127.0.0.1:9/x"), id="redirect"),
        pytest.param(lambda c, _: c.answer(301, b"", Location="/camera-uploads/x"), id="redirect without a body"),
        pytest.param(lambda c, _: c.answer(500, b"<html>Bad gateway"), id="HTML"),
        pytest.param(lambda c, body: c.break_off(body), id="a body that breaks off"),
        pytest.param(lambda c, _: setattr(c, "close_connection", True), id="no answer"),
        pytest.param(lambda c, _: c.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), id="no number"),
        pytest.param(lambda c, _: c.wfile.write(b"NOISE\r\n\r\n"), id="no HTTP"),
    ],
)
def test_one_object_that_fails_is_rejected_while_others_are_read(
    double: tuple[S3Double, ObjectStore], fault: Misbehaviour
) -> None:
    server, store = double
    server.faults[BAD] = fault
    bad, good = read(server, store, upload(BAD), upload(GOOD))
    assert bad.rejection is not None
    assert bad.rejection.reason == "object-unreadable"
    assert good.frames is not None


def test_an_object_whose_body_never_comes_is_rejected_while_others_are_read(
    double: tuple[S3Double, ObjectStore],
) -> None:
    server, store = double
    server.faults[BAD] = lambda _c, _b: time.sleep(3)
    bad, good = read(server, store, upload(BAD), upload(GOOD))
    assert bad.rejection is not None
    assert good.frames is not None


def test_a_quiet_stream_asks_for_other_objects_of_the_bucket(double: tuple[S3Double, ObjectStore]) -> None:
    server, store = double
    server.faults[BAD] = lambda c, _: c.refuse(500, "InternalError")
    (bad,) = read(server, store, upload(BAD))
    assert bad.rejection is not None
    assert "tried" in str(bad.rejection)


def test_a_notification_of_a_bucket_that_is_not_there_is_rejected(double: tuple[S3Double, ObjectStore]) -> None:
    server, store = double
    (stray,) = read(server, store, upload(GOOD, bucket="no-such-bucket"))
    assert stray.rejection is not None
    assert stray.rejection.reason == "bucket-unknown"


@pytest.mark.parametrize(
    "down",
    [
        lambda c, _: c.refuse(500, "InternalError"),
        lambda c, _: c.refuse(503, "ServiceUnavailable"),
        lambda c, _: c.refuse(403, "AccessDenied"),
        lambda c, _: c.refuse(404, "NoSuchBucket"),
        lambda c, _: setattr(c, "close_connection", True),
    ],
    ids=["500", "503", "403", "no bucket", "no answer"],
)
def test_a_store_that_answers_for_nothing_is_waited_for(
    double: tuple[S3Double, ObjectStore], down: Misbehaviour
) -> None:
    server, store = double
    server.down = down
    with pytest.raises(TimeoutError):
        read(server, store, upload(BAD), upload(GOOD), limit_s=2)
    server.down = None
    assert all(photograph.frames is not None for photograph in read(server, store, upload(BAD), upload(GOOD)))


def test_objects_that_all_fail_while_the_bucket_is_listed_are_waited_for(
    double: tuple[S3Double, ObjectStore],
) -> None:
    # Volume servers are down, and the filer is up.
    server, store = double
    server.faults = {key: lambda c, _: c.refuse(500, "InternalError") for key in server.objects}
    with pytest.raises(TimeoutError):
        read(server, store, upload(BAD), upload(GOOD), limit_s=2)


def test_a_store_that_has_just_started_may_hand_out_an_object_later_than_others(
    double: tuple[S3Double, ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_errors, "SETTLING_S", 60.0)
    server, store = double
    failures = 0

    def refuse_six_times(connection: Connection, body: bytes) -> None:
        nonlocal failures
        failures += 1
        if failures > 6:
            server.faults.clear()
        connection.refuse(500, "InternalError")

    server.faults[BAD] = refuse_six_times
    assert all(photograph.frames is not None for photograph in read(server, store, upload(BAD), upload(GOOD)))


def test_the_only_object_of_a_bucket_is_given_up_after_a_while(
    double: tuple[S3Double, ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_errors, "_LISTING_COUNTS_AFTER_S", 0.5)
    server, store = double
    del server.objects[GOOD]
    server.faults[BAD] = lambda c, _: c.refuse(500, "InternalError")
    (bad,) = read(server, store, upload(BAD))
    assert bad.rejection is not None


def test_a_read_that_hung_while_the_store_came_back_is_tried_once_more(double: tuple[S3Double, ObjectStore]) -> None:
    server, store = double
    calls = 0

    def hang_once(connection: Connection, body: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls <= 1:
            time.sleep(2)  # longer than the read's timeout; others are read meanwhile
        else:
            connection.answer(200, body)

    server.faults[BAD] = hang_once
    late, good = read(server, store, upload(BAD), upload(GOOD))
    assert late.frames is not None
    assert good.frames is not None


def test_an_object_without_an_etag_has_an_empty_one(double: tuple[S3Double, ObjectStore]) -> None:
    _, store = double
    assert store.etag(BUCKET, GOOD) == ""
