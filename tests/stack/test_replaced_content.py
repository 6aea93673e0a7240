"""Objects that are overwritten, versioned, moved or lost: every result and page shows the content it belongs to."""

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boto3.s3.transfer import TransferConfig
from PIL import Image

from tests.stack.conftest import KIND
from tests.stack.photographs import fresh_photograph, photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import SCALE
from uncia import ids
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import GONE, REPLACED, thumbnail_url, thumbnails_from_store
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics
from uncia.kafka.connection import connect_producer
from uncia.producers.reconcile.notifications import notification_of, path_of
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectStore, StoredObject
from uncia.topics import STORAGE_CHANGED, TOPICS

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
Settled = Callable[..., list[BurstResolved]]
Reconcile = Callable[..., list[dict[str, Any]]]
PredictionOf = Callable[[str, str], ImagePredicted]

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


def current_bursts(results: ResultConsumer, camera: str) -> list[BurstResolved]:
    """A camera's bursts that are not superseded."""
    return [burst for burst in results.bursts(camera) if burst.status is not BurstStatus.SUPERSEDED]


@pytest.fixture
def prediction_of(results: ResultConsumer, settings: Settings) -> PredictionOf:
    """The latest prediction or rejection of one content under one key; waits for the first."""

    def wait(key: str, etag: str) -> ImagePredicted:
        upload_id = ids.upload_id(settings.bucket, key, etag)

        def matching() -> list[ImagePredicted]:
            return [image for image in results.predictions(key) if image.upload_id == upload_id]

        return results.wait_for(matching, 40, f"a prediction of {key} with ETag {etag}")[-1]

    return wait


@pytest.fixture
def announce(settings: Settings, admin_settings: Settings) -> Iterator[Callable[[str, str, int], None]]:
    """Send the notification of a content under a key, as if it were delayed: the key may hold other content by now."""
    producer = connect_producer(admin_settings, acks="all")

    def send(key: str, etag: str, size: int) -> None:
        stored = StoredObject(key, etag, size, datetime.now(UTC) - timedelta(minutes=1))
        message = notification_of(settings.bucket, stored)
        producer.send(STORAGE_CHANGED.full_name(settings), message, path_of(settings.bucket, key)).get(30)

    yield send
    producer.close()


@pytest.fixture
def suspended(admin_store: ObjectStore, settings: Settings) -> Iterator[ObjectStore]:
    """Versions of the upload bucket can be switched off during the test."""
    yield admin_store
    admin_store.keep_versions(settings.bucket, on=True)


@pytest.fixture
def uncia(stack: Stack) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command against the stack."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "uncia", *arguments],
            env={**os.environ, **stack.environment(), **env},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def test_the_result_of_overwritten_content_has_nothing_of_the_new_content(
    upload: Upload,
    announce: Any,
    prediction_of: PredictionOf,
    reconcile: Reconcile,
    results: ResultConsumer,
    station: str,
) -> None:
    key, first, second = f"{station}/cam/IMG_0001.JPG", photograph(700), photograph(701, size=(1280, 960))
    now = upload(key, second)
    before = hashlib.md5(first, usedforsecurity=False).hexdigest()
    announce(key, before, len(first))

    old, new = prediction_of(key, before), prediction_of(key, now)
    assert old.rejection is not None
    assert old.rejection.reason == "object-changed"
    assert (old.etag, old.size, old.sha256, old.prediction) == (before, len(first), None, None)
    assert old.image_id != new.image_id
    assert (old.capture.width, old.capture.time_source) == (None, "upload")
    assert now not in old.rejection.message
    assert (new.sha256, new.size, new.capture.width) == (ids.content_hash(second), len(second), 1280)
    assert reconcile("--prefix", station)[-1]["zero"]


def test_a_photograph_that_is_overwritten_and_restored_gets_the_prediction_of_its_current_content(
    upload: Upload, announce: Any, prediction_of: PredictionOf, reconcile: Reconcile, station: str
) -> None:
    key = f"{station}/cam/IMG_0001.JPG"
    etags = [upload(key, photograph(seed)) for seed in (702, 703, 702)]
    assert etags[0] == etags[2]
    for etag in etags:
        prediction_of(key, etag)
    deadline = time.monotonic() + SCALE * 60
    while not (last := reconcile("--prefix", station)[-1])["zero"]:
        assert time.monotonic() < deadline, last
    assert prediction_of(key, etags[2]).sha256 == ids.content_hash(photograph(702))


