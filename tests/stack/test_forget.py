"""Forgetting photographs on the real stack: no version is left, no burst lists them, and nothing brings them back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.paths import ROOT
from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from tests.waiting import SCALE
from uncia.audit import audit_file, read_audit
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.tables import burst_frames, captures
from uncia.events import BurstStatus, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.producers.forget.plan import pending_plans
from uncia.producers.forget.run import newest_bursts
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

Upload = Callable[[str, bytes], str]
LIMIT_S = 60 * SCALE


def environment(stack: Stack) -> dict[str, str]:
    return {**os.environ, **stack.environment(), "UNCIA_STACK_DIR": str(stack.folder)}


def forget(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uncia", "forget", "--wait", str(LIMIT_S), *arguments],
        env=environment(stack),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.2)


def frames_in_catalogue(settings: Settings, camera: str) -> set[str]:
    engine = open_database(catalogue_url(settings), read_only=True)
    with engine.begin() as connection:
        own = select(burst_frames.c.image_id).join(captures, captures.c.upload_id == burst_frames.c.upload_id)
        found = set(connection.execute(own.where(captures.c.camera == camera)).scalars())
    engine.dispose()
    return found


def current_frames(settings: Settings, camera: str) -> set[str]:
    bursts = [burst for burst in newest_bursts(settings).values() if burst.camera == camera]
    return {f.image_id for burst in bursts if burst.status is not BurstStatus.SUPERSEDED for f in burst.frames}


def keys_with_versions(store: ObjectStore, settings: Settings, prefix: str) -> set[str]:
    return {found.object.key for found in store.history(settings.bucket, prefix)}


@pytest.fixture
def three(stack: Stack, settings: Settings, upload: Upload, predicted: Any, station: str) -> list[ImagePredicted]:
    """Three photographs of one burst, of which the first was stored twice, in the catalogue."""
    found = []
    for number in range(3):
        key = f"{station}/cam/{number}.jpg"
        data = photograph(7_000 + number, time=f"2026:05:01 10:00:0{number}")
        for _ in range(2 if number == 0 else 1):
            upload(key, data)
        found.append(predicted(key))
    images = {one.image_id for one in found}
    own = stack.settings()
    wait_for(lambda: frames_in_catalogue(own, f"{station}/cam") == images, "the frames in the catalogue")
    return found


def test_a_photograph_is_gone_everywhere_and_the_others_stay(
    stack: Stack,
    settings: Settings,
    admin_store: ObjectStore,
    three: list[ImagePredicted],
    reconcile: Callable[..., list[dict[str, Any]]],
    station: str,
) -> None:
    first, others = three[0], {one.image_id for one in three[1:]}
    shown = forget(stack, first.image_id, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["plan"]["keys"] == [first.key]
    assert first.key in keys_with_versions(admin_store, settings, station)

    done = forget(stack, first.image_id, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["forgotten"][0]["versions_deleted"] >= 2
    assert keys_with_versions(admin_store, settings, f"{station}/") == {one.key for one in three[1:]}
    assert current_frames(settings, f"{station}/cam") == others
    assert frames_in_catalogue(stack.settings(), f"{station}/cam") == others
    assert [line for line in reconcile("--prefix", f"{station}/") if line.get("state") == "vanished"] == []
    assert current_frames(settings, f"{station}/cam") == others
    actions = [(record["action"], record["what"]) for record in read_audit(audit_file(stack.folder))]
    assert ("forgotten", first.image_id) in actions


@pytest.mark.thorough
def test_a_run_that_was_killed_is_completed_by_the_next(
    stack: Stack, settings: Settings, admin_store: ObjectStore, three: list[ImagePredicted], station: str
) -> None:
    folder = stack.folder / "data" / "forget"
    bursts = {b.burst_id for b in newest_bursts(settings).values() if b.camera == f"{station}/cam"}
    with subprocess.Popen(
        [sys.executable, "-m", "uncia", "forget", "--camera", f"{station}/cam", "--yes"],
        env=environment(stack),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("revising"):
                break
        process.send_signal(signal.SIGKILL)
    assert list(pending_plans(folder))
    done = forget(stack, "--resume", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert not list(pending_plans(folder))
    assert keys_with_versions(admin_store, settings, f"{station}/") == set()
    assert not bursts & set(newest_bursts(settings))
    assert frames_in_catalogue(stack.settings(), f"{station}/cam") == set()


def test_versions_that_were_replaced_are_deleted_after_a_time_and_the_current_ones_stay(
    stack: Stack, settings: Settings, admin_store: ObjectStore, station: str
) -> None:
    key = f"{station}/cam/notes.txt"
    for content in (b"first", b"second", b"third"):
        admin_store.put(settings.bucket, key, content, content_type="text/plain")
    done = forget(stack, "--older-versions", "1", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert len(list(admin_store.versions(settings.bucket, key))) == 3

    shown = json.loads(forget(stack, "--older-versions", "0", "--json").stdout)
    done = forget(stack, "--older-versions", "0", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["older_versions"] >= shown["older_versions"] >= 2
    (left,) = admin_store.history(settings.bucket, key)
    assert left.is_latest
    assert admin_store.get(settings.bucket, key, max_bytes=10) == b"third"


@pytest.mark.thorough
def test_mistakes_are_named_and_remove_nothing(stack: Stack, three: list[ImagePredicted], station: str) -> None:
    for arguments, words in (
        (["img-000000000000000000000000"], "knows no photograph"),
        (["--camera", f"{station}/camm"], f"did you mean {station}/cam"),
        (["--camera", f"{station}/cam", "--from", "2026-05-01T00:00:00+06:00"], "names a time zone"),
        (["--camera", f"{station}/cam", "--until", "yesterday"], "is not a time"),
        (["--from", "2026-05-01"], "a period needs"),
        ([], "nothing is chosen"),
        (["--older-versions", "9", "--people"], "takes no photographs"),
        (["--expired"], "no retention is set"),
        ([three[0].image_id, "--yes", "--store-keys", "/nowhere"], "administrative key"),
    ):
        done = forget(stack, *arguments)
        assert done.returncode != 0 and words in done.stderr.replace("\n", " "), (arguments, done.stderr, done.stdout)
    assert frames_in_catalogue(stack.settings(), f"{station}/cam") == {one.image_id for one in three}
