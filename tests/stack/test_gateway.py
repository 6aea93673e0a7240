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
from tests.waiting import SCALE
from uncia.infra.local.stack import Stack
from uncia.producers.gateway.uploader import PART_BYTES, S3Destination, Upload
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

UNCIA = str(Path(sys.executable).with_name("uncia"))


class GatewayCommands:
    """Runs `uncia gateway` for one station; all runs share one card and one spool."""

    def __init__(self, environment: dict[str, str], station: str, folder: Path) -> None:
        self.environment = {**os.environ, **environment}
        self.station = station
        self.card = folder / "a card"
        self.spool = folder / "spool.sqlite"

    def command(self, verb: str, *options: str) -> list[str]:
        common = ("--station", self.station, "--spool", str(self.spool), "--json")
        return [UNCIA, "gateway", verb, str(self.card), *common, *options]

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
        files = {}
        for number in range(count):
            data = random.Random(f"{self.station}{number}").randbytes(size)
            path = self.card / "cam 1+ü%" / f"IMG {number:04d}.JPG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            files[str(path)] = data
        return files


@pytest.fixture
def gateway(stack: Stack | ContainerStack, station: str, tmp_path: Path) -> GatewayCommands:
    return GatewayCommands(stack.environment(), station, tmp_path)


def stored(store: ObjectStore, settings: Settings, station: str) -> dict[str, bytes]:
    listed = store.list(settings.bucket, f"{station}/")
    return {entry.key: store.get(settings.bucket, entry.key, max_bytes=1 << 30) for entry in listed}


def test_the_store_holds_the_files_of_a_card_byte_for_byte(
    gateway: GatewayCommands, store: ObjectStore, settings: Settings
) -> None:
    files = gateway.fill(12)
    lines = gateway.run("card", "--remove-after-upload")
    assert sorted(stored(store, settings, gateway.station).values()) == sorted(files.values())
    assert lines[-1] | {"uploaded": 12, "removed": 12, "complete": True} == lines[-1]
    assert not list(gateway.card.rglob("*.JPG"))


def test_a_killed_gateway_resumes_where_it_stopped(
    gateway: GatewayCommands, store: ObjectStore, settings: Settings
) -> None:
    files = gateway.fill(60)
    for _ in range(3):
        child = subprocess.Popen(
            gateway.command("watch", "--copy"),
            env=gateway.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout
        for _ in range(5):
            child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
    gateway.run("watch", "--once")
    assert sorted(stored(store, settings, gateway.station).values()) == sorted(files.values())


def test_wrong_credentials_delay_uploads_and_lose_no_file(
    gateway: GatewayCommands, store: ObjectStore, settings: Settings
) -> None:
    gateway.fill(3)
    lines = gateway.run("card", "--give-up-after", "2", status=1, UNCIA_S3_SECRET_KEY="wrong")
    assert "UNCIA_S3_SECRET_KEY" in next(line for line in lines if line["event"] == "waiting")["error"]
    assert lines[-1]["remaining"] == 3
    assert gateway.run("card")[-1]["uploaded"] == 3


def test_on_ctrl_c_it_exits_promptly_and_reports_what_remains(gateway: GatewayCommands) -> None:
    gateway.fill(3)
    unreachable = {"UNCIA_S3_ENDPOINT": "http://127.0.0.1:9", "UNCIA_STACK_DIR": str(gateway.card)}
    child = subprocess.Popen(
        gateway.command("watch"), env={**gateway.environment, **unreachable}, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    child.stdout.readline()
    signalled = time.monotonic()
    child.send_signal(signal.SIGINT)
    summary = json.loads(child.stdout.read().splitlines()[-1])
    assert child.wait(SCALE * 60) == 1
    child.stdout.close()
    assert (
        time.monotonic() - signalled < 20
    )  # about a second on an idle machine; a retry of its request would take longer
    assert summary["remaining"] == 3


def test_an_exact_copy_is_stored_once(gateway: GatewayCommands, store: ObjectStore, settings: Settings) -> None:
    path, data = next(iter(gateway.fill(1).items()))
    Path(path).with_name("COPY.JPG").write_bytes(data)
    lines = gateway.run("card")
    assert (lines[-1]["uploaded"], lines[-1]["duplicates"]) == (1, 1)
    assert len(stored(store, settings, gateway.station)) == 1


def test_a_large_file_is_uploaded_in_parts(gateway: GatewayCommands, store: ObjectStore, settings: Settings) -> None:
    files = gateway.fill(1, size=2 * PART_BYTES + 12345)
    assert gateway.run("card", "--remove-after-upload")[-1]["removed"] == 1
    assert list(stored(store, settings, gateway.station).values()) == list(files.values())


def test_a_large_upload_resumes_after_its_last_complete_part(
    store: ObjectStore, settings: Settings, station: str, tmp_path: Path
) -> None:
    data = random.Random(station).randbytes(PART_BYTES + 1000)
    path = tmp_path / "large.JPG"
    path.write_bytes(data)
    key = f"{station}/north/large.jpg"
    part_sizes: list[int] = []
    multipart_id = store.client.create_multipart_upload(Bucket=settings.bucket, Key=key)["UploadId"]
    store.client.upload_part(
        Bucket=settings.bucket, Key=key, UploadId=multipart_id, PartNumber=1, Body=data[:PART_BYTES]
    )
    own_store = ObjectStore(settings)

    def count(params: dict[str, Any], **_: object) -> None:
        part_sizes.append(len(params["body"].getvalue()))

    own_store.client.meta.events.register("before-call.s3.UploadPart", count)
    digests = hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
    upload = Upload(path, path.name, station, "north", key, len(data), *digests, multipart=multipart_id)
    assert S3Destination(own_store, settings.bucket, threading.Event()).send(upload).size == len(data)
    own_store.client.close()
    assert part_sizes == [1000]
    assert store.get(settings.bucket, key, max_bytes=1 << 30) == data
