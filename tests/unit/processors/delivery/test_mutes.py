"""Mutes: which alerts they hold back, from when until when, and that they are known after a restart."""

import threading
from typing import Any

import pytest

from tests.unit.processors.delivery.examples import MOMENT, alert
from tests.unit.processors.delivery.test_alert_intake import handled
from tests.waiting import wait_until
from uncia.events import AlertAction, AlertHandled
from uncia.kafka import topic_follower
from uncia.kafka.broker import Message
from uncia.processors.delivery.mutes import MuteReader, Mutes
from uncia.settings import Settings

MUTED, UNMUTED = AlertAction.MUTED, AlertAction.UNMUTED
RULE, CAMERA = "snow leopard at night", "ridge/north"
START = MOMENT.timestamp()


def mutes(*events: AlertHandled) -> Mutes:
    found = Mutes()
    for event in events:
        found.apply(event)
    return found


def muted_at(*events: AlertHandled) -> list[int]:
    """The seconds of 0, 10, ..., 50 at which the alert of the examples is muted."""
    found = mutes(*events)
    return [second for second in range(0, 60, 10) if found.muted(alert(), START + second)]


def test_a_mute_is_in_force_from_its_time_until_its_end() -> None:
    assert muted_at(handled(MUTED, 10, hours=30 / 3600)) == [10, 20, 30]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"rule": RULE}, True),
        ({"camera": CAMERA}, True),
        ({"rule": RULE, "camera": CAMERA}, True),
        ({"rule": "another"}, False),
        ({"camera": "ridge/south"}, False),
        ({"rule": RULE, "camera": "ridge/south"}, False),
        ({"rule": "another", "camera": CAMERA}, False),
    ],
)
def test_each_of_rule_and_camera_that_a_mute_names_is_the_alerts(names: dict[str, str], expected: bool) -> None:
    assert mutes(handled(MUTED, 0, hours=1, **names)).muted(alert(), START) is expected


def test_the_end_of_a_mute_ends_that_of_the_same_rule_and_camera_alone() -> None:
    rule, camera = handled(MUTED, 0, hours=1, rule=RULE), handled(MUTED, 0, hours=1, camera=CAMERA)
    assert muted_at(rule, handled(UNMUTED, 20, rule=RULE)) == [0, 10]
    assert muted_at(rule, camera, handled(UNMUTED, 20, rule=RULE)) == [0, 10, 20, 30, 40, 50]


def test_of_two_mutes_the_later_one_counts_and_what_was_muted_before_stays_so() -> None:
    assert muted_at(handled(MUTED, 0, hours=1), handled(MUTED, 20, hours=10 / 3600)) == [0, 10, 20]
    assert muted_at(handled(MUTED, 0, hours=10 / 3600), handled(MUTED, 30, hours=10 / 3600)) == [0, 30]


def test_the_last_event_counts_although_its_clock_is_behind() -> None:
    assert muted_at(handled(MUTED, 20, hours=1), handled(UNMUTED, 15)) == []


def test_what_means_nothing_changes_nothing() -> None:
    mute = handled(MUTED, 0, hours=1)
    without_names = mute.model_copy(update={"rule": None})
    without_end = mute.model_copy(update={"until": None})
    acknowledged = handled(AlertAction.ACKNOWLEDGED, 5).model_copy(update={"alert_id": "alr-1", "camera": CAMERA})
    assert muted_at(without_names) == muted_at(without_end) == muted_at(acknowledged) == []
    assert muted_at(mute, without_end, acknowledged) == [0, 10, 20, 30, 40, 50]


def test_the_mutes_in_force_are_known_at_the_start_and_later_ones_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [handled(MUTED, 0, hours=1), handled(MUTED, 0, hours=1, camera="ridge/south")]
    positions: list[dict[tuple[str, int], int]] = []
    unmuted = threading.Event()

    def read_topics(*_: Any, from_positions: Any, until_end: bool, stop: Any) -> Any:
        positions.append(dict(from_positions))
        if until_end:
            for offset, event in enumerate(before):
                yield Message("t", 0, offset, 0, event.key.encode(), event.to_bytes(), [])
            yield Message("t", 0, 2, 0, b"key", b"not JSON", [])
        else:
            unmuted.wait(60)
            yield Message("t", 0, 3, 0, b"key", handled(UNMUTED, 1).to_bytes(), [])
            stop.wait(60)

    monkeypatch.setattr(topic_follower, "read_topics", read_topics)
    found = Mutes()
    reader = MuteReader(Settings(), found)
    reader.start(60)
    try:
        assert found.muted(alert(), START + 5)
        unmuted.set()
        wait_until(lambda: not found.muted(alert(), START + 5), limit_s=10)
    finally:
        reader.close()
    assert positions[:2] == [{}, {("t", 0): 3}]


def test_a_topic_that_begins_again_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_follower, "_RETRY_INTERVAL_S", 0.01)
    rounds = []

    def read_topics(*_: Any, from_positions: Any, until_end: bool, stop: Any) -> Any:
        rounds.append(dict(from_positions))
        if until_end:
            yield Message("t", 0, 7, 0, b"key", handled(MUTED, 0, hours=1).to_bytes(), [])
        elif len(rounds) == 2:
            # The mute was lost; the broker has another one now.
            yield Message("t", 0, 0, 0, b"key", handled(MUTED, 0, hours=1, camera="ridge/south").to_bytes(), [])
        else:
            yield Message("t", 0, 0, 0, b"key", handled(MUTED, 0, hours=1, camera="ridge/west").to_bytes(), [])
            stop.wait(60)

    monkeypatch.setattr(topic_follower, "read_topics", read_topics)
    found = Mutes()
    reader = MuteReader(Settings(), found)
    reader.start(60)
    try:
        west = alert().model_copy(update={"camera": "ridge/west"})
        wait_until(lambda: found.muted(west, START), limit_s=10)
        assert not found.muted(alert(), START)
    finally:
        reader.close()
    assert rounds[2] == {}