@pytest.mark.parametrize("share", [0, 0.6], ids=["empty", "half"])
def test_a_partial_photograph_overwritten_by_the_complete_one_is_one_readable_frame(
    upload: Upload, prediction_of: PredictionOf, settled: Settled, results: ResultConsumer, station: str, share: float
) -> None:
    key, complete = f"{station}/cam/IMG_0001.JPG", photograph(704)
    part = upload(key, complete[: int(share * len(complete))])
    assert prediction_of(key, part).rejection is not None
    etag = upload(key, complete)
    prediction_of(key, etag)

    def assessed() -> list[BurstResolved]:
        return [burst for burst in settled(f"{station}/cam") if burst.verdict is not None]

    (burst,) = results.wait_for(assessed, 45, "the burst of the whole photograph")
    assert (len(burst.frames), burst.unreadable) == (1, 0)
    assert burst.frames[0].upload_id == ids.upload_id(burst.frames[0].bucket, key, etag)


def test_each_object_version_is_predicted_and_deletions_are_not_uploads(
    admin_store: ObjectStore,
    prediction_of: PredictionOf,
    predicted: Predicted,
    reconcile: Reconcile,
    results: ResultConsumer,
    settings: Settings,
    station: str,
) -> None:
    key, marker = f"{station}/cam/2026/05/14/20260514T213600000-0f1e2d3c4b5a6978.JPG", f"{station}/cam/marker.jpg"
    client, contents, versions = admin_store.client, [photograph(710, time=None), photograph(711, time=None)], []
    for data in contents:
        put = client.put_object(Bucket=settings.bucket, Key=key, Body=data)
        versions.append((put["ETag"].strip('"'), put["VersionId"]))
    images = [prediction_of(key, etag) for etag, _ in versions]
    for image, data, (etag, version_id) in zip(images, contents, versions, strict=True):
        assert (image.camera, image.version_id, image.etag) == (f"{station}/cam", version_id, etag)
        assert image.sha256 == ids.content_hash(data)
        assert (image.capture.time, image.capture.time_source) == (datetime(2026, 5, 14, 21, 36), "key")

    client.delete_object(Bucket=settings.bucket, Key=key)
    client.delete_object(Bucket=settings.bucket, Key=key, VersionId=versions[0][1])
    client.put_object(Bucket=settings.bucket, Key=marker, Body=photograph(712))
    predicted(marker)
    assert len({image.upload_id for image in results.predictions(key)}) == 2
    assert results.dead_letters(lambda letter: station.encode() in (letter.key or b"")) == []
    before = len(results.predictions(key))
    counts = reconcile("--prefix", station)[-1]
    assert (counts["missed"], counts["vanished"], counts["stored"]) == (0, 1, 1)
    assert len(results.predictions(key)) == before


def test_a_version_that_was_announced_late_is_read_although_a_newer_one_exists(
    admin_store: ObjectStore, announce: Any, prediction_of: PredictionOf, settings: Settings, station: str
) -> None:
    key, old, new = f"{station}/cam/a.jpg", photograph(713), photograph(714)
    put = admin_store.client.put_object(Bucket=settings.bucket, Key=key, Body=old)
    admin_store.client.put_object(Bucket=settings.bucket, Key=key, Body=new)
    etag = put["ETag"].strip('"')
    read = admin_store.read(settings.bucket, key, max_bytes=1 << 20, etag=etag, version_id=put["VersionId"])
    assert read.data == old
    with pytest.raises(ObjectChanged):
        admin_store.read(settings.bucket, key, max_bytes=1 << 20, etag=etag)
    assert prediction_of(key, etag).sha256 == ids.content_hash(old)


