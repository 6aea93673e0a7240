"""A second look is taken with the real detector in the real Triton, and revises its burst."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer, messages_of_uncia
from uncia.events import BurstResolved, BurstStatus, SecondLookCompleted, SecondLookReason
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import send_to_cameras
from uncia.processors.second_look.selection import RULE, build_request
from uncia.settings import Settings
from uncia.topics import SECOND_LOOK_COMPLETED, SECOND_LOOK_REQUESTED

Upload = Callable[[str, bytes], str]
Settled = Callable[..., list[BurstResolved]]

LIMIT_S = 120


def completed(settings: Settings, second_look_id: str) -> list[SecondLookCompleted]:
    messages = messages_of_uncia(settings, SECOND_LOOK_COMPLETED)
    events = [SecondLookCompleted.from_bytes(message.value) for message in messages]
    return [event for event in events if event.second_look_id == second_look_id]


def test_a_burst_is_revised_by_its_second_look(
    upload: Upload, settled: Settled, results: ResultConsumer, settings: Settings, stack: Stack, station: str
) -> None:
    camera = f"{station}/cam"
    upload(f"{camera}/x.jpg", photograph(951))
    (burst,) = settled(camera)
    assert burst.status is BurstStatus.FINAL
    assert burst.category is not None
    request = build_request(burst, SecondLookReason.NEAR_THRESHOLD, 3, timedelta(minutes=15), datetime.now(UTC))
    assert request is not None
    # Twice: the second one changes nothing.
    for _ in range(2):
        send_to_cameras(settings, SECOND_LOOK_REQUESTED, [(camera, camera.encode(), request.to_bytes())])

    def revised() -> list[BurstResolved]:
        return [event for event in results.revisions(burst.burst_id) if event.status is BurstStatus.REVISED]

    event = results.wait_for(revised, LIMIT_S, "a revised burst")[0]
    assert event.revision == burst.revision + 1
    assert event.changes[0] == "second look at 1 frame"
    assert event.frames[0].second_look == RULE
    assert len(event.frames[0].boxes or ()) >= len(burst.frames[0].boxes or ())
    looks = results.wait_for(
        lambda: found if len(found := completed(settings, request.second_look_id)) == 2 else None,
        LIMIT_S,
        "both results",
    )
    first, second = (look.frames[0].detection for look in looks)
    assert first is not None
    assert second is not None
    assert first.detections == second.detections
    assert len(revised()) == 1
    uncia = [sys.executable, "-m", "uncia", "bursts", "explain", burst.burst_id, "--json"]
    shown = subprocess.run(
        uncia, env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=300
    )
    assert shown.returncode == 0, shown.stderr
    explanation = json.loads(shown.stdout)
    assert explanation["revisions"][-1]["changes"][0] == "second look at 1 frame"
    assert explanation["frames"][0]["second_look"] == RULE
