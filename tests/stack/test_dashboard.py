"""The dashboard of the running stack over HTTP: what its forms change arrives in the stream, and comes back."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.stack.conftest import KIND, Send
from tests.stack.dashboard_client import Browser, SignIn
from tests.stack.deployments import load_deployment
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import wait_until
from uncia.audit import read_audit
from uncia.events import AlertAction, AlertHandled, AlertRaised, AlertState, BurstResolved, ReviewDecision
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.settings import Settings
from uncia.topics import ALERT_HANDLED, ALERT_RAISED, STORAGE_CHANGED

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


def test_a_review_revises_the_burst_and_the_page_shows_it(
    sign_in: SignIn,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    results: ResultConsumer,
    station: str,
) -> None:
    reviewer = sign_in("reviewer", station)
    upload(f"{station}/cam-1/IMG_0001.JPG", photograph(41))
    (burst,) = settled(f"{station}/cam-1")
    address = f"/bursts/{burst.burst_id}"

    def shown() -> Any:
        page = reviewer.read(address)
        return page if page and page["burst"]["revision"] >= burst.revision else None

    page = results.wait_for(shown, 30, "the burst on its page")
    assert reviewer.picture(f"/pictures/{burst.frames[0].image_id}/view.jpg").startswith(b"\xff\xd8")
    reviewer.open("/account")
    reviewer.send_json(
        "/review/decisions.json",
        {"burst_id": burst.burst_id, "revision": page["burst"]["revision"], "decision": "blank"},
    )

    def revised() -> BurstResolved | None:
        newest = max(results.bursts(f"{station}/cam-1"), key=lambda event: event.revision)
        return newest if newest.revision > burst.revision else None

    review = results.wait_for(revised, 30, "the reviewed burst").review
    assert review is not None and (review.reviewer, review.decision) == (station, ReviewDecision.BLANK)
    reviews = results.wait_for(lambda: reviewer.read(address)["reviews"], 30, "the review on the page")
    assert [(review["reviewer"], review["decision"]) for review in reviews] == [(station, "blank")]


def malformed_letters(operator: Browser, key: str) -> list[dict[str, Any]]:
    """The dead letters with this key on the page of an operator, of notifications that could not be read."""
    listed = operator.read("/operations?reason=notification-malformed")["dead_letters"]["letters"]
    return [letter for letter in listed if letter["key"] == key]


def test_an_operator_drops_a_dead_letter_and_a_reviewer_may_not(
    sign_in: SignIn,
    send: Send,
    settings: Settings,
    results: ResultConsumer,
    station: str,
) -> None:
    operator, reviewer = sign_in("operator", f"{station}-operator"), sign_in("reviewer", f"{station}-reviewer")
    send(STORAGE_CHANGED.full_name(settings), b"no notification", station.encode())

    def letters() -> list[dict[str, Any]]:
        return malformed_letters(operator, station)

    (letter,) = results.wait_for(letters, 30, "the dead letter on the page")
    reviewer.open("/account")
    assert reviewer.send("/operations/dead-letters", action="drop", letter=letter["id"]).status_code == 403
    operator.open("/operations")
    assert operator.send("/operations/dead-letters", action="drop", letter=letter["id"]).status_code == 303

    assert letters() == []
    settled = operator.read(f"/operations/dead-letters/{letter['id']}")["details"]["settled"]
    assert settled.startswith(f"dropped by {station}-operator")


def test_the_page_of_operations_names_the_workers_and_the_models_of_the_stream(
    sign_in: SignIn, settings: Settings, station: str
) -> None:
    page = sign_in("operator", station).read("/operations")

    assert page["problem"] is None
    assert {"predict", "bursts", "catalogue"} <= {worker["name"] for worker in page["workers"]}
    assert settings.model in {version["model"] for version in page["models"]["versions"] if version["in_stream"]}


def test_a_letter_that_an_operator_retries_is_processed_again(
    sign_in: SignIn,
    send: Send,
    settings: Settings,
    results: ResultConsumer,
    station: str,
) -> None:
    operator = sign_in("operator", station)
    send(STORAGE_CHANGED.full_name(settings), b"no notification", station.encode())

    def letters() -> list[dict[str, Any]]:
        return malformed_letters(operator, station)

    (letter,) = results.wait_for(letters, 30, "the dead letter on the page")
    operator.open("/operations")
    assert operator.send("/operations/dead-letters", action="retry", letter=letter["id"]).status_code == 303

    again = results.wait_for(lambda: [one for one in letters() if one["id"] != letter["id"]], 30, "it to fail again")
    assert [one["retries"] for one in again] == [letter["retries"] + 1]
    settled = operator.read(f"/operations/dead-letters/{letter['id']}")["details"]["settled"]
    assert settled.startswith(f"retried by {station}")


def test_a_ranger_acknowledges_an_alert_and_everybody_sees_it(
    sign_in: SignIn, admin_settings: Settings, settings: Settings, results: ResultConsumer, station: str
) -> None:
    ranger = sign_in("ranger", station)
    now = datetime.now(UTC)
    alert = AlertRaised(
        alert_id=f"alr-{station}",
        revision=1,
        state=AlertState.RAISED,
        rule="persons",
        station=station,
        camera=f"{station}/cam",
        summary=f"a person at {station}/cam",
        bursts=(),
        raised_at=now,
        updated_at=now,
    )
    send_to_cameras(admin_settings, ALERT_RAISED, [(alert.camera, alert.alert_id.encode(), alert.to_bytes())])
    address = f"/alerts/{alert.alert_id}"
    results.wait_for(lambda: ranger.read(address), 30, "the alert on its page")

    ranger.open(address)
    assert ranger.send(f"{address}/acknowledge", revision=1, note="I ride up.").status_code == 303

    assert results.wait_for(lambda: ranger.read(address)["alert"]["acknowledged"], 30, "the acknowledgement")
    messages = read_topics(settings, (ALERT_HANDLED,), from_beginning=True, until_end=True)
    events = [AlertHandled.from_bytes(message.value) for message in messages if message.value is not None]
    (handled,) = [event for event in events if event.alert_id == alert.alert_id]
    assert (handled.action, handled.by, handled.note) == (AlertAction.ACKNOWLEDGED, station, "I ride up.")


def test_the_stream_of_events_has_those_of_every_topic(
    sign_in: SignIn,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    station: str,
) -> None:
    upload(f"{station}/cam-1/IMG_0001.JPG", photograph(43))
    (burst,) = settled(f"{station}/cam-1")
    wanted = {"camera.image.uploaded.v1", "camera.image.predicted.v1", "camera.burst.resolved.v1"}
    seen: set[str] = set()
    for topic, event in sign_in("viewer", station).events("/events?after=0"):
        if event.get("camera") == burst.camera:
            seen.add(topic)
        if seen >= wanted:
            break
    assert seen >= wanted


def test_who_signs_in_and_who_reads_exact_positions_is_recorded(
    sign_in: SignIn, stack: Stack, station: str, tmp_path: Path
) -> None:
    load_deployment({**os.environ, **stack.environment()}, tmp_path, station, "cam-1")
    operator, viewer = sign_in("operator", f"{station}-operator"), sign_in("viewer", f"{station}-viewer")

    def recorded() -> set[tuple[str, str]]:
        return {(record["action"], record["who"]) for record in read_audit(stack.folder / "logs" / "audit.jsonl")}

    wait_until(lambda: operator.read("/numbers")["positions"], 30, "a position on the page")
    assert viewer.read("/numbers") is not None
    assert ("positions_read", f"{station}-operator") in recorded()
    assert ("positions_read", f"{station}-viewer") not in recorded()
    assert {("signed_in", f"{station}-operator"), ("signed_in", f"{station}-viewer")} <= recorded()
