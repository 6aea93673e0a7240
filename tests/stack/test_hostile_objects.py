"""Hostile objects and messages: each is rejected or dead-lettered with a reason, and good photographs are predicted."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stack.conftest import Send
from tests.stack.photographs import photograph
from tests.stack.result_consumer import RefusedMessage, ResultConsumer
from tests.waiting import SCALE
from uncia.events import BurstResolved, ImagePredicted, ImageUploaded
from uncia.ids import upload_id
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CLOCK_JUDGED,
    CLOCK_TICKED,
    DEAD_LETTER,
    DEPLOYMENT_CHANGED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    STORAGE_CHANGED,
    TOPICS,
)

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]


def assert_predicted(upload: Upload, predicted: Predicted, station: str, seed: int) -> None:
    """Upload a good photograph, which must be predicted within the usual time."""
    key = f"{station}/good/{seed}.jpg"
    upload(key, photograph(seed))
    assert predicted(key, limit_s=60).prediction is not None


def notification(bucket: str, key: str, etag: str, event_time: str) -> bytes:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": event_time,
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1000, "eTag": etag}},
    }
    return json.dumps({"Records": [record]}).encode()


def reconcile_counts(stack: Stack, settings: Settings, prefix: str) -> dict[str, Any]:
    """Run `uncia reconcile` and return its counts."""
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "reconcile", "--json", "--prefix", prefix],
        env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=SCALE * 120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("a\0b.jpg", "control characters", id="NUL"),
        pytest.param("a\nb.jpg", "control characters", id="newline"),
        pytest.param("\x1b[2J.jpg", "control characters", id="escape sequence"),
        pytest.param("/".join(["\x01" * 240] * 4), "control characters", id="960 control characters"),
        pytest.param("a\x85b.jpg", "control characters", id="C1"),
        pytest.param("a/../../b.jpg", "resolve", id="dots"),
    ],
)
def test_a_key_with_unusable_characters_is_dead_lettered_and_reconcile_reports_zero(
    name: str, words: str, upload: Upload, predicted: Predicted, dead_letter: Callable[..., RefusedMessage],
    results: ResultConsumer, stack: Stack, settings: Settings, station: str,
) -> None:  # fmt: skip
    key = f"{station}/cam/{name}"
    try:
        upload(key, photograph(700))
    except ClientError:
        # The store itself refuses the key.
        assert_predicted(upload, predicted, station, 701)
        return
    assert_predicted(upload, predicted, station, 702)
    if name == "a/../../b.jpg":
        # Some stores resolve the key and announce the object under the resolved one.
        def has_result() -> bool:
            letters = results.dead_letters(lambda letter: station.encode() in (letter.value or b""))
            return bool(letters or results.predictions(f"{station}/b.jpg"))

        results.wait_for(has_result, 60, "a result")
    else:
        letter = dead_letter(lambda letter: station.encode() in (letter.value or b""))
        assert letter.cause.reason == "key-unusable"
        assert words in letter.cause.message
    results.wait_for(lambda: reconcile_counts(stack, settings, station)["zero"], 60, "reconcile says zero")


def test_many_keys_with_control_characters_crash_no_worker(
    upload: Upload, predicted: Predicted, results: ResultConsumer, stack: Stack, station: str
) -> None:
    restarts = {part.name: part.pid for part in stack.status()}
    data = photograph(703)
    for number in range(60):
        levels = "/".join([chr(1 + number % 8) * 230] * 4)
        upload(f"{station}/cam/{levels}-{number}.jpg", data)
    assert_predicted(upload, predicted, station, 704)
    results.wait_for(
        lambda: len(results.dead_letters(lambda letter: station.encode() in (letter.value or b""))) >= 60, 90, "letters"
    )
    assert {part.name: part.pid for part in stack.status()} == restarts


@pytest.mark.parametrize(
    "event_time",
    ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z"],
)
def test_an_impossible_event_time_is_replaced_and_the_stream_continues(
    event_time: str, upload: Upload, predicted: Predicted, settings: Settings, send: Send, station: str
) -> None:
    key = f"{station}/cam/odd-time.jpg"
    send(STORAGE_CHANGED.full_name(settings), notification(settings.bucket, key, "0" * 32, event_time))
    assert_predicted(upload, predicted, station, 705)
    assert predicted(key).uploaded_at.year < 2200


def test_an_upload_in_an_unknown_bucket_is_rejected_and_the_next_is_predicted(
    upload: Upload, predicted: Predicted, settings: Settings, send: Send, station: str
) -> None:
    now, key = datetime.now(UTC), f"{station}/cam/stray.jpg"
    send(STORAGE_CHANGED.full_name(settings), notification("no-such-bucket", key, "0" * 32, now.isoformat()))
    stray = ImageUploaded(
        upload_id=upload_id("no-such-bucket", key, "0"), station=station, camera=f"{station}/cam",
        bucket="no-such-bucket", key=key, etag="0", size=1, uploaded_at=now, announced_at=now,
    )  # fmt: skip
    send(IMAGE_UPLOADED.full_name(settings), stray.to_bytes(), stray.camera.encode())
    assert_predicted(upload, predicted, station, 706)
    image = predicted(key, limit_s=60)
    assert image.rejection is not None
    assert image.rejection.reason in ("bucket-unknown", "object-missing", "object-unreadable")


def test_an_object_whose_data_the_store_has_lost_is_rejected_and_the_next_is_predicted(
    upload: Upload, predicted: Predicted, stack: Stack, station: str
) -> None:
    if not isinstance(stack, Stack):
        pytest.skip("the containers' volume server is not reached from here")
    assert_predicted(upload, predicted, station, 707)
    key = f"{station}/cam/lost.jpg"
    # While predict is frozen, the object is stored and loses its data.
    stack.kill("predict", signal.SIGSTOP)
    try:
        upload(key, photograph(708))
        corrupt_object(stack, photograph(708))
    finally:
        stack.kill("predict", signal.SIGCONT)
    assert_predicted(upload, predicted, station, 709)
    image = predicted(key, limit_s=90)
    assert image.rejection is not None
    assert image.rejection.reason == "object-unreadable"


def corrupt_object(stack: Stack, data: bytes) -> None:
    """Overwrite an object's bytes in the store's volume, as a bad disk does: its checksum is wrong from then on."""
    for volume in sorted((stack.folder / "data" / "seaweedfs").rglob("*.dat")):
        offset = volume.read_bytes().find(data[:4096])
        if offset >= 0:
            with volume.open("r+b") as file:
                file.seek(offset + 100)
                file.write(bytes(1000))
            return
    raise AssertionError("no volume holds the object")


def status_of(stack: Stack) -> dict[str, Any]:
    """The output of `uncia status --json`; its exit status must match it."""
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "status", "--json"],
        env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=SCALE * 120, check=False,
    )  # fmt: skip
    status: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (not all(part["ready"] and not part["restarts"] for part in status["parts"]))
    return status


JUNK = [
    b"",
    None,
    b"\x00\xff\xfe" * 100,
    b"[" * 100_000,
    b'{"event":' + b"9" * 100_000 + b"}",
    b'{"event":NaN}',
    '{"event":"\u202e[/x]\x1b[2J"}'.encode(),
]


def test_invalid_messages_on_every_topic_stop_no_worker(
    upload: Upload, predicted: Predicted, settled: Callable[..., list[BurstResolved]], results: ResultConsumer,
    settings: Settings, send: Send, stack: Stack, station: str,
) -> None:  # fmt: skip
    before = {part.name: part.pid for part in stack.status()}
    future = "9999-12-31T23:59:59Z"
    for number, topic in enumerate(TOPICS):
        name = topic.full_name(settings)
        keys = (None, b"\xff\x00", b"k" * 5000, b"[/x]|\x1b", uuid.uuid4().bytes, b"", b"0:0")
        # The catalogue stops where half of its last messages cannot be read. So there are readable ones between them,
        # the ends of bursts that nobody knows, and four kinds of the others on each topic.
        for _ in range(8):
            send(BURST_RESOLVED.full_name(settings), None, f"bst-{uuid.uuid4().hex[:24]}".encode())
        kinds = [(number + step) % len(JUNK) for step in range(4)]
        for key, value in ((keys[kind], JUNK[kind]) for kind in kinds):
            # A compacted topic accepts no message without a key.
            send(name, value, key if key is not None or not topic.compacted else b"k", h=b"\xff" * 3000, none=b"")
        if topic.event is not None:
            body = {"event": topic.event.topic, "camera": "[/x]/\x1b", "captured_at": future}
            send(name, json.dumps(body).encode(), b"k")
    now = datetime.now(UTC)
    for tick_time, position in ((future, 0), (now.isoformat(), 2**60), ((now + timedelta(days=9)).isoformat(), 0)):
        tick = {"event": CLOCK_TICKED.name, "partition": 0, "now": tick_time, "position": position}
        send(CLOCK_TICKED.full_name(settings), json.dumps(tick).encode(), b"k")
    assert {DEAD_LETTER, BURST_RESOLVED, IMAGE_PREDICTED, CLOCK_JUDGED, DEPLOYMENT_CHANGED} <= set(TOPICS)

    for number in range(4):  # cameras of all partitions
        assert_predicted(upload, predicted, f"{station}-{number}", 710 + number)
        (burst,) = settled(f"{station}-{number}/good")
        assert burst.frame_count == 1
    after = {part.name: part.pid for part in stack.status()}
    assert after == before
    status = status_of(stack)
    assert status["stream"]["problem"] is None
    assert all(part["ready"] for part in status["parts"])
    for command in (["watch", "--until-end"], ["bursts", "list"], ["clocks"], ["dead-letters", "list"]):
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *command],
            env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=SCALE * 120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)


def test_a_key_with_markup_and_bidi_overrides_is_predicted_and_shown_literally(
    upload: Upload, predicted: Predicted, settled: Callable[..., list[BurstResolved]], stack: Stack, station: str
) -> None:
    # Its levels are `<station>[`, `x]`, `[red]...`: as markup, a closing tag without an opening one.
    camera = f"{station}[/x]"
    key = f"{station}[/x\u202e]/[red][/x]a.jpg"
    upload(key, photograph(720))
    assert predicted(key).prediction is not None
    # Names are compared and shown without invisible characters.
    settled(camera)
    for command in (["watch", "--until-end"], ["bursts", "list", "--camera", camera]):
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *command],
            env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=SCALE * 120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert camera in done.stdout
        assert "\u202e" not in done.stdout
