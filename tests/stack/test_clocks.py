"""Deployments and clock health on the real Kafka: a table is loaded, clocks are assessed by it, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stack.containers import ContainerStack
from tests.stack.result_consumer import ResultConsumer
from tests.unit.processors.clock_health.builders import live
from uncia.events import ClockJudged, ClockVerdict, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED

LATITUDE, LONGITUDE = "28.2134712", "83.9871277"
START = datetime.now(UTC) - timedelta(hours=24)

Send = Callable[[list[ImagePredicted]], None]
Run = Callable[..., str]


@pytest.fixture
def send(settings: Settings, admin_settings: Settings) -> Iterator[Send]:
    """Publishes predictions on their topic."""
    producer = connect_producer(admin_settings, acks="all")

    def send(events: list[ImagePredicted]) -> None:
        topic = IMAGE_PREDICTED.full_name(settings)
        for event in events:
            partition = partition_of(event.camera, settings.partitions)
            producer.send(topic, key=event.camera.encode(), value=event.to_bytes(), partition=partition)
        producer.flush(30)

    yield send
    producer.close()


@pytest.fixture
def uncia(stack: Stack | ContainerStack) -> Run:
    """Runs a command and returns what it prints."""

    def run(*arguments: str, ends: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *arguments],
            env={**os.environ, **stack.environment()},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == ends, done.stderr
        return done.stdout

    return run


def table(folder: Path, station: str, *rows: str) -> str:
    """Write a deployments.csv with cameras of a station whose clocks are on UTC. Returns its path."""
    file = folder / "deployments.csv"
    header = "deploymentID,locationID,cameraID,latitude,longitude,deploymentStart,deploymentEnd,burstGap"
    lines = [f"{station}-{number},{station},{row}" for number, row in enumerate(rows)]
    file.write_text("\n".join([header, *lines]), encoding="utf-8")
    return str(file)


def row(camera: str, start: str = "2020-01-01T00:00:00Z") -> str:
    return f"{camera},{LATITUDE},{LONGITUDE},{start},,30"


def test_a_valid_table_is_published_once_and_an_invalid_one_not_at_all(
    uncia: Run, station: str, tmp_path: Path
) -> None:
    good = table(tmp_path, station, row("north"), row("south"))
    assert "published=2 unchanged=0" in uncia("deployments", "load", good)
    assert "published=0 unchanged=2" in uncia("deployments", "load", good)
    bad = table(tmp_path, f"{station}x", row("north"), row("north"), row("south", "2020-01-01T00:00:00"))
    refused = uncia("deployments", "load", bad, ends=1)
    assert "line 2" in refused and "line 3" in refused and "line 4" in refused
    listed = json.loads(uncia("deployments", "list", "--json"))
    of_station = [row for row in listed if row["camera"].startswith(station)]
    assert [(row["camera"], row["latitude"], row["burst_gap_s"]) for row in of_station] == [
        (f"{station}/north", None, 30.0),
        (f"{station}/south", None, 30.0),
    ]
    uncia("deployments", "remove", f"{station}/north", f"{station}-0")
    left = [row["camera"] for row in json.loads(uncia("deployments", "list", "--json"))]
    assert f"{station}/north" not in left and f"{station}/south" in left


def test_a_wrong_clock_is_assessed_by_its_deployment_and_affects_only_its_own_camera(
    stack: Stack | ContainerStack,
    results: ResultConsumer,
    send: Send,
    uncia: Run,
    station: str,
    tmp_path: Path,
) -> None:
    wrong, right = f"{station}/wrong", f"{station}/right"
    nepal = live(12, camera=wrong, begin=START, zone_minutes=345)
    utc = live(12, camera=right, begin=START)

    def latest(camera: str) -> ClockJudged | None:
        shown = json.loads(uncia("clocks", "--json", "--camera", camera))
        return ClockJudged.model_validate(shown[0]) if shown else None

    def has_verdict(camera: str, verdict: ClockVerdict) -> Callable[[], bool]:
        return lambda: (known := latest(camera)) is not None and known.verdict is verdict

    # The zone is not known yet: the clock may well show Nepal's time.
    send(nepal[:6] + utc[:6])
    for camera in (wrong, right):
        results.wait_for(has_verdict(camera, ClockVerdict.OK), 60, f"{camera} is ok")

    uncia("deployments", "load", table(tmp_path, station, row("wrong"), row("right")))
    if isinstance(stack, Stack):
        stack.kill("clocks", signal.SIGKILL)
    send(nepal[6:] + utc[6:])
    results.wait_for(
        lambda: [reason.code for reason in latest(wrong).reasons] == ["zone"],  # type: ignore[union-attr]
        60,
        "the wrong zone is found",
    )
    wrong_assessment, right_assessment = latest(wrong), latest(right)
    assert wrong_assessment is not None and right_assessment is not None
    assert wrong_assessment.verdict is ClockVerdict.WRONG
    assert wrong_assessment.offset_s == pytest.approx(345 * 60, abs=30)
    assert wrong_assessment.evidence.frames <= 12
    assert right_assessment.verdict is ClockVerdict.OK
    shown = [row for row in json.loads(uncia("clocks", "--json", "--bad")) if row["camera"].startswith(station)]
    assert [row["camera"] for row in shown] == [wrong]
    if isinstance(stack, Stack):
        logs = [file.read_text(errors="replace") for file in (stack.folder / "logs").glob("*.log")]
        assert not any(LATITUDE[:7] in text or LONGITUDE[:7] in text for text in logs)
