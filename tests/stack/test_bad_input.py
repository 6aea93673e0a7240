"""Bad input of every kind gets a rejection or dead letter that names the reason, and affects nothing else."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from tests.stack.conftest import Send
from tests.stack.containers import ContainerStack
from tests.stack.photographs import bomb, iso_media, photograph, png, with_broken_exif
from tests.stack.result_consumer import RefusedMessage, ResultConsumer
from uncia.events import BurstResolved, CaptureTimeSource, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics, read_topics
from uncia.kafka.connection import connect_consumer, connect_producer
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, IMAGE_UPLOADED, STORAGE_CHANGED

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
Announce = Callable[[bytes], None]

MEMORY_MB = 500
"""A worker uses 160 to 200 MB once everything is loaded."""


@pytest.fixture
def announce(settings: Settings, send: Send) -> Announce:
    """Produce a message to the store's topic."""

    def put(value: bytes, topic: str = STORAGE_CHANGED.full_name(settings)) -> None:
        send(topic, value)

    return put


def s3_notification(settings: Settings, key: str, etag: str, **changes: Any) -> bytes:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": datetime.now(UTC).isoformat(),
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": settings.bucket}, "object": {"key": key, "size": 1000, "eTag": etag}},
    }
    return json.dumps({"Records": [record | changes]}).encode()


@pytest.mark.parametrize(
    ("data", "reason", "names"),
    [
        pytest.param(b"", "image-empty", "", id="empty"),
        pytest.param(photograph(1)[:9000], "image-truncated", "9,000", id="truncated"),
        pytest.param(b"not a photograph\n" * 100, "image-not-jpeg", "text", id="text"),
        pytest.param(png(), "image-not-jpeg", "PNG", id="PNG"),
        pytest.param(iso_media(b"heic"), "image-not-jpeg", "HEIC", id="HEIC"),
        pytest.param(iso_media(b"isom"), "video-not-analysed", "MP4", id="MP4"),
    ],
)
def test_a_file_that_is_not_a_photograph_is_rejected_with_a_reason_and_the_next_is_predicted(
    data: bytes, reason: str, names: str, upload: Upload, predicted: Predicted, station: str
) -> None:
    upload(f"{station}/cam/bad.jpg", data)
    upload(f"{station}/cam/good.jpg", photograph(2))

    image = predicted(f"{station}/cam/bad.jpg")
    assert image.prediction is None
    assert image.rejection is not None
    assert image.rejection.reason == reason
    assert names in image.rejection.message
    assert predicted(f"{station}/cam/good.jpg").prediction is not None


def test_a_decompression_bomb_is_rejected_without_using_much_memory(
    upload: Upload, predicted: Predicted, station: str, stack: Any
) -> None:
    upload(f"{station}/cam/bomb.jpg", bomb())

    image = predicted(f"{station}/cam/bomb.jpg")
    assert image.rejection is not None
    assert image.rejection.reason == "image-too-large"
    assert "20,000" in image.rejection.message
    if hasattr(stack, "kill"):  # the status of containers has no memory
        workers = [part for part in stack.status() if part.name in ("intake", "predict")]
        assert max(part.memory_mb for part in workers) < MEMORY_MB


@pytest.mark.parametrize(
    ("time", "warning"), [("1980:01:01 00:00:10", "never set"), ("2099:01:01 00:00:00", "after the upload")]
)
def test_an_implausible_exif_time_is_kept_with_a_warning(
    time: str, warning: str, upload: Upload, predicted: Predicted, station: str
) -> None:
    upload(f"{station}/cam/liar.jpg", photograph(3, time=time))

    image = predicted(f"{station}/cam/liar.jpg")
    assert image.prediction is not None
    assert image.capture.time == datetime.strptime(time, "%Y:%m:%d %H:%M:%S")
    assert warning in " ".join(image.capture.warnings)


@pytest.mark.parametrize("data", [photograph(4, time="soon"), with_broken_exif(5)], ids=["no time", "garbage"])
def test_broken_exif_loses_only_the_capture_time(
    data: bytes, upload: Upload, predicted: Predicted, station: str
) -> None:
    upload(f"{station}/cam/broken.jpg", data)

    image = predicted(f"{station}/cam/broken.jpg")
    assert image.prediction is not None
    assert image.capture.time_source is CaptureTimeSource.UPLOAD
    assert image.capture.warnings


def test_without_exif_the_capture_time_comes_from_the_gateways_key(
    upload: Upload, predicted: Predicted, station: str
) -> None:
    key = f"{station}/cam/2026/05/01/20260501T101112345-0123456789abcdef.jpg"
    upload(key, photograph(6, time=None))

    capture = predicted(key).capture
    assert capture.time == datetime(2026, 5, 1, 10, 11, 12, 345_000)
    assert capture.time_source is CaptureTimeSource.KEY
    assert capture.time_origin == "key"
    assert capture.warnings[0] == "no EXIF"
    assert "the object key's" in capture.warnings[1]


@pytest.mark.parametrize(
    "name", ["IMG 0019.jpg", "a+b.jpg", "100%.jpg", "a%20b%2Bc.jpg", "фото-豹-é.jpg", "#?&=;,'!().jpg"]
)
def test_keys_with_special_characters_are_predicted_under_the_same_key(
    name: str, upload: Upload, predicted: Predicted, station: str
) -> None:
    key = f"{station}/cam 1+é%/{name}"
    upload(key, photograph(7))

    image = predicted(key)
    assert image.prediction is not None
    assert image.camera == f"{station}/cam 1+é%"