def test_multipart_and_null_versions_have_the_version_ids_of_the_listing(
    suspended: ObjectStore, prediction_of: PredictionOf, reconcile: Reconcile, settings: Settings, station: str
) -> None:
    large, plain = f"{station}/cam/large.jpg", f"{station}/cam/plain.jpg"
    parts = TransferConfig(multipart_threshold=5 * 1_048_576, multipart_chunksize=5 * 1_048_576)
    data = photograph(715) + bytes(6 * 1_048_576)
    suspended.client.upload_fileobj(io.BytesIO(data), settings.bucket, large, Config=parts)
    etag = suspended.etag(settings.bucket, large)
    assert etag.endswith("-2")
    assert prediction_of(large, etag).version_id not in (None, "null")

    suspended.client.put_object(Bucket=settings.bucket, Key=plain, Body=photograph(716))
    suspended.keep_versions(settings.bucket, on=False)
    for seed in (717, 718):
        put = suspended.client.put_object(Bucket=settings.bucket, Key=plain, Body=photograph(seed))
    image = prediction_of(plain, put["ETag"].strip('"'))
    assert (image.version_id, image.sha256) == ("null", ids.content_hash(photograph(718)))
    counts = reconcile("--prefix", station)[-1]
    assert (counts["zero"], counts["stored"]) == (True, 2)


def test_a_photograph_that_was_moved_to_the_right_camera_is_withdrawn_from_the_wrong_one(
    admin_store: ObjectStore,
    upload: Upload,
    prediction_of: PredictionOf,
    reconcile: Reconcile,
    results: ResultConsumer,
    settings: Settings,
    station: str,
) -> None:
    wrong, right, deleted_key = (f"{station}/{name}/IMG_0001.JPG" for name in ("wrong", "right", "kept"))
    etag = upload(wrong, fresh_photograph())
    deleted_etag = upload(deleted_key, fresh_photograph())
    prediction_of(wrong, etag)
    prediction_of(deleted_key, deleted_etag)
    admin_store.client.copy_object(
        Bucket=settings.bucket, Key=right, CopySource={"Bucket": settings.bucket, "Key": wrong}
    )
    for key in (wrong, deleted_key):
        admin_store.client.delete_object(Bucket=settings.bucket, Key=key)
    assert prediction_of(right, etag).prediction is not None

    def withdrawn() -> bool:
        # The supervised reconcile part may have been first.
        reconcile("--prefix", station)
        rejection = results.predictions(wrong)[-1].rejection
        return rejection is not None and rejection.reason == "object-moved"

    results.wait_for(withdrawn, 60, "the withdrawal of the wrong camera's upload")
    assert right in str(results.predictions(wrong)[-1].rejection)
    assert results.predictions(deleted_key)[-1].prediction is not None
    results.wait_for(
        lambda: not current_bursts(results, f"{station}/wrong"), 40, "the wrong camera's burst to be withdrawn"
    )
    assert current_bursts(results, f"{station}/right")
    assert current_bursts(results, f"{station}/kept")
    assert [line["key"] for line in reconcile("--prefix", station)[:-1]] == [deleted_key]
    reconcile("--prefix", station, "--accept-vanished")
    assert reconcile("--prefix", station)[-1]["zero"]


def test_a_folder_that_is_renamed_in_the_store_withdraws_its_photographs_from_the_old_camera(
    stack: Stack, upload: Upload, prediction_of: PredictionOf, results: ResultConsumer, settings: Settings, station: str
) -> None:
    names = ["DCIM/a.jpg", "DCIM/100/b.jpg"]
    etags = {name: upload(f"{station}/wrong/{name}", fresh_photograph()) for name in names}
    for name, etag in etags.items():
        prediction_of(f"{station}/wrong/{name}", etag)
    identity = stack.require_identity()
    addresses = {
        part: f"127.0.0.1:{identity.ports[part]}.{identity.ports[f'{part}_grpc']}" for part in ("master", "filer")
    }
    folder = f"/buckets/{settings.bucket}/{station}"
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "weed"),
            "shell",
            f"-master={addresses['master']}",
            f"-filer={addresses['filer']}",
        ],
        input=f"fs.mkdir {folder}/right\nfs.mv {folder}/wrong/DCIM {folder}/right/DCIM\nexit\n",
        cwd=stack.folder / "run",
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr

    for name, etag in etags.items():
        assert prediction_of(f"{station}/right/{name}", etag).prediction is not None

        def moved(name: str = name) -> bool:
            rejection = results.predictions(f"{station}/wrong/{name}")[-1].rejection
            return rejection is not None and rejection.reason == "object-moved"

        results.wait_for(moved, 40, f"the withdrawal of {name}")
    results.wait_for(
        lambda: not current_bursts(results, f"{station}/wrong"), 40, "the old camera's burst to be withdrawn"
    )
    assert current_bursts(results, f"{station}/right")


