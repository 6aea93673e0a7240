"""The gateway as a process against the real store."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stack.containers import ContainerStack
from uncia.infra.local.stack import Stack
from uncia.producers.gateway.uploader import PART_BYTES, S3Destination, Upload
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

UNCIA = str(Path(sys.executable).with_name("uncia"))


class Hand:
    """Starts gateways for one station, all with one spool."""

    def __init__(self, environment: dict[str, str], station: str, folder: Path) -> None:
        self.environment = {**os.environ, **environment}
        self.station = station
        self.card = folder / "a card"
        self.spool = folder / "spool.sqlite"

    def command(self, verb: str, *options: str) -> list[str]:
        place = ("--station", self.station, "--spool", str(self.spool), "--json")
        return [UNCIA, "gateway", verb, str(self.card), *place, *options]

    def run(self, verb: str, *options: str, status: int = 0, **changed: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            self.command(verb, *options),
            env={**self.environment, **changed},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == status, done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]

    def fill(self, count: int, size: int = 50_000) -> dict[str, bytes]:
        made = {}
        for number in range(count):
            data = random.Random(f"{self.station}{number}").randbytes(size)
            path = self.card / "cam 1+ü%" / f"IMG {number:04d}.JPG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            made[str(path)] = data
        return made


@pytest.fixture
def hand(stack: Stack | ContainerStack, station: str, tmp_path: Path) -> Hand:
    return Hand(stack.environment(), station, tmp_path)


def stored(store: ObjectStore, settings: Settings, station: str) -> dict[str, bytes]:
    listed = store.list(settings.bucket, f"{station}/")
    return {entry.key: store.get(settings.bucket, entry.key, max_bytes=1 << 30) for entry in listed}


def test_a_card_ends_in_the_store_byte_for_byte(hand: Hand, store: ObjectStore, settings: Settings) -> None:
    made = hand.fill(12)
    lines = hand.run("card", "--remove-after-upload")
    assert sorted(stored(store, settings, hand.station).values()) == sorted(made.values())
    assert lines[-1] | {"uploaded": 12, "removed": 12, "complete": True} == lines[-1]
    assert not list(hand.card.rglob("*.JPG"))


def test_a_gateway_that_is_killed_goes_on_where_it_was(hand: Hand, store: ObjectStore, settings: Settings) -> None:
    made = hand.fill(60)
    for _ in range(3):
        child = subprocess.Popen(
            hand.command("watch", "--copy"), env=hand.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert child.stdout
        for _ in range(5):
            child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
    hand.run("watch", "--once")
    assert sorted(stored(store, settings, hand.station).values()) == sorted(made.values())


def test_wrong_credentials_delay_and_lose_nothing(hand: Hand, store: ObjectStore, settings: Settings) -> None:
    hand.fill(3)
    lines = hand.run("card", "--give-up-after", "2", status=1, UNCIA_S3_SECRET_KEY="wrong")
    assert "UNCIA_S3_SECRET_KEY" in next(line for line in lines if line["event"] == "waiting")["error"]
    assert lines[-1]["remaining"] == 3
    assert hand.run("card")[-1]["uploaded"] == 3


def test_on_ctrl_c_it_exits_promptly_and_reports_what_remains(hand: Hand) -> None:
    hand.fill(3)
    silent = {"UNCIA_S3_ENDPOINT": "http://127.0.0.1:9", "UNCIA_STACK_DIR": str(hand.card)}
    child = subprocess.Popen(
        hand.command("watch"), env={**hand.environment, **silent}, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    child.stdout.readline()
    signalled = time.monotonic()
    child.send_signal(signal.SIGINT)
    summary = json.loads(child.stdout.read().splitlines()[-1])
    assert child.wait(60) == 1
    child.stdout.close()
    assert (
        time.monotonic() - signalled < 20
    )  # about a second on an idle machine; a retry of its request would take longer
    assert summary["remaining"] == 3


def test_an_exact_copy_is_stored_once(hand: Hand, store: ObjectStore, settings: Settings) -> None:
    path, data = next(iter(hand.fill(1).items()))
    Path(path).with_name("COPY.JPG").write_bytes(data)
    lines = hand.run("card")
    assert (lines[-1]["uploaded"], lines[-1]["duplicates"]) == (1, 1)
    assert len(stored(store, settings, hand.station)) == 1


def test_a_large_file_goes_up_in_parts(hand: Hand, store: ObjectStore, settings: Settings) -> None:
    made = hand.fill(1, size=2 * PART_BYTES + 12345)
    assert hand.run("card", "--remove-after-upload")[-1]["removed"] == 1
    assert list(stored(store, settings, hand.station).values()) == list(made.values())


def test_a_large_upload_goes_on_after_its_last_whole_part(
    store: ObjectStore, settings: Settings, station: str, tmp_path: Path
) -> None:
    data = random.Random(station).randbytes(PART_BYTES + 1000)
    path = tmp_path / "large.JPG"
    path.write_bytes(data)
    key = f"{station}/north/large.jpg"
    sent: list[int] = []
    begun = store.client.create_multipart_upload(Bucket=settings.bucket, Key=key)["UploadId"]
    store.client.upload_part(Bucket=settings.bucket, Key=key, UploadId=begun, PartNumber=1, Body=data[:PART_BYTES])
    mine = ObjectStore(settings)

    def count(params: dict[str, Any], **_: object) -> None:
        sent.append(len(params["body"].getvalue()))

    mine.client.meta.events.register("before-call.s3.UploadPart", count)
    digests = hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
    upload = Upload(path, path.name, station, "north", key, len(data), *digests, multipart=begun)
    assert S3Destination(mine, settings.bucket, threading.Event()).send(upload).size == len(data)
    mine.client.close()
    assert sent == [1000]
    assert store.get(settings.bucket, key, max_bytes=1 << 30) == data
