"""Settings of one deployment apply from upload to verdict; late frames are reported; bursts are explained."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.stack.containers import ContainerStack
from tests.stack.deployments import load_deployment
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer, messages_of_uncia
from uncia.events import BurstResolved, BurstStatus, FrameLate, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.topics import FRAME_LATE

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
Settled = Callable[..., list[BurstResolved]]
Run = Callable[..., str]

TAKEN = datetime(2026, 5, 1, 10, 0, 0)


@pytest.fixture
def environment(stack: Stack | ContainerStack) -> dict[str, str]:
    """Environment of commands that use this stack."""
    return {**os.environ, **stack.environment(), "COLUMNS": "240"}


@pytest.fixture
def uncia(environment: dict[str, str]) -> Run:
    """Run a command and return its output."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def upload_photograph(upload: Upload, predicted: Predicted, station: str) -> Callable[..., ImagePredicted]:
    """Upload a photograph that was captured `after_s` seconds after ten o'clock, and wait for its prediction."""

    def upload_photograph(camera: str, after_s: float, seed: int) -> ImagePredicted:
        key = f"{station}/{camera}/{seed}.jpg"
        upload(key, photograph(seed, f"{TAKEN + timedelta(seconds=after_s):%Y:%m:%d %H:%M:%S}"))
        return predicted(key)

    return upload_photograph


def listed(uncia: Run, camera: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in uncia("bursts", "list", "--camera", camera, "--json").splitlines()]


def test_the_gaps_of_a_deployment_join_frames_and_events_that_the_defaults_separate(
    uncia: Run,
    environment: dict[str, str],
    upload_photograph: Callable[..., ImagePredicted],
    settled: Settled,
    station: str,
    tmp_path: Path,
) -> None:
    load_deployment(environment, tmp_path, station, "patient", burstGap=120, eventGap=7200, independenceGap=7200)
    # Almost identical images in which the detector finds nothing, so that all get the same verdict.
    seeds = iter(range(1621, 1621 + 6 * 360, 360))
    for camera in ("patient", "usual"):
        for after_s in (0, 60, 4000):
            upload_photograph(camera, after_s, next(seeds))

    patient = settled(f"{station}/patient", 2)
    assert [len(burst.frames) for burst in patient] == [2, 1]
    assert [len(burst.frames) for burst in settled(f"{station}/usual", 3)] == [1, 1, 1]
    rows = listed(uncia, f"{station}/patient")
    assert [row["burst_id"] for row in rows] == [burst.burst_id for burst in patient]
    assert [row["independent"] for row in rows] == [True, False]
    assert rows[0]["event_id"] == rows[1]["event_id"]
    usual = listed(uncia, f"{station}/usual")
    assert [row["independent"] for row in usual] == [True, False, True]
    assert usual[0]["event_id"] == usual[1]["event_id"] != usual[2]["event_id"]


def test_a_burst_is_explained_frame_by_frame_and_revision_by_revision(
    uncia: Run, upload_photograph: Callable[..., ImagePredicted], settled: Settled, station: str
) -> None:
    images = [upload_photograph("explained", after_s, 1600 + after_s) for after_s in (0, 2, 4)]
    (burst,) = settled(f"{station}/explained")

    (row,) = listed(uncia, f"{station}/explained")
    assert (row["burst_id"], row["frames"], row["status"]) == (burst.burst_id, 3, "final")
    explanation = json.loads(uncia("bursts", "explain", burst.burst_id, "--json"))
    assert [frame["image_id"] for frame in explanation["frames"]] == [image.image_id for image in images]
    assert explanation["frames"][1]["joined"] == "within the gap of the frame before"
    assert explanation["revisions"][-1]["status"] == "final"
    assert any(frame["deciding"] for frame in explanation["frames"])
    assert burst.burst_id in uncia("bursts", "explain", burst.burst_id)


def test_a_frame_beyond_the_allowed_lateness_is_on_the_late_topic_and_in_the_status(
    uncia: Run,
    environment: dict[str, str],
    upload_photograph: Callable[..., ImagePredicted],
    settled: Settled,
    results: ResultConsumer,
    settings: Settings,
    station: str,
    tmp_path: Path,
) -> None:
    load_deployment(environment, tmp_path, station, "slow", burstLateness=1)
    upload_photograph("slow", 0, 1700)
    (missed,) = settled(f"{station}/slow")
    closed = missed.closed_at
    assert closed is not None
    results.wait_for(lambda: datetime.now(UTC) > closed + timedelta(seconds=2), 10, "lateness to pass")
    late = upload_photograph("slow", 5, 1701)

    both = settled(f"{station}/slow", 2)
    assert [burst.flags for burst in both] == [(), ("late",)]
    assert (both[0].burst_id, both[0].status) == (missed.burst_id, BurstStatus.FINAL)
    late_events = [
        FrameLate.from_bytes(message.value)
        for message in messages_of_uncia(settings, FRAME_LATE)
        if message.key == f"{station}/slow".encode()
    ]
    assert [(frame.image_id, frame.missed_burst_id, frame.burst_id) for frame in late_events] == [
        (late.image_id, missed.burst_id, both[1].burst_id)
    ]
    assert "late frames" in uncia("status")
