"""One verdict, always of that photograph: objects that change, come back, move away; versions of objects; pages."""

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
from kafka import KafkaProducer
from PIL import Image

from tests.stack.conftest import KIND
from tests.stack.photographs import fresh_photograph, photograph
from tests.stack.witness import Witness
from uncia import ids
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import GONE, REPLACED, thumbnail_url, thumbnails_from_store
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics
from uncia.producers.reconcile.notifications import notification_of, path_of
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectStore, StoredObject
from uncia.topics import STORAGE_CHANGED, TOPICS

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
Settled = Callable[..., list[BurstResolved]]
Reconcile = Callable[..., list[dict[str, Any]]]
AnswerTo = Callable[[str, str], ImagePredicted]

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


def current_bursts(witness: Witness, camera: str) -> list[BurstResolved]:
    """A camera's bursts that are in use."""
    return [burst for burst in witness.bursts(camera) if burst.status is not BurstStatus.SUPERSEDED]


@pytest.fixture
def answer_to(witness: Witness, settings: Settings) -> AnswerTo:
    """The newest answer to one content under one key; waits for the first."""

    def wait(key: str, etag: str) -> ImagePredicted:
        upload_id = ids.upload_id(settings.bucket, key, etag)

        def found() -> list[ImagePredicted]:
            return [answer for answer in witness.predictions(key) if answer.upload_id == upload_id]

        return witness.wait_for(found, 40, f"an answer to {key} with ETag {etag}")[-1]

    return wait


