"""EarthRanger and Gundi: an alert is an event there, created once and changed by its id afterwards."""

import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from uncia.events import AlertState, Severity
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.http_client import Response, request
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.pictures import Picture
from uncia.processors.delivery.secret_file import read_secret

__all__ = ["EarthRangerSender", "GundiSender", "details_of"]

_PRIORITIES = {Severity.INFO: 100, Severity.WARNING: 200, Severity.CRITICAL: 300}
"""Green, amber and red."""
_PAGE = 200
_MOST_PAGES = 5
_SEARCHED = timedelta(days=2)
"""Before the first photograph of the alert."""


class EarthRangerSender:
    """Creates and changes events of one EarthRanger site (`/api/v1.0`)."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._root = channel.address.rstrip("/") + "/api/v1.0/activity"

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns the id of the event. Raises `SendFailed` or `RefusedForGood`."""
        if remote_id is None and reached:
            # An earlier attempt may have created it before its answer was lost.
            remote_id = self._find(message)
        values = self._event(message)
        if remote_id is None:
            return _id_of(self._call("POST", f"{self._root}/events", values), ("data", "id"))
        del values["event_type"]
        self._call("PATCH", f"{self._root}/event/{quote(remote_id, safe='')}", values)
        return remote_id

    def attach(self, remote_id: str, picture: Picture, reached: bool) -> None:
        """Attach a picture to an event. Raises `SendFailed` or `RefusedForGood`."""
        url = f"{self._root}/event/{quote(remote_id, safe='')}/files/"
        # An earlier attempt may have attached it before its answer was lost.
        if not (reached and self._has_file(url, picture.name)):
            _upload(self._channel, url, "filecontent.file", picture, self._headers())

    def _has_file(self, url: str, name: str) -> bool:
        data = _parsed(self._call("GET", f"{url}?{urlencode({'page_size': _PAGE})}", None)).get("data")
        files = data.get("results") if isinstance(data, Mapping) else data
        if not isinstance(files, list):
            return False
        return any(isinstance(one, Mapping) and one.get("filename") == name for one in files)

    def _event(self, message: AlertMessage) -> dict[str, Any]:
        values: dict[str, Any] = {
            "event_type": self._channel.event_type,
            "title": message.title[:250],
            "time": _with_offset(message.started_at),
            "priority": _PRIORITIES[message.severity],
            "state": "resolved" if message.state is AlertState.WITHDRAWN else "active",
            "event_details": details_of(message),
        }
        if message.position is not None:
            values["location"] = {"latitude": message.position.latitude, "longitude": message.position.longitude}
        return values

    def _find(self, message: AlertMessage) -> str | None:
        """The id of the event that has this alert in its details; None: there is none."""
        since = (message.started_at.replace(tzinfo=message.started_at.tzinfo or UTC) - _SEARCHED).isoformat()
        for event in self._events(since):
            details = event.get("event_details")
            if isinstance(details, Mapping) and details.get("uncia_alert_id") == message.alert_id:
                return str(event["id"])
        return None

    def _events(self, since: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            query = {
                "filter": json.dumps({"date_range": {"lower": since}}),
                "include_details": "true",
                "page_size": _PAGE,
                "page": page,
            }
            found = _parsed(self._call("GET", f"{self._root}/events?{urlencode(query)}", None))
            data = found.get("data", found)
            results = data.get("results", []) if isinstance(data, Mapping) else []
            yield from (one for one in results if isinstance(one, Mapping) and "id" in one)
            if not isinstance(data, Mapping) or not data.get("next"):
                return

    def _call(self, method: str, url: str, values: Mapping[str, Any] | None) -> Response:
        return _json_request(self._channel, method, url, values, self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {_token(self._channel)}"}


class GundiSender:
    """Creates and changes events by Gundi's API (v2), which passes them on to the sites that it is connected to.

    Gundi has no search: where the answer to a creation is lost, the next attempt creates a second event, and where that
    to a picture is lost, it attaches a second one.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._root = channel.address.rstrip("/") + "/v2/events/"

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns Gundi's id of the event. Raises `SendFailed` or `RefusedForGood`."""
        if message.position is None:
            raise RefusedForGood("Gundi requires a position, and no deployment covers this alert")
        values = {
            "source": message.camera,
            "title": message.title[:250],
            "event_type": self._channel.event_type,
            "recorded_at": _with_offset(message.started_at),
            "location": {"lat": message.position.latitude, "lon": message.position.longitude},
            "event_details": details_of(message),
        }
        headers = {"apikey": _token(self._channel)}
        if remote_id is None:
            return _id_of(_json_request(self._channel, "POST", self._root, values, headers), ("object_id",))
        url = f"{self._root}{quote(remote_id, safe='')}/"
        if message.state is AlertState.WITHDRAWN:
            values["status"] = "resolved"
        _json_request(self._channel, "PATCH", url, values, headers)
        return remote_id

    def attach(self, remote_id: str, picture: Picture, reached: bool) -> None:
        """Attach a picture to an event. Raises `SendFailed` or `RefusedForGood`."""
        url = f"{self._root}{quote(remote_id, safe='')}/attachments/"
        _upload(self._channel, url, "file", picture, {"apikey": _token(self._channel)})


def details_of(message: AlertMessage) -> dict[str, Any]:
    """The details of an event: flat, by the names of `docs/delivery.md`, which the event type must have."""
    values = message.as_json()
    wanted = ("alert_id", "revision", "state", "rule", "camera", "taxon", "label", "confidence", "count", "link")
    return {f"uncia_{name}": values[name] for name in wanted if name in values}


def _token(channel: Channel) -> str:
    token = read_secret(channel)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SendFailed(f"{channel.secret_file} must contain one token", may_have_arrived=False, needs_operator=True)
    return token


def _upload(channel: Channel, url: str, field: str, picture: Picture, headers: Mapping[str, str]) -> None:
    """Send a picture as the file of a form, in a field with this name."""
    boundary = f"uncia-{secrets.token_hex(16)}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{picture.name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = b"".join((head.encode("ascii"), picture.jpeg, f"\r\n--{boundary}--\r\n".encode("ascii")))
    form = {"Accept": "application/json", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    _request(channel, "POST", url, body, {**form, **headers})


def _json_request(
    channel: Channel, method: str, url: str, values: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> Response:
    body = None if values is None else json.dumps(values).encode()
    about = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
    return _request(channel, method, url, body, {**about, **headers})


def _request(channel: Channel, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
    return request(
        method,
        url,
        body,
        headers,
        timeout_s=channel.timeout_s,
        cafile=channel.cafile,
        private_address=channel.private_address,
    )


def _parsed(response: Response) -> Mapping[str, Any]:
    try:
        found = json.loads(response.body) if response.complete else None
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise SendFailed(f"HTTP {response.status} without a whole JSON object", may_have_arrived=True)
    return found


def _id_of(response: Response, path: tuple[str, ...]) -> str:
    found: Any = _parsed(response)
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, str) or not 0 < len(found) <= 200:
        raise SendFailed(f"HTTP {response.status} without the id of the event", may_have_arrived=True)
    return found


def _with_offset(moment: datetime) -> str:
    """A time with an offset, which both require. Where no deployment states the camera's, its clock is taken as UTC."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()