def test_a_key_outside_the_pattern_is_a_dead_letter(
    upload: Upload, dead_letter: Callable[..., RefusedMessage], station: str
) -> None:
    upload(f"{station}-stray.jpg", photograph(8))

    letter = dead_letter(lambda letter: station.encode() in (letter.value or b""))
    assert letter.cause.reason == "key-outside-pattern"
    assert f"{station}-stray.jpg" in letter.cause.message


def test_an_object_that_does_not_exist_when_it_is_read_is_rejected(
    announce: Announce, predicted: Predicted, settings: Settings, station: str
) -> None:
    announce(s3_notification(settings, f"{station}/cam/gone.jpg", "0" * 32))

    image = predicted(f"{station}/cam/gone.jpg")
    assert image.rejection is not None
    assert image.rejection.reason == "object-missing"


def test_a_notification_of_an_unknown_version_is_a_dead_letter(
    announce: Announce, dead_letter: Callable[..., RefusedMessage], settings: Settings, station: str
) -> None:
    raw = s3_notification(settings, f"{station}/cam/x.jpg", "0" * 32, eventVersion="9.0")
    announce(raw)

    letter = dead_letter(lambda letter: letter.value == raw)
    assert letter.cause.reason == "notification-unknown-version"
    assert "9.0" in letter.cause.message


@pytest.mark.parametrize("shape", ['{{"Records": [{}', '{{"hello": "{}"}}', "\x12\x7f{}"])
def test_a_malformed_notification_is_a_dead_letter_with_its_bytes(
    shape: str, announce: Announce, dead_letter: Callable[..., RefusedMessage], station: str
) -> None:
    raw = shape.format(station).encode()
    announce(raw)

    assert dead_letter(lambda letter: letter.value == raw).cause.reason == "notification-malformed"


def test_a_notification_of_two_megabytes_is_a_dead_letter_with_all_its_bytes(
    announce: Announce, dead_letter: Callable[..., RefusedMessage], station: str
) -> None:
    raw = station.encode() + bytes(2 * 1_048_576)
    announce(raw)

    letter = dead_letter(lambda letter: letter.value is not None and letter.value.startswith(station.encode()))
    assert letter.cause.reason == "notification-too-large"
    assert letter.value == raw


def test_predict_dead_letters_a_message_that_is_not_an_upload(
    announce: Any, dead_letter: Callable[..., RefusedMessage], settings: Settings, station: str
) -> None:
    raw = json.dumps({"event": "camera.image.uploaded.v9", "station": station}).encode()
    announce(raw, IMAGE_UPLOADED.full_name(settings))

    letter = dead_letter(lambda letter: letter.value == raw)
    assert (letter.cause.reason, letter.cause.stage) == ("schema-unknown", "predict")


def test_the_same_notification_ten_times_gives_one_upload_and_one_frame(
    upload: Upload,
    announce: Announce,
    predicted: Predicted,
    settled: Callable[..., list[BurstResolved]],
    results: ResultConsumer,
    settings: Settings,
    station: str,
) -> None:
    key = f"{station}/cam/again.jpg"
    etag = upload(key, photograph(9))
    for _ in range(10):
        announce(s3_notification(settings, key, etag))

    predicted(key)
    (burst,) = settled(f"{station}/cam")
    assert len(burst.frames) == 1
    assert len({image.upload_id for image in results.predictions(key)}) == 1


def test_good_and_bad_photographs_together_all_get_a_result(
    upload: Upload, announce: Announce, predicted: Predicted, settings: Settings, station: str
) -> None:
    for number in range(8):
        upload(f"{station}/cam/good-{number}.jpg", photograph(20 + number))
        upload(f"{station}/cam/bad-{number}.jpg", photograph(40 + number)[: 2000 + number])
        announce(b"garbage" + bytes([number]))
        announce(s3_notification(settings, f"{station}/cam/gone-{number}.jpg", "0" * 32))

    for number in range(8):
        assert predicted(f"{station}/cam/good-{number}.jpg").prediction is not None
        for kind in ("bad", "gone"):
            assert predicted(f"{station}/cam/{kind}-{number}.jpg").rejection is not None


def test_a_topic_full_of_invalid_messages_stops_the_worker_instead_of_filling_the_dead_letters(
    stack: Stack | ContainerStack, settings: Settings, tmp_path: Path
) -> None:
    isolated = settings.model_copy(update={"namespace": f"replay-garbage-{uuid.uuid4().hex[:8]}", "partitions": 1})
    create_topics(isolated)
    producer = connect_producer(isolated)
    for number in range(400):
        producer.send(STORAGE_CHANGED.full_name(isolated), value=b"garbage %d" % number)
    producer.flush()
    producer.close()

    worker = subprocess.run(
        [sys.executable, "-m", "uncia", "worker", "intake"],
        env={
            **os.environ,
            **stack.environment(),
            "UNCIA_STACK_DIR": str(tmp_path),
            "UNCIA_NAMESPACE": isolated.namespace,
            "UNCIA_PARTITIONS": "1",
            "UNCIA_DATA_DIR": str(tmp_path / "workers"),
        },
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert worker.returncode == 78
    assert "UNCIA_KEY_PATTERN" in worker.stderr
    dead_letters = sum(1 for _ in read_topics(isolated, (DEAD_LETTER,), from_beginning=True, until_end=True))
    assert 0 < dead_letters < 100
    reader = connect_consumer(isolated, group_id=f"{isolated.namespace}.uncia-intake")
    try:
        committed = reader.committed(TopicPartition(STORAGE_CHANGED.full_name(isolated), 0)) or 0
    finally:
        reader.close()
    assert committed <= dead_letters