def test_thumbnails_show_the_content_that_was_predicted(
    admin_store: ObjectStore, upload: Upload, prediction_of: PredictionOf, settings: Settings, station: str
) -> None:
    load, contents = thumbnails_from_store(settings, lambda image_id: None), [photograph(730), photograph(731)]
    current, lost, deleted = (f"{station}/cam/{name}.jpg" for name in ("kept", "lost", "gone"))
    assessed: dict[str, AssessedContent] = {}
    for key in (current, lost, deleted):
        assessed[key] = AssessedContent.of_prediction(prediction_of(key, upload(key, contents[0])))
        if key != deleted:
            upload(key, contents[1])
    for key in (lost, deleted):
        version_id = assessed[key].version_id
        assert version_id is not None
        admin_store.client.delete_object(Bucket=settings.bucket, Key=key, VersionId=version_id)

    assert load(assessed[current]).url == thumbnail_url(contents[0])
    without_version = dataclasses.replace(assessed[current], version_id=None)
    assert load(without_version).url == thumbnail_url(contents[0])
    assert (load(assessed[lost]).url, load(assessed[lost]).missing) == (None, REPLACED)
    assert (load(assessed[deleted]).url, load(assessed[deleted]).missing) == (None, GONE)


def test_a_report_shows_only_the_predicted_content_and_starts_no_program_for_a_rejected_file(
    upload: Upload,
    prediction_of: PredictionOf,
    results: ResultConsumer,
    wait_for: Any,
    uncia: Any,
    station: str,
    tmp_path: Path,
) -> None:
    pixels = np.zeros((600, 800, 3), np.uint8)
    pixels[:, :400] = (250, 120, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    key, second = f"{station}/cam/photo.jpg", buffer.getvalue()
    prediction_of(key, upload(key, photograph(740)))
    image = prediction_of(key, upload(key, second)).image_id
    wait_for(
        lambda: [burst for burst in results.bursts(f"{station}/cam") if image in (f.image_id for f in burst.frames)],
        45,
        "a burst with the second photograph",
    )
    postscript = f"{station}/cam/postscript.jpg"
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n%%EOF\n"
    prediction_of(postscript, upload(postscript, eps))

    marker = tmp_path / "started"
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    ghostscript.chmod(0o700)
    page = tmp_path / "page.html"
    # Without a station, the page shows the first bursts of all tests.
    done = uncia("report", "-o", str(page), "--station", station, PATH=f"{ghostscript.parent}:{os.environ['PATH']}")

    assert done.returncode == 0, done.stderr
    html = page.read_text()
    assert not marker.exists()
    thumbnail = thumbnail_url(second)
    assert thumbnail is not None
    assert html.count(thumbnail) == 1
    assert "image-not-jpeg" in html


COMMANDS = {
    "report": ("report", "-o", "{folder}/page.html"),
    "watch": ("watch", "--until-end"),
    "watch as JSON": ("watch", "--until-end", "--json"),
    "clocks": ("clocks",),
    "bursts": ("bursts", "list"),
    "dead letters": ("dead-letters", "list"),
    "deployments": ("deployments", "list"),
    "reconcile": ("reconcile", "--prefix", "nothing-is-called-so"),
    "topics": ("topics", "list"),
    "replays": ("replay", "list"),
}


@pytest.fixture(scope="module")
def invalid_messages(settings: Settings) -> Settings:
    """A namespace with invalid messages on every topic."""
    isolated = settings.model_copy(update={"namespace": f"replay-litter-{uuid.uuid4().hex[:8]}", "partitions": 1})
    create_topics(isolated)
    producer = connect_producer(isolated, acks="all")
    junk = [
        b"junk",
        b"\xff\x00",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'{"event":7}',
        b'{"event":"[/x]"}',
        b"[" * 50_000,
        b'{"a":1e999}',
    ]
    for topic in TOPICS:
        name = topic.full_name(isolated)
        bodies = [*junk, b'{"event":"%s"}' % topic.name.encode(), b'{"event":"%s","size":"x"}' % topic.name.encode()]
        for body in bodies:
            producer.send(name, body, b"\xff[/x]\x1b", [("h", b"\xff"), ("__connect.errors.offset", b"x")])
        producer.send(name, None, b"s/c")
    producer.flush()
    producer.close()
    return isolated


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_invalid_messages_fail_no_command(
    uncia: Any, invalid_messages: Settings, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = uncia(*(word.format(folder=tmp_path) for word in command), UNCIA_NAMESPACE=invalid_messages.namespace)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
