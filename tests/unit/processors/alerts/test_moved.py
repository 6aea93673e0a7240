"""Rules about cameras that moved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.alerts.builders import NOW, START, TAXONOMY, burst
from tests.unit.processors.alerts.test_camera_view import scene
from uncia.errors import PermanentError
from uncia.events import (
    AlertCause,
    AlertRaised,
    AlertState,
    Capture,
    DeploymentChanged,
    ImagePredicted,
    Lane,
    LuminanceGrid,
)
from uncia.processors.alerts.grouping import KEPT, CameraAlerts, apply
from uncia.processors.alerts.moved import compare_photograph
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule
from uncia.processors.alerts.silence import hear, judge
from uncia.processors.alerts.state_store import from_bytes, to_bytes
from uncia.processors.alerts.tracker import AlertTracker
from uncia.processors.faust_runtime.stored_state import StateTooNew, unpack_state

CAMERA = "ridge/north"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = Rule("moved", moved=True, channels=("rangers",))


def photograph(place: int, number: int, **values: Any) -> ImagePredicted:
    """Photograph of a place; one each three hours."""
    whole: dict[str, Any] = {
        "upload_id": f"u{number}",
        "image_id": f"i{number}",
        "station": "ridge",
        "camera": CAMERA,
        "bucket": "camera-traps",
        "key": f"{number}.jpg",
        "etag": "e",
        "size": 1,
        "uploaded_at": NOW,
        "predicted_at": NOW,
        "capture": Capture.model_validate({"time": START + number * 3 * HOUR, "time_source": "exif"}),
        "luminance": LuminanceGrid.pack(scene(place, salt=number)),
    }
    return ImagePredicted.model_validate({**whole, **values})


def logged(number: int) -> datetime:
    return NOW + number * 3 * HOUR


def deployment(name: str = "d1") -> DeploymentChanged:
    return DeploymentChanged.model_validate(
        {
            "deployment_id": name,
            "camera": CAMERA,
            "start": NOW - DAY,
            "utc_offset_minutes": 0,
            "latitude": 1,
            "longitude": 1,
        }
    )


def compare(
    state: CameraAlerts, places: list[int], rules: tuple[Rule, ...] = (RULE,), first: int = 0
) -> list[AlertRaised]:
    found: list[AlertRaised] = []
    for number, place in enumerate(places, first):
        found += compare_photograph(state, photograph(place, number), rules, None, number, logged(number)) or ()
    return found


MOVED = [1] * 40 + [2] * 20


def test_a_moved_camera_raises_one_alert_without_bursts() -> None:
    (alert,) = compare(CameraAlerts(), MOVED)
    assert (alert.state, alert.cause, alert.bursts) == (AlertState.RAISED, AlertCause.CAMERA_MOVED, ())
    assert (alert.rule, alert.camera, alert.station, alert.channels) == ("moved", CAMERA, "ridge", ("rangers",))
    assert alert.summary == "ridge/north shows another view, 2026-05-07 18:30 UTC: moved, turned or covered"
    assert alert.raised_at == alert.updated_at == logged(47)


def test_each_rule_raises_its_own_alert() -> None:
    both = compare(CameraAlerts(), MOVED, (RULE, Rule("theft", moved=True)))
    assert [one.rule for one in both] == ["moved", "theft"]
    assert len({one.alert_id for one in both}) == 2


def test_the_earlier_view_withdraws_the_alert() -> None:
    raised, withdrawn = compare(CameraAlerts(), [*MOVED, *[2] * 40, *[1] * 20])
    assert (raised.alert_id, withdrawn.revision, withdrawn.state) == (withdrawn.alert_id, 2, AlertState.WITHDRAWN)
    assert withdrawn.summary == "withdrawn: ridge/north has its earlier view again"


def test_a_move_within_the_cooldown_updates_the_alert() -> None:
    places = [*MOVED, *[2] * 40, *[3] * 20]
    first, second = compare(CameraAlerts(), places, (Rule("moved", moved=True, cooldown=90 * DAY),))
    assert (first.alert_id, second.state) == (second.alert_id, AlertState.UPDATED)
    assert len({one.alert_id for one in compare(CameraAlerts(), places)}) == 2


def test_old_photographs_and_those_without_a_grid_are_not_compared() -> None:
    state = CameraAlerts()
    assert compare_photograph(state, photograph(1, 0, lane=Lane.BACKFILL), (RULE,), None, 0, NOW) is None
    assert compare_photograph(state, photograph(1, 0, luminance=None), (RULE,), None, 0, NOW) is None
    small = LuminanceGrid.pack(np.zeros((12, 16), dtype=np.uint8))
    assert compare_photograph(state, photograph(1, 0, luminance=small), (RULE,), None, 0, NOW) is None
    assert state.view is None


def test_the_lamp_decides_what_was_taken_in_the_dark_and_else_brightness() -> None:
    def dark(infrared: bool | None, grey: int) -> bool:
        state = CameraAlerts()
        capture = Capture.model_validate({"time": START, "time_source": "exif", "infrared": infrared})
        grid = LuminanceGrid.pack((scene(1) // 8 + grey).astype(np.uint8))
        taken = photograph(1, 0, capture=capture, luminance=grid)
        assert compare_photograph(state, taken, (RULE,), None, 0, NOW) == [] and state.view is not None
        return state.view.known[0].dark

    assert dark(True, 100) and not dark(False, 10)
    assert dark(None, 10) and not dark(None, 100)


def test_a_grid_whose_size_is_wrong_is_an_error() -> None:
    wrong = LuminanceGrid(columns=32, rows=24, u8="AAAA")
    with pytest.raises(PermanentError, match="luminance"):
        compare_photograph(CameraAlerts(), photograph(1, 0, luminance=wrong), (RULE,), None, 0, NOW)


def test_a_new_deployment_is_no_move() -> None:
    state, events = CameraAlerts(), list[AlertRaised]()
    for number, place in enumerate(MOVED):
        placed = deployment("d1" if place == 1 else "d2")
        events += compare_photograph(state, photograph(place, number), (RULE,), placed, number, logged(number)) or ()
    assert not events


def test_a_rule_about_moves_matches_no_burst() -> None:
    assert not apply(CameraAlerts(), burst(), RuleIndex((RULE,), TAXONOMY), NOW)


def test_an_alert_on_a_move_is_forgotten_as_others_are() -> None:
    state = CameraAlerts()
    (alert,) = compare(state, MOVED)
    apply(state, burst(), RuleIndex((RULE,), TAXONOMY), alert.raised_at + KEPT / 2)
    assert alert.alert_id in state.alerts
    apply(state, burst("b2"), RuleIndex((RULE,), TAXONOMY), alert.raised_at + KEPT + DAY)
    assert not state.alerts


def test_silence_and_moves_leave_each_other_alone() -> None:
    silence = Rule("silent", silent=True, silent_for=3 * DAY)
    state = CameraAlerts()
    (moved,) = compare(state, MOVED)
    assert hear(state, moved.raised_at) == []
    (silent,) = judge(state, CAMERA, deployment(), (silence,), moved.raised_at + 4 * DAY) or []
    (heard,) = hear(state, moved.raised_at + 5 * DAY) or []
    assert (silent.alert_id, heard.state) == (heard.alert_id, AlertState.WITHDRAWN)
    assert state.alerts[moved.alert_id] == moved


def test_the_tracker_compares_and_stores_the_view() -> None:
    states: dict[bytes, bytes] = {}
    events: list[AlertRaised] = []
    for number in range(len(MOVED)):
        tracker = AlertTracker(states, RuleIndex((RULE,), TAXONOMY))
        for again in range(max(0, number - 3), number + 1):
            tracker.compare(photograph(MOVED[again], again), None, again, logged(again).timestamp())
        for camera, update in tracker.take_updates().items():
            events += update.events
            assert update.state is not None and len(update.state) < 10_000
            states[camera.encode()] = update.state
    assert [one.state for one in events] == [AlertState.RAISED], "each restart reads four messages again"


def test_a_photograph_of_the_same_burst_needs_no_new_state() -> None:
    states: dict[bytes, bytes] = {}
    tracker = AlertTracker(states, RuleIndex((RULE,), TAXONOMY))
    first = photograph(1, 0)
    tracker.compare(first, None, 0, NOW.timestamp())
    states[CAMERA.encode()] = tracker.take_updates()[CAMERA].state or b""
    for _ in range(2):
        tracker.compare(first.model_copy(update={"upload_id": "u1"}), None, 1, NOW.timestamp())
        assert not tracker.take_updates()
        tracker.restart()


def test_a_state_from_before_rules_about_moves_is_read() -> None:
    state = CameraAlerts(heard=NOW)
    read = from_bytes(CAMERA, to_bytes(state))
    assert read == state and read.view is None


PLACES = st.lists(st.integers(1, 3).flatmap(lambda place: st.integers(1, 40).map(lambda n: [place] * n)), max_size=5)


@given(PLACES, st.integers(0, 150), st.integers(0, 5))
def test_a_restart_that_reads_messages_again_publishes_the_same(
    stays: list[list[int]], restart: int, repeated: int
) -> None:
    places = [place for stay in stays for place in stay]
    whole = compare(CameraAlerts(), places)
    state, found = CameraAlerts(), list[AlertRaised]()
    found += compare(state, places[:restart])
    state = from_bytes(CAMERA, to_bytes(state))
    first = max(0, min(restart, len(places)) - repeated)
    found += compare(state, places[first:], first=first)
    assert found == whole
    assert all(one.raised_at.tzinfo is UTC for one in found)
    newest = {one.alert_id: one for one in found}
    assert list(newest.values()) == list(state.alerts.values())


def test_of_several_moves_the_earlier_view_withdraws_the_last_one_alone() -> None:
    state = CameraAlerts()
    first, second, withdrawn = compare(state, [*[1] * 40, *[2] * 40, *[3] * 40, *[2] * 20])
    assert (withdrawn.alert_id, withdrawn.state) == (second.alert_id, AlertState.WITHDRAWN)
    assert state.alerts[first.alert_id].state is AlertState.RAISED


def test_a_new_deployment_withdraws_the_alert() -> None:
    state, events = CameraAlerts(), list[AlertRaised]()
    for number, place in enumerate([*[1] * 40, *[2] * 30]):
        placed = deployment("d1" if number < 60 else "d2")
        events += compare_photograph(state, photograph(place, number), (RULE,), placed, number, logged(number)) or ()
    raised, withdrawn = events
    assert (withdrawn.alert_id, withdrawn.state) == (raised.alert_id, AlertState.WITHDRAWN)
    assert withdrawn.summary == "withdrawn: ridge/north has a new deployment"


def test_a_rule_about_moves_that_becomes_one_about_silence_raises_one_alert_which_a_contact_ends() -> None:
    state = CameraAlerts()
    (moved,) = compare(state, MOVED, (Rule("camera trouble", moved=True, cooldown=30 * DAY),))
    state.heard = logged(60)
    silent = Rule("camera trouble", silent=True, silent_for=6 * HOUR, cooldown=30 * DAY)
    ticks = [logged(60) + 7 * HOUR + timedelta(minutes=minute) for minute in range(5)]
    (silence,) = (one for at in ticks for one in judge(state, CAMERA, deployment(), (silent,), at) or ())
    assert silence.alert_id != moved.alert_id
    assert [one.alert_id for one in hear(state, logged(60) + 8 * HOUR) or ()] == [silence.alert_id]


def test_a_version_that_knows_no_moves_refuses_a_state_with_one_and_reads_all_others() -> None:
    state = CameraAlerts(heard=NOW)
    assert unpack_state(1, to_bytes(state), "alerts")
    compare(state, MOVED)
    with pytest.raises(StateTooNew):
        unpack_state(1, to_bytes(state), "alerts")
