"""Dead letters on the real stack: list, show, retry and drop; a flood stops intake and loses no good photograph."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.stack.conftest import KIND, QUICK
from tests.stack.photographs import photograph
from tests.stack.result_consumer import RefusedMessage, ResultConsumer
from tests.waiting import SCALE
from uncia.events import ImagePredicted
from uncia.events.dead_letter import RETRIES
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.kafka.connection import connect_producer
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
def announce(settings: Settings, admin_settings: Settings) -> Callable[..., None]:
    """Produce messages to the store's topic, with a key and headers if given."""

    def put(*values: bytes, key: bytes | None = None, headers: list[tuple[str, bytes]] | None = None) -> None:
        producer = connect_producer(admin_settings)
        try:
            for value in values:
                producer.send(STORAGE_CHANGED.full_name(settings), key=key, value=value, headers=headers or [])
            producer.flush()
        finally:
            producer.close()

    return put


@pytest.fixture
def intake_restored(stack: Stack) -> Iterator[None]:
    """Restart intake after the test with the settings of all other tests."""
    yield
    restart_intake(stack, {})


def restart_intake(stack: Stack, settings: dict[str, str]) -> None:
    layout = stack._current_layout()
    assert layout is not None
    Supervisor(layout).stop_parts(["intake"], 20)
    stack.up(["intake"], extra_env={**QUICK, **settings}, timeout_s=SCALE * 120)


def intake(stack: Stack) -> PartStatus:
    return next(part for part in stack.status() if part.name == "intake")


def test_a_dead_letter_is_retried_once_unchanged_and_fails_as_a_new_one(
    announce: Callable[..., None], dead_letters: Command, results: ResultConsumer, station: str
) -> None:
    raw = f"garbage of {station}".encode()
    announce(raw, key=station.encode(), headers=[("trace", b"\x00\xff")])
    results.wait_for(lambda: results.dead_letters(lambda letter: letter.value == raw), 30, "a dead letter")
    open_letters = [
        letter for letter in dead_letters("list", "--reason", "notification-malformed") if letter["key"] == station
    ]
    assert [letter["state"] for letter in open_letters] == ["open"]

    (retried,) = dead_letters("retry", open_letters[0]["id"])
    assert retried["state"] == "retried"
    assert dead_letters("retry", open_letters[0]["id"]) == []

    def both_letters() -> list[RefusedMessage]:
        return matching if len(matching := results.dead_letters(lambda letter: letter.value == raw)) == 2 else []

    first, second = results.wait_for(both_letters, 30, "the second dead letter")
    assert (second.key, second.value) == (first.key, first.value)
    assert f"{second.cause.topic}:{second.cause.partition}:{second.cause.offset}" == retried["sent_to"]
    (new_letter,) = [letter for letter in dead_letters("list") if letter["key"] == station]
    assert (new_letter["id"] != open_letters[0]["id"], new_letter["retries"]) == (True, 1)

    dead_letters("drop", new_letter["id"])
    assert [letter for letter in dead_letters("list") if letter["key"] == station] == []
    states = {letter["state"] for letter in dead_letters("list", "--all-states") if letter["key"] == station}
    assert states == {"retried", "dropped"}


def test_a_dead_letter_is_shown_with_its_cause_and_its_bytes(
    announce: Callable[..., None], dead_letters: Command, results: ResultConsumer, stack: Stack, station: str
) -> None:
    raw = b"\x12\x7f\x1b[31m" + station.encode()
    announce(raw, key=station.encode(), headers=[(RETRIES, b"3")])
    results.wait_for(lambda: results.dead_letters(lambda letter: letter.value == raw), 30, "a dead letter")
    (listed,) = [letter for letter in dead_letters("list") if letter["key"] == station]

    shown = subprocess.run(
        [sys.executable, "-m", "uncia", "dead-letters", "show", listed["id"]],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=600,
    ).stdout

    assert "notification-malformed" in shown
    assert "uncia-intake" in shown
    assert "12 7f 1b 5b 33 31 6d" in shown
    assert "\x1b" not in shown


def test_dead_letters_are_selected_by_reason_by_time_or_all_at_once(
    announce: Callable[..., None], dead_letters: Command, results: ResultConsumer, station: str
) -> None:
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    messages = {f"garbage {number} of {station}".encode() for number in range(2)}
    announce(*messages, key=station.encode())

    def refused(times: int) -> Callable[[], bool]:
        return lambda: len(results.dead_letters(lambda letter: letter.value in messages)) == times * len(messages)

    def of_station(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [letter for letter in lines if letter["key"] == station]

    results.wait_for(refused(1), 30, "two dead letters")
    assert of_station(dead_letters("retry", "--reason", "object-missing", "--since", since)) == []
    assert of_station(dead_letters("retry", "--all", "--since", "2199-01-01")) == []

    assert len(of_station(dead_letters("retry", "--reason", "notification-malformed", "--since", since))) == 2
    results.wait_for(refused(2), 30, "two more")
    assert len(of_station(dead_letters("retry", "--all", "--since", since))) == 2
    results.wait_for(refused(3), 30, "two more still")
    assert {letter["retries"] for letter in of_station(dead_letters("list"))} == {2}
    assert len(of_station(dead_letters("drop", "--all", "--since", since))) == 2
    assert of_station(dead_letters("list", "--since", since)) == []


@pytest.mark.timeout(1200)
@pytest.mark.thorough
def test_a_flood_of_bad_messages_stops_intake_with_the_reason_in_status_and_loses_no_photograph(
    announce: Callable[..., None],
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    results: ResultConsumer,
    dead_letters: Command,
    stack: Stack,
    station: str,
    intake_restored: None,
) -> None:
    keys = [f"{station}/cam/{number}.jpg" for number in range(3)]
    for number, key in enumerate(keys):
        announce(*(f"flood of {station} {number} {index}".encode() for index in range(MALFORMED // len(keys))))
        upload(key, photograph(700 + number))

    def stopped() -> PartStatus | None:
        return part if (part := intake(stack)).state == "exited" else None

    stopped_part = results.wait_for(stopped, 60, "intake to stop")
    assert "messages are bad" in stopped_part.detail
    assert "UNCIA_MAX_BAD_SHARE" in stopped_part.detail
    assert not stopped_part.ready
    letters = results.dead_letters(lambda letter: station.encode() in (letter.value or b""))
    assert len(letters) < MALFORMED

    restart_intake(stack, {"UNCIA_MAX_BAD_SHARE": "1"})

    for key in keys:
        assert predicted(key, 60).prediction is not None
    values = {f"flood of {station} {number} {index}".encode() for number in range(len(keys)) for index in range(100)}

    def all_dead_lettered() -> bool:
        return {letter.value for letter in results.dead_letters(lambda letter: letter.value in values)} == values

    results.wait_for(all_dead_lettered, 60, "a dead letter for each malformed one")
    dead_letters("drop", "--reason", "notification-malformed")
    assert dead_letters("list", "--reason", "notification-malformed") == []
