"""EarthRanger and Gundi by servers on loopback that check what their published schemas require."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from tests.unit.processors.delivery.examples import LATITUDE, LONGITUDE, TAXA, alert, channel, deployment, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, Receiver, Request, receiving
from uncia.events import AlertState
from uncia.processors.delivery.channels import Channel, ChannelType, PositionDetail
from uncia.processors.delivery.earthranger import EarthRangerSender, GundiSender
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.message import message_of

OFFSET = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([+-]\d{2}:\d{2}|Z)$"
EARTHRANGER: dict[str, Any] = {
    "type": "object",
    "required": ["title", "time", "priority", "state", "event_details"],
    "properties": {
        "event_type": {"const": "camera_trap_alert"},
        "title": {"type": "string", "maxLength": 255},
        "time": {"type": "string", "pattern": OFFSET},
        "priority": {"enum": [0, 100, 200, 300]},
        "state": {"enum": ["new", "active", "resolved"]},
        "location": {
            "type": "object",
            "required": ["latitude", "longitude"],
            "properties": {"latitude": {"type": "number"}, "longitude": {"type": "number"}},
        },
        "event_details": {"type": "object"},
    },
    "additionalProperties": False,
}
GUNDI: dict[str, Any] = {
    "type": "object",
    "required": ["title", "event_type", "recorded_at", "location"],
    "properties": {
        "source": {"type": "string"},
        "title": {"type": "string"},
        "event_type": {"const": "camera_trap_alert"},
        "recorded_at": {"type": "string", "pattern": OFFSET},
        "location": {
            "type": "object",
            "required": ["lat", "lon"],
            "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}},
            "additionalProperties": False,
        },
        "event_details": {"type": "object"},
        "status": {"enum": ["new", "active", "resolved"]},
    },
    "additionalProperties": False,
}


class Site:
    """An EarthRanger site: events by id, a search with pages, and how the next creations are answered."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.creations: list[Answer] = []
        self.page_size = 200

    def respond(self, request: Request) -> Answer:
        path = urlsplit(request.path)
        if request.headers.get("Authorization") != "Bearer t0ken":
            return Answer(401)
        if request.method == "GET" and path.path == "/api/v1.0/activity/events":
            return self._search(parse_qs(path.query))
        values = json.loads(request.body)
        jsonschema.validate(values, EARTHRANGER)
        if request.method == "POST" and path.path == "/api/v1.0/activity/events":
            if values.get("event_type") is None:
                return Answer(400)
            identity = f"event-{len(self.events) + 1}"
            self.events[identity] = values
            answer = Answer(
                201, body=json.dumps({"data": {"id": identity, **values}, "status": {"code": 201}}).encode()
            )
            return self.creations.pop(0) if self.creations else answer
        identity = path.path.removeprefix("/api/v1.0/activity/event/")
        if request.method != "PATCH" or identity not in self.events:
            return Answer(404)
        self.events[identity].update(values)
        return Answer(200, body=json.dumps({"data": self.events[identity]}).encode())

    def _search(self, query: dict[str, list[str]]) -> Answer:
        assert "lower" in json.loads(query["filter"][0])["date_range"]
        assert query["include_details"] == ["true"]
        page = int(query["page"][0])
        found = [{"id": identity, **values} for identity, values in self.events.items()]
        results = found[(page - 1) * self.page_size : page * self.page_size]
        following = "next" if page * self.page_size < len(found) else None
        body = {"data": {"count": len(found), "next": following, "results": results}}
        return Answer(200, body=json.dumps(body).encode())


def earthranger(receiver: Receiver, folder: Path, **changes: Any) -> Channel:
    values: dict[str, Any] = {"secret_file": secret_file(folder, "t0ken"), "event_type": "camera_trap_alert"}
    return channel("er", ChannelType.EARTHRANGER, address=receiver.url, timeout_s=2.0, **{**values, **changes})


def gundi(receiver: Receiver, folder: Path) -> Channel:
    one = earthranger(receiver, folder, trusted=True, position=PositionDetail.EXACT)
    return replace(one, name="gundi", type=ChannelType.GUNDI)


def deliver(
    sender: Callable[[Channel], Any],
    one: Channel,
    revision: int = 1,
    state: AlertState = AlertState.RAISED,
    **known: Any,
) -> str | None:
    message = message_of(alert(revision=revision, state=state), one, deployment(), None, TAXA)
    values = {"remote_id": None, "reached": False, **known}
    result: str | None = sender(one).send(message, values["remote_id"], values["reached"])
    return result


