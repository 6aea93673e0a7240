"""Rotating the keys of running parts loses and doubles nothing."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import SCALE
from uncia.errors import UnciaError
from uncia.events import BurstResolved
from uncia.identities import gateway_identity
from uncia.infra.local.credentials import write_credential
from uncia.infra.local.key_management import issue_gateway, rotate
from uncia.infra.local.seaweedfs import IDENTITIES_FILE
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import client_options
from uncia.kafka.refusal import refusal
from uncia.kafka.stream_status import stream_status
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)


@pytest.mark.parametrize(
    "name",
    [
        "predict",
        "catalogue",
        "object-store",
        *(pytest.param(name, marks=pytest.mark.thorough) for name in ("intake", "bursts", "crops", "clocks")),
    ],
)
def test_photographs_that_arrive_while_a_key_is_rotated_are_predicted_once_and_settled(
    stack: Stack,
    store: ObjectStore,
    settings: Settings,
    station: str,
    results: ResultConsumer,
    settled: Callable[..., list[BurstResolved]],
    name: str,
) -> None:
    before = stack.require_keys().credentials[name]
    pictures = {f"{station}/north/{number}.jpg": photograph(number) for number in range(6)}
    keys = list(pictures)
    for key in keys[:3]:
        store.put(settings.bucket, key, pictures[key], content_type="image/jpeg")
    rotate(stack, name)
    for key in keys[3:]:
        store.put(settings.bucket, key, pictures[key], content_type="image/jpeg")

    def predicted() -> bool:
        return all(results.predictions(key) for key in keys)

    results.wait_for(predicted, SCALE * 60, "a prediction of each photograph")
    settled(f"{station}/north", 1, 120)
    assert [len({image.upload_id for image in results.predictions(key)}) for key in keys] == [1] * len(keys)
    results.wait_for(lambda: has_caught_up(settings, name), 60, f"{name}, which consumes with its new key")
    assert stack.require_keys().credentials[name].kafka_password != before.kafka_password
    old = settings.model_copy(update={"kafka_username": name})
    old = Settings(_env_file=None, **{**old.model_dump(), "kafka_password": before.kafka_password})
    assert "refuses the user" in (refusal(old, client_options(old)) or "")


def has_caught_up(settings: Settings, name: str) -> bool:
    """Whether the part has consumed and committed all that its topics hold."""
    status = stream_status(settings)
    return status.problem is None and not any(lag.messages for lag in status.lag if lag.worker == name)


def test_a_gateway_whose_key_is_rotated_waits_and_stores_everything_once_with_the_new_one(
    stack: Stack, store: ObjectStore, settings: Settings, station: str, tmp_path: Path
) -> None:
    name, folder, file = gateway_identity(station).name, tmp_path / "photographs", tmp_path / "gateway.env"
    issue = ("keys", "issue", "gateway", station, "--output", str(file))
    uncia(stack, *issue)
    before = fill(folder, range(20))
    with gateway_process(folder, station, file) as watching:
        events = json_lines(watching)
        uploaded = list(islice(events_named("uploaded", events), 5))
        uncia(stack, "keys", "rotate", name)
        after = fill(folder, range(20, 40))
        for line in events:
            uploaded += [line] if line["event"] == "uploaded" else []
            if line["event"] == "waiting" and "UNCIA_S3_SECRET_KEY" in line["error"]:
                break
        watching.send_signal(signal.SIGTERM)
        uploaded += events_named("uploaded", events)
        assert watching.wait(SCALE * 60) != 0, "it ends with photographs that are not stored"

    uncia(stack, *issue)
    with gateway_process(folder, station, file, "--once") as again:
        uploaded += events_named("uploaded", json_lines(again))
        assert again.wait(SCALE * 60) == 0
    stored = {entry.key: entry for entry in store.list(settings.bucket, f"{station}/")}
    pictures = [store.get(settings.bucket, key, max_bytes=1 << 20) for key in stored]
    assert sorted(pictures) == sorted([*before, *after])
    assert len(uploaded) == len(stored)


def uncia(stack: Stack, *arguments: str) -> None:
    """Run a command with the settings of the stack."""
    done = subprocess.run(
        [sys.executable, "-m", "uncia", *arguments],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=SCALE * 60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def fill(folder: Path, numbers: range) -> list[bytes]:
    """Photographs in files of the camera `north`."""
    pictures = [photograph(94_000 + number) for number in numbers]
    (folder / "north").mkdir(parents=True, exist_ok=True)
    for number, data in zip(numbers, pictures, strict=True):
        (folder / "north" / f"{number}.jpg").write_bytes(data)
    return pictures


@contextmanager
def gateway_process(
    folder: Path, station: str, environment_file: Path, *options: str
) -> "Iterator[subprocess.Popen[str]]":
    """`uncia gateway watch`, which knows the environment file and nothing of the stack."""
    load = f'set -a; . {shlex.quote(str(environment_file))}; exec "$@"'
    gateway = [sys.executable, "-m", "uncia", "gateway", "watch", str(folder), "--station", station, "--json"]
    others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    with subprocess.Popen(
        ["sh", "-c", load, "gateway", *gateway, "--spool", str(folder.parent / "spool.sqlite"), *options],
        env={**others, "UNCIA_STACK_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def json_lines(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """What the gateway prints, as it prints it."""
    assert process.stdout is not None
    return map(json.loads, process.stdout)


def events_named(name: str, lines: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (line for line in lines if line["event"] == name)


def test_rotating_the_key_of_a_gateway_of_an_earlier_version_changes_no_file_of_a_part(
    stack: Stack, station: str
) -> None:
    """Such a key has no password for the broker."""
    known = issue_gateway(stack, station)
    write_credential(stack.folder, gateway_identity(station).name, replace(known, kafka_password=""))
    files = [path for path in (stack.folder / "run").iterdir() if path.name != IDENTITIES_FILE]
    before = {path: path.read_bytes() for path in files}
    rotate(stack, gateway_identity(station).name)
    assert {path: path.read_bytes() for path in files} == before


def test_the_store_refuses_the_old_secret_of_a_part(stack: Stack, settings: Settings) -> None:
    before = stack.require_keys().credentials["reconcile"]
    rotate(stack, "reconcile")
    update = {"s3_access_key": before.access_key, "s3_secret_key": before.secret_key}
    store = ObjectStore(Settings(_env_file=None, **{**settings.model_dump(), **update}), attempts=1)
    try:
        with pytest.raises(UnciaError):
            store.check_bucket(settings.bucket)
    finally:
        store.close()