@pytest.fixture
def announce(settings: Settings) -> Iterator[Callable[[str, str, int], None]]:
    """Announce a content under a key, whatever is there by now: a notification that was under way for long."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka.split(","), acks="all")

    def send(key: str, etag: str, size: int) -> None:
        stored = StoredObject(key, etag, size, datetime.now(UTC) - timedelta(minutes=1))
        message = notification_of(settings.bucket, stored)
        producer.send(STORAGE_CHANGED.full_name(settings), message, path_of(settings.bucket, key)).get(30)

    yield send
    producer.close()


@pytest.fixture
def versioned(store: ObjectStore, settings: Settings) -> Iterator[ObjectStore]:
    """The upload bucket keeps versions for as long as the test runs."""

    def switch(status: str) -> None:
        store.client.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration={"Status": status})

    switch("Enabled")
    yield store
    switch("Suspended")


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


def test_an_announced_content_that_was_overwritten_is_answered_with_nothing_of_its_successor(
    upload: Upload, announce: Any, answer_to: AnswerTo, reconcile: Reconcile, witness: Witness, station: str
) -> None:
    key, first, second = f"{station}/cam/IMG_0001.JPG", photograph(700), photograph(701, size=(1280, 960))
    now = upload(key, second)
    before = hashlib.md5(first, usedforsecurity=False).hexdigest()
    announce(key, before, len(first))

    old, new = answer_to(key, before), answer_to(key, now)
    assert old.rejection is not None
    assert old.rejection.reason == "object-changed"
    assert (old.etag, old.size, old.sha256, old.prediction) == (before, len(first), None, None)
    assert old.image_id != new.image_id
    assert (old.capture.width, old.capture.time_source) == (None, "upload")
    assert now not in old.rejection.message
    assert (new.sha256, new.size, new.capture.width) == (ids.content_hash(second), len(second), 1280)
    assert reconcile("--prefix", station)[-1]["zero"]


def test_an_overwritten_photograph_whose_notification_was_lost_is_answered_by_what_stands_there(
    upload: Upload, announce: Any, answer_to: AnswerTo, reconcile: Reconcile, station: str
) -> None:
    key = f"{station}/cam/IMG_0001.JPG"
    etags = [upload(key, photograph(seed)) for seed in (702, 703, 702)]
    assert etags[0] == etags[2]
    for etag in etags:
        answer_to(key, etag)
    deadline = time.monotonic() + 60
    while not (last := reconcile("--prefix", station)[-1])["zero"]:
        assert time.monotonic() < deadline, last
    assert answer_to(key, etags[2]).sha256 == ids.content_hash(photograph(702))


@pytest.mark.parametrize("share", [0, 0.6], ids=["empty", "half"])
def test_a_photograph_that_was_stored_in_part_and_then_whole_is_one_readable_frame(
    upload: Upload, answer_to: AnswerTo, settled: Settled, witness: Witness, station: str, share: float
) -> None:
    key, whole = f"{station}/cam/IMG_0001.JPG", photograph(704)
    part = upload(key, whole[: int(share * len(whole))])
    assert answer_to(key, part).rejection is not None
    etag = upload(key, whole)
    answer_to(key, etag)

    def assessed() -> list[BurstResolved]:
        return [burst for burst in settled(f"{station}/cam") if burst.verdict is not None]

    (burst,) = witness.wait_for(assessed, 45, "the burst of the whole photograph")
    assert (len(burst.frames), burst.unreadable) == (1, 0)
    assert burst.frames[0].upload_id == ids.upload_id(burst.frames[0].bucket, key, etag)


def test_each_version_is_answered_under_its_own_key_and_deletions_are_no_photographs(
    versioned: ObjectStore,
    answer_to: AnswerTo,
    predicted: Predicted,
    reconcile: Reconcile,
    witness: Witness,
    settings: Settings,
    station: str,
) -> None:
    key, marker = f"{station}/cam/2026/05/14/20260514T213600000-0f1e2d3c4b5a6978.JPG", f"{station}/cam/marker.jpg"
    client, contents, versions = versioned.client, [photograph(710, time=None), photograph(711, time=None)], []
    for data in contents:
        put = client.put_object(Bucket=settings.bucket, Key=key, Body=data)
        versions.append((put["ETag"].strip('"'), put["VersionId"]))
    answers = [answer_to(key, etag) for etag, _ in versions]
    for answer, data, (etag, version_id) in zip(answers, contents, versions, strict=True):
        assert (answer.camera, answer.version_id, answer.etag) == (f"{station}/cam", version_id, etag)
        assert answer.sha256 == ids.content_hash(data)
        assert (answer.capture.time, answer.capture.time_source) == (datetime(2026, 5, 14, 21, 36), "key")

    client.delete_object(Bucket=settings.bucket, Key=key)
    client.delete_object(Bucket=settings.bucket, Key=key, VersionId=versions[0][1])
    client.put_object(Bucket=settings.bucket, Key=marker, Body=photograph(712))
    predicted(marker)
    assert len({answer.upload_id for answer in witness.predictions(key)}) == 2
    assert witness.refused(lambda letter: station.encode() in (letter.key or b"")) == []
    before = len(witness.predictions(key))
    counts = reconcile("--prefix", station)[-1]
    assert (counts["zero"], counts["stored"]) == (True, 1)
    assert len(witness.predictions(key)) == before


def test_a_version_that_was_announced_late_is_read_though_a_newer_one_stands_there(
    versioned: ObjectStore, announce: Any, answer_to: AnswerTo, settings: Settings, station: str
) -> None:
    key, old, new = f"{station}/cam/a.jpg", photograph(713), photograph(714)
    put = versioned.client.put_object(Bucket=settings.bucket, Key=key, Body=old)
    versioned.client.put_object(Bucket=settings.bucket, Key=key, Body=new)
    etag = put["ETag"].strip('"')
    read = versioned.read(settings.bucket, key, max_bytes=1 << 20, etag=etag, version_id=put["VersionId"])
    assert read.data == old
    with pytest.raises(ObjectChanged):
        versioned.read(settings.bucket, key, max_bytes=1 << 20, etag=etag)
    assert answer_to(key, etag).sha256 == ids.content_hash(old)


def test_a_large_version_and_one_stored_while_versioning_was_suspended_have_the_ids_of_the_listing(
    versioned: ObjectStore, answer_to: AnswerTo, reconcile: Reconcile, settings: Settings, station: str
) -> None:
    large, plain = f"{station}/cam/large.jpg", f"{station}/cam/plain.jpg"
    parts = TransferConfig(multipart_threshold=5 * 1_048_576, multipart_chunksize=5 * 1_048_576)
    data = photograph(715) + bytes(6 * 1_048_576)
    versioned.client.upload_fileobj(io.BytesIO(data), settings.bucket, large, Config=parts)
    etag = versioned.etag(settings.bucket, large)
    assert etag.endswith("-2")
    assert answer_to(large, etag).version_id not in (None, "null")

    versioned.client.put_object(Bucket=settings.bucket, Key=plain, Body=photograph(716))
    versioned.client.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration={"Status": "Suspended"})
    for seed in (717, 718):
        put = versioned.client.put_object(Bucket=settings.bucket, Key=plain, Body=photograph(seed))
    answer = answer_to(plain, put["ETag"].strip('"'))
    assert (answer.version_id, answer.sha256) == ("null", ids.content_hash(photograph(718)))
    counts = reconcile("--prefix", station)[-1]
    assert (counts["zero"], counts["stored"]) == (True, 2)


def test_a_photograph_that_was_moved_to_the_right_camera_is_withdrawn_from_the_wrong_one(
    store: ObjectStore,
    upload: Upload,
    answer_to: AnswerTo,
    reconcile: Reconcile,
    witness: Witness,
    settings: Settings,
    station: str,
) -> None:
    wrong, right, kept = (f"{station}/{name}/IMG_0001.JPG" for name in ("wrong", "right", "kept"))
    etag = upload(wrong, fresh_photograph())
    deleted = upload(kept, fresh_photograph())
    answer_to(wrong, etag)
    answer_to(kept, deleted)
    store.client.copy_object(Bucket=settings.bucket, Key=right, CopySource={"Bucket": settings.bucket, "Key": wrong})
    for key in (wrong, kept):
        store.client.delete_object(Bucket=settings.bucket, Key=key)
    assert answer_to(right, etag).prediction is not None

    def withdrawn() -> bool:
        # The part that runs for ever may have been first.
        reconcile("--prefix", station)
        rejection = witness.predictions(wrong)[-1].rejection
        return rejection is not None and rejection.reason == "object-moved"

    witness.wait_for(withdrawn, 60, "the withdrawal of the wrong camera's upload")
    assert right in str(witness.predictions(wrong)[-1].rejection)
    assert witness.predictions(kept)[-1].prediction is not None
    witness.wait_for(
        lambda: not current_bursts(witness, f"{station}/wrong"), 40, "the wrong camera's burst to be withdrawn"
    )
    assert current_bursts(witness, f"{station}/right")
    assert current_bursts(witness, f"{station}/kept")
    assert reconcile("--prefix", station)[-1]["zero"]


def test_a_folder_that_is_renamed_in_the_store_withdraws_its_photographs_from_the_old_camera(
    stack: Stack, upload: Upload, answer_to: AnswerTo, witness: Witness, settings: Settings, station: str
) -> None:
    names = ["DCIM/a.jpg", "DCIM/100/b.jpg"]
    etags = {name: upload(f"{station}/wrong/{name}", fresh_photograph()) for name in names}
    for name, etag in etags.items():
        answer_to(f"{station}/wrong/{name}", etag)
    identity = stack.require_identity()
    at = {part: f"127.0.0.1:{identity.ports[part]}.{identity.ports[f'{part}_grpc']}" for part in ("master", "filer")}
    folder = f"/buckets/{settings.bucket}/{station}"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "weed"), "shell", f"-master={at['master']}", f"-filer={at['filer']}"],
        input=f"fs.mkdir {folder}/right\nfs.mv {folder}/wrong/DCIM {folder}/right/DCIM\nexit\n",
        cwd=stack.folder / "run",
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr

    for name, etag in etags.items():
        assert answer_to(f"{station}/right/{name}", etag).prediction is not None

        def moved(name: str = name) -> bool:
            rejection = witness.predictions(f"{station}/wrong/{name}")[-1].rejection
            return rejection is not None and rejection.reason == "object-moved"

        witness.wait_for(moved, 40, f"the withdrawal of {name}")
    witness.wait_for(
        lambda: not current_bursts(witness, f"{station}/wrong"), 40, "the old camera's burst to be withdrawn"
    )
    assert current_bursts(witness, f"{station}/right")


def test_thumbnails_show_the_content_that_was_predicted(
    versioned: ObjectStore, upload: Upload, answer_to: AnswerTo, settings: Settings, station: str
) -> None:
    load, contents = thumbnails_from_store(settings), [photograph(730), photograph(731)]
    kept, lost, gone = (f"{station}/cam/{name}.jpg" for name in ("kept", "lost", "gone"))
    assessed: dict[str, AssessedContent] = {}
    for key in (kept, lost, gone):
        assessed[key] = AssessedContent.of_prediction(answer_to(key, upload(key, contents[0])))
        if key != gone:
            upload(key, contents[1])
    for key in (lost, gone):
        version_id = assessed[key].version_id
        assert version_id is not None
        versioned.client.delete_object(Bucket=settings.bucket, Key=key, VersionId=version_id)

    assert load(assessed[kept]).url == thumbnail_url(contents[0])
    without_version = dataclasses.replace(assessed[kept], version_id=None)
    assert load(without_version).url == thumbnail_url(contents[0])
    assert (load(assessed[lost]).url, load(assessed[lost]).missing) == (None, REPLACED)
    assert (load(assessed[gone]).url, load(assessed[gone]).missing) == (None, GONE)


def test_a_report_shows_no_other_picture_and_starts_no_program_for_a_rejected_file(
    upload: Upload, answer_to: AnswerTo, settled: Settled, uncia: Any, station: str, tmp_path: Path
) -> None:
    shade = np.zeros((600, 800, 3), np.uint8)
    shade[:, :400] = (250, 120, 0)
    out = io.BytesIO()
    Image.fromarray(shade).save(out, "JPEG")
    key, second = f"{station}/cam/photo.jpg", out.getvalue()
    answer_to(key, upload(key, photograph(740)))
    answer_to(key, upload(key, second))
    postscript = f"{station}/cam/postscript.jpg"
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n%%EOF\n"
    answer_to(postscript, upload(postscript, eps))

    started = tmp_path / "started"
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch '{started}'\n")
    ghostscript.chmod(0o700)
    page = tmp_path / "page.html"
    done = uncia("report", "-o", str(page), PATH=f"{ghostscript.parent}:{os.environ['PATH']}")

    assert done.returncode == 0, done.stderr
    html = page.read_text()
    assert not started.exists()
    picture = thumbnail_url(second)
    assert picture is not None
    assert html.count(picture) == 1
    assert "image-not-jpeg" in html


READERS = {
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
def littered(settings: Settings) -> Settings:
    """A namespace whose every topic holds what is no event."""
    alone = settings.model_copy(update={"namespace": f"litter-{uuid.uuid4().hex[:8]}", "partitions": 1})
    create_topics(alone)
    producer = KafkaProducer(bootstrap_servers=settings.kafka.split(","), acks="all")
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
        name = topic.full_name(alone)
        bodies = [*junk, b'{"event":"%s"}' % topic.name.encode(), b'{"event":"%s","size":"x"}' % topic.name.encode()]
        for body in bodies:
            producer.send(name, body, b"\xff[/x]\x1b", [("h", b"\xff"), ("__connect.errors.offset", b"x")])
        producer.send(name, None, b"s/c")
    producer.flush()
    producer.close()
    return alone


@pytest.mark.parametrize("command", READERS.values(), ids=READERS.keys())
def test_one_message_that_is_no_event_ends_no_reader(
    uncia: Any, littered: Settings, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = uncia(*(word.format(folder=tmp_path) for word in command), UNCIA_NAMESPACE=littered.namespace)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