def test_an_alert_is_one_event_that_is_changed_and_resolved(tmp_path: Path) -> None:
    site = Site()
    with receiving(respond=site.respond) as receiver:
        one = earthranger(receiver, tmp_path)
        identity = deliver(EarthRangerSender, one)
        assert identity == "event-1"
        assert deliver(EarthRangerSender, one, 2, AlertState.UPDATED, remote_id=identity, reached=True) == identity
        deliver(EarthRangerSender, one, 3, AlertState.WITHDRAWN, remote_id=identity, reached=True)
    (event,) = site.events.values()
    assert event["state"] == "resolved"
    assert event["event_details"]["uncia_revision"] == 3
    assert event["time"] == "2026-05-01T21:36:00+05:00"
    assert "location" not in event


def test_only_a_trusted_channel_gets_a_location(tmp_path: Path) -> None:
    site = Site()
    with receiving(respond=site.respond) as receiver:
        deliver(EarthRangerSender, earthranger(receiver, tmp_path, trusted=True, position=PositionDetail.EXACT))
        deliver(EarthRangerSender, earthranger(receiver, tmp_path))
    located, plain = site.events.values()
    assert located["location"] == {"latitude": LATITUDE, "longitude": LONGITUDE}
    assert "location" not in plain


@pytest.mark.parametrize(
    "lost", [Answer(drop=True), Answer(hang=True), Answer(201, body=b'{"data"', cut=True), Answer(502)]
)
def test_an_event_whose_creation_was_not_confirmed_is_found_and_not_created_again(tmp_path: Path, lost: Answer) -> None:
    site = Site()
    site.creations.append(lost)
    site.page_size = 2
    with receiving(respond=site.respond) as receiver:
        one = earthranger(receiver, tmp_path)
        for number in range(4):
            site.events[f"other-{number}"] = {"event_details": {"uncia_alert_id": f"alr-other-{number}"}}
        with pytest.raises(SendFailed) as caught:
            deliver(EarthRangerSender, one)
        assert caught.value.may_have_arrived
        assert deliver(EarthRangerSender, one, reached=True) == "event-5"
    assert len(site.events) == 5


def test_an_event_that_was_not_created_is_created_after_the_search(tmp_path: Path) -> None:
    site = Site()
    with receiving(respond=site.respond) as receiver:
        assert deliver(EarthRangerSender, earthranger(receiver, tmp_path), reached=True) == "event-1"


def test_a_wrong_event_type_is_final_and_a_wrong_token_is_not(tmp_path: Path) -> None:
    site = Site()
    with receiving(Answer(400)) as receiver, pytest.raises(RefusedForGood, match="400"):
        deliver(EarthRangerSender, earthranger(receiver, tmp_path))
    with receiving(respond=site.respond) as receiver, pytest.raises(SendFailed, match="401") as caught:
        one = earthranger(receiver, tmp_path)
        secret_file(tmp_path, "0ther")
        deliver(EarthRangerSender, one)
    assert caught.value.needs_operator


def test_gundi_gets_an_event_with_its_position_and_changes(tmp_path: Path) -> None:
    requests: list[Request] = []

    def respond(request: Request) -> Answer:
        requests.append(request)
        if request.headers.get("apikey") != "t0ken":
            return Answer(401)
        if request.method == "POST":
            jsonschema.validate(json.loads(request.body), GUNDI)
            return Answer(200, body=b'{"object_id": "0f3c", "created_at": "2026-05-01T16:36:02Z"}')
        return Answer(200, body=b"{}")

    with receiving(respond=respond) as receiver:
        one = gundi(receiver, tmp_path)
        assert deliver(GundiSender, one) == "0f3c"
        deliver(GundiSender, one, 2, AlertState.WITHDRAWN, remote_id="0f3c", reached=True)
    assert [(request.method, request.path) for request in requests] == [
        ("POST", "/v2/events/"),
        ("PATCH", "/v2/events/0f3c/"),
    ]
    assert json.loads(requests[0].body)["location"] == {"lat": LATITUDE, "lon": LONGITUDE}


def test_gundi_gets_no_alert_without_a_position(tmp_path: Path) -> None:
    with receiving() as receiver, pytest.raises(RefusedForGood, match="no deployment"):
        one = gundi(receiver, tmp_path)
        GundiSender(one).send(message_of(alert(), one, None, None, TAXA), None, False)
    assert not receiver.requests
