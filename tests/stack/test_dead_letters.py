"""Dead letters on the real stack: listed, sent back once, put away; a flood stops the worker and loses no good one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer

from tests.stack.conftest import KIND, QUICK
from tests.stack.photographs import photograph
from tests.stack.witness import Refused, Witness
from uncia.events import ImagePredicted
from uncia.events.dead_letter import RETRIES
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.settings import Settings
from uncia.topics import STORAGE_CHANGED

Command = Callable[..., list[dict[str, Any]]]

MALFORMED = 300

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


@pytest.fixture
def dead_letters(stack: Stack) -> Command:
    """Run `uncia dead-letters ... --json`; returns its lines."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "dead-letters", *arguments, "--json"],
            env={**os.environ, **stack.environment()},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def announce(settings: Settings) -> Callable[..., None]:
    """Put messages on the store's topic, some of them with a key and headers."""

    def put(*values: bytes, key: bytes | None = None, headers: list[tuple[str, bytes]] | None = None) -> None:
        producer = KafkaProducer(bootstrap_servers=settings.kafka.split(","))
        try:
            for value in values:
                producer.send(STORAGE_CHANGED.full_name(settings), key=key, value=value, headers=headers or [])
            producer.flush()
        finally:
            producer.close()

    return put


@pytest.fixture
def restored(stack: Stack) -> Iterator[None]:
    """Afterwards intake runs with the settings of all other tests."""
    yield
    restart_intake(stack, {})


def restart_intake(stack: Stack, settings: dict[str, str]) -> None:
    layout = stack._current_layout()
    assert layout is not None
    Supervisor(layout).stop_parts(["intake"], 20)
    stack.up(["intake"], extra_env={**QUICK, **settings})


def intake(stack: Stack) -> PartStatus:
    return next(part for part in stack.status() if part.name == "intake")


def test_a_letter_goes_back_as_it_came_once_and_fails_as_a_new_one(
    announce: Callable[..., None], dead_letters: Command, witness: Witness, station: str
) -> None:
    raw = f"garbage of {station}".encode()
    announce(raw, key=station.encode(), headers=[("trace", b"\x00\xff")])
    witness.wait_for(lambda: witness.refused(lambda one: one.value == raw), 30, "a dead letter")
    mine = [one for one in dead_letters("list", "--reason", "notification-malformed") if one["key"] == station]
    assert [one["state"] for one in mine] == ["open"]

    (sent,) = dead_letters("retry", mine[0]["id"])
    assert sent["state"] == "retried"
    assert dead_letters("retry", mine[0]["id"]) == []

    def again() -> list[Refused]:
        return found if len(found := witness.refused(lambda one: one.value == raw)) == 2 else []

    first, second = witness.wait_for(again, 30, "the second dead letter")
    assert (second.key, second.value) == (first.key, first.value)
    assert f"{second.why.topic}:{second.why.partition}:{second.why.offset}" == sent["sent_to"]
    (anew,) = [one for one in dead_letters("list") if one["key"] == station]
    assert (anew["id"] != mine[0]["id"], anew["retries"]) == (True, 1)

    dead_letters("drop", anew["id"])
    assert [one for one in dead_letters("list") if one["key"] == station] == []
    states = {one["state"] for one in dead_letters("list", "--all-states") if one["key"] == station}
    assert states == {"retried", "dropped"}


def test_a_letter_is_shown_with_its_cause_and_its_bytes(
    announce: Callable[..., None], dead_letters: Command, witness: Witness, stack: Stack, station: str
) -> None:
    raw = b"\x12\x7f\x1b[31m" + station.encode()
    announce(raw, key=station.encode(), headers=[(RETRIES, b"3")])
    witness.wait_for(lambda: witness.refused(lambda one: one.value == raw), 30, "a dead letter")
    (mine,) = [one for one in dead_letters("list") if one["key"] == station]

    shown = subprocess.run(
        [sys.executable, "-m", "uncia", "dead-letters", "show", mine["id"]],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=600,
    ).stdout

    assert "notification-malformed" in shown
    assert "uncia-intake" in shown
    assert "12 7f 1b 5b 33 31 6d" in shown
    assert "\x1b" not in shown


def test_letters_are_chosen_by_reason_by_time_or_all_at_once(
    announce: Callable[..., None], dead_letters: Command, witness: Witness, station: str
) -> None:
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    raws = {f"garbage {number} of {station}".encode() for number in range(2)}
    announce(*raws, key=station.encode())

    def refused(times: int) -> Callable[[], bool]:
        return lambda: len(witness.refused(lambda one: one.value in raws)) == times * len(raws)

    def ours(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in lines if one["key"] == station]

    witness.wait_for(refused(1), 30, "two dead letters")
    assert ours(dead_letters("retry", "--reason", "object-missing", "--since", since)) == []
    assert ours(dead_letters("retry", "--all", "--since", "2199-01-01")) == []

    assert len(ours(dead_letters("retry", "--reason", "notification-malformed", "--since", since))) == 2
    witness.wait_for(refused(2), 30, "two more")
    assert len(ours(dead_letters("retry", "--all", "--since", since))) == 2
    witness.wait_for(refused(3), 30, "two more still")
    assert {one["retries"] for one in ours(dead_letters("list"))} == {2}
    assert len(ours(dead_letters("drop", "--all", "--since", since))) == 2
    assert ours(dead_letters("list", "--since", since)) == []


@pytest.mark.timeout(1200)
def test_a_flood_stops_intake_with_the_reason_in_status_and_loses_no_good_photograph(
    announce: Callable[..., None],
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    witness: Witness,
    dead_letters: Command,
    stack: Stack,
    station: str,
    restored: None,
) -> None:
    keys = [f"{station}/cam/{number}.jpg" for number in range(3)]
    for number, key in enumerate(keys):
        announce(*(f"flood of {station} {number} {one}".encode() for one in range(MALFORMED // len(keys))))
        upload(key, photograph(700 + number))

    def stopped() -> PartStatus | None:
        return part if (part := intake(stack)).state == "exited" else None

    seen = witness.wait_for(stopped, 60, "intake to stop")
    assert "messages are bad" in seen.detail
    assert "UNCIA_MAX_BAD_SHARE" in seen.detail
    assert not seen.ready
    letters = witness.refused(lambda one: station.encode() in (one.value or b""))
    assert len(letters) < MALFORMED

    restart_intake(stack, {"UNCIA_MAX_BAD_SHARE": "1"})

    for key in keys:
        assert predicted(key, 60).prediction is not None
    values = {f"flood of {station} {number} {one}".encode() for number in range(len(keys)) for one in range(100)}

    def all_of_them() -> bool:
        return {one.value for one in witness.refused(lambda one: one.value in values)} == values

    witness.wait_for(all_of_them, 60, "a dead letter for each malformed one")
    dead_letters("drop", "--reason", "notification-malformed")
    assert dead_letters("list", "--reason", "notification-malformed") == []
