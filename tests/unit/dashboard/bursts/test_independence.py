"""Events and independent detections: functions of the latest bursts and the deployments."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.processors.bursts.builders import DAY, Camera, Photo
from uncia.camtrap.deployments import Deployments
from uncia.dashboard.bursts.independence import Detection, count_detections, rules_lookup
from uncia.events import BurstResolved, DeploymentChanged
from uncia.settings import Settings

SETTINGS = Settings(_env_file=None, event_gap_s=120, independence_gap_s=1800)
TAKEN = {"a": 0, "b": 100, "c": 1000, "d": 4000}


def bursts() -> list[BurstResolved]:
    """Four bursts of one frame each."""
    camera = Camera()
    for name, taken in TAKEN.items():
        camera.arrive(Photo(name, taken, 1, 1), taken)
    return list(camera.settled().values())


def deployed(*places: tuple[int, int | None, dict[str, Any]]) -> Deployments:
    """Deployments (start and end in seconds after the first frame, and the settings that they override)."""
    known = Deployments()
    for number, (start, end, own) in enumerate(places):
        deployment = DeploymentChanged(
            deployment_id=f"dep-{number}",
            camera=bursts()[0].camera,
            start=DAY.replace(tzinfo=UTC) + timedelta(seconds=start),
            end=None if end is None else DAY.replace(tzinfo=UTC) + timedelta(seconds=end),
            utc_offset_minutes=0,
            latitude=1,
            longitude=1,
            **own,
        )
        known.apply(deployment.message_key, deployment.to_bytes())
    return known


def counted(deployments: Deployments, held: list[BurstResolved] | None = None) -> dict[str, Detection]:
    """By the name of the burst's frame."""
    held = bursts() if held is None else held
    found = count_detections(held, rules_lookup(SETTINGS, deployments))
    return {burst.frames[0].image_id[4:]: found[burst.burst_id] for burst in held}


def independent(found: dict[str, Detection]) -> str:
    return "".join(sorted(name for name, detection in found.items() if detection.independent))


def events(found: dict[str, Detection]) -> set[str]:
    names: dict[str, str] = {}
    for name in sorted(found):
        names[found[name].event_id] = names.get(found[name].event_id, "") + name
    return set(names.values())


def test_the_general_gaps_hold_where_no_deployment_says_otherwise() -> None:
    for known in (Deployments(), deployed((-60, None, {}))):
        found = counted(known)
        assert (events(found), independent(found)) == ({"ab", "c", "d"}, "ad")


def test_a_deployment_may_set_its_own_gaps() -> None:
    found = counted(deployed((-60, None, {"event_gap_s": 1000, "independence_gap_s": 600})))
    assert (events(found), independent(found)) == ({"abc", "d"}, "acd")


def test_the_gaps_are_those_of_the_place_where_the_later_burst_stands() -> None:
    found = counted(deployed((-60, 500, {}), (500, None, {"independence_gap_s": 10_000})))
    assert (events(found), independent(found)) == ({"ab", "c", "d"}, "ac")


def test_a_camera_that_was_moved_begins_a_new_event_however_soon() -> None:
    found = counted(deployed((-60, 50, {}), (50, None, {})))
    assert (events(found), independent(found)) == ({"a", "b", "c", "d"}, "abd")


def test_the_order_of_the_bursts_does_not_matter() -> None:
    held, known = bursts(), deployed((-60, 500, {"event_gap_s": 50}))
    before = counted(known, held)
    random.Random(1).shuffle(held)
    assert counted(known, held) == before


def test_deployments_loaded_later_leave_the_ids_of_events_alone() -> None:
    assert counted(deployed((-60, None, {}))) == counted(Deployments())


def test_a_capture_time_is_read_on_the_cameras_own_clock() -> None:
    taken = bursts()[0].started_at
    assert taken.tzinfo is None
    rules_at = rules_lookup(SETTINGS, deployed((-60, 60, {"event_gap_s": 7})))
    assert rules_at("elsewhere", datetime(2000, 1, 1)).event_gap == timedelta(seconds=120)
    assert rules_at(bursts()[0].camera, taken).event_gap == timedelta(seconds=7)
