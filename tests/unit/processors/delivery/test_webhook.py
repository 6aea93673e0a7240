"""Webhooks over real sockets: what arrives, and what comes of servers that hang, refuse, limit and die."""

import base64
import hashlib
import hmac
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.delivery.examples import KEY, LATITUDE, TAXA, alert, channel, deployment, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, Receiver, receiving
from uncia.processors.delivery.channels import Channel, PositionDetail
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.message import message_of
from uncia.processors.delivery.webhook import WebhookSender


def send(one: Channel, url: str | None = "https://uncia.example") -> None:
    WebhookSender(one).send(message_of(alert(), one, deployment(), url, TAXA), None, False)


def hook(receiver: Receiver, folder: Path, **changes: Any) -> Channel:
    changes.setdefault("secret_file", secret_file(folder))
    return channel(address=f"{receiver.url}/alerts?x=1", timeout_s=1.0, **changes)


def test_a_webhook_is_signed_and_carries_the_key_of_the_event(tmp_path: Path) -> None:
    with receiving() as receiver:
        send(hook(receiver, tmp_path))
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/alerts?x=1")
    assert request.headers["Idempotency-Key"] == request.headers["webhook-id"] == "alr-1:1"
    moment = request.headers["webhook-timestamp"]
    assert abs(int(moment) - time.time()) < 60
    signed = hmac.new(KEY, f"alr-1:1.{moment}.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
    body = json.loads(request.body)
    assert body["type"] == "alert.raised"
    assert body["data"]["taxon"] == "Panthera uncia"
    assert body["data"]["started_at"] == "2026-05-01T21:36:00+05:00"


def test_only_a_trusted_channel_gets_a_position_and_a_link(tmp_path: Path) -> None:
    with receiving() as receiver:
        send(hook(receiver, tmp_path))
        send(hook(receiver, tmp_path, trusted=True))
        send(hook(receiver, tmp_path, trusted=True, position=PositionDetail.EXACT))
    plain, linked, located = (request.body.decode() for request in receiver.requests)
    assert "bst-" not in plain and "https://" not in plain
    assert json.loads(linked)["data"]["link"] == "https://uncia.example/bursts/bst-5e1f"
    assert "47.12" not in plain + linked and "85.65" not in plain + linked
    assert json.loads(located)["data"]["position"]["latitude"] == LATITUDE


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 422])
def test_an_answer_that_no_further_attempt_can_change_is_final(tmp_path: Path, status: int) -> None:
    answer = Answer(status, {"Location": "http://127.0.0.1:1/"})
    with receiving(answer) as receiver, pytest.raises(RefusedForGood, match=str(status)):
        send(hook(receiver, tmp_path))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_waits_for_an_operator(tmp_path: Path, status: int) -> None:
    with (
        receiving(Answer(status)) as receiver,
        pytest.raises(SendFailed, match="the receiver refuses the key") as caught,
    ):
        send(hook(receiver, tmp_path))
    assert (caught.value.busy, caught.value.needs_operator, caught.value.may_have_arrived) == (True, True, False)


@pytest.mark.parametrize(
    ("status", "busy", "arrived"),
    [(408, True, False), (425, True, False), (429, True, False), (500, False, True), (503, True, True)],
)
def test_other_failures_are_tried_again(tmp_path: Path, status: int, busy: bool, arrived: bool) -> None:
    with receiving(Answer(status, {"Retry-After": "7"})) as receiver, pytest.raises(SendFailed) as caught:
        send(hook(receiver, tmp_path))
    assert (caught.value.busy, caught.value.may_have_arrived) == (busy, arrived)
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400, 86_400),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0, 0),
        ("-5", 0, 0),
        ("1e9", 86_400, 86_400),
    ],
)
def test_the_time_of_retry_after_is_limited(tmp_path: Path, value: str, least: float, most: float) -> None:
    with receiving(Answer(429, {"Retry-After": value})) as receiver, pytest.raises(SendFailed) as caught:
        send(hook(receiver, tmp_path))
    assert caught.value.retry_after_s is not None
    assert least <= caught.value.retry_after_s <= most


@pytest.mark.parametrize("value", ["soon", "nan"])
def test_a_retry_after_that_means_nothing_is_ignored(tmp_path: Path, value: str) -> None:
    with receiving(Answer(429, {"Retry-After": value})) as receiver, pytest.raises(SendFailed) as caught:
        send(hook(receiver, tmp_path))
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize("answer", [Answer(hang=True), Answer(drip=True)], ids=["hangs", "drips"])
def test_a_server_that_never_finishes_is_left_in_time(tmp_path: Path, answer: Answer) -> None:
    with receiving(answer) as receiver:
        started = time.monotonic()
        with pytest.raises(SendFailed, match="no answer within 1 s") as caught:
            send(hook(receiver, tmp_path))
        assert time.monotonic() - started < 20
    assert caught.value.may_have_arrived


def test_a_connection_that_ends_without_an_answer_may_have_delivered(tmp_path: Path) -> None:
    with receiving(Answer(drop=True)) as receiver, pytest.raises(SendFailed) as caught:
        send(hook(receiver, tmp_path))
    assert caught.value.may_have_arrived


def test_a_confirmation_whose_body_breaks_off_is_a_confirmation(tmp_path: Path) -> None:
    with receiving(Answer(200, body=b"{", cut=True)) as receiver:
        send(hook(receiver, tmp_path))


def test_a_refused_connection_has_delivered_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(SendFailed, match="Connection refused") as caught:
            send(channel(address=url, secret_file=secret_file(tmp_path)))
    assert not caught.value.may_have_arrived


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.1.1", "[fd00::1]", "[::ffff:10.0.0.1]", "169.254.169.254"])
def test_a_private_address_is_not_connected_to(tmp_path: Path, host: str) -> None:
    with pytest.raises(SendFailed, match=r"private address|not permitted") as caught:
        send(channel(address=f"https://{host}/", secret_file=secret_file(tmp_path)))
    assert not caught.value.may_have_arrived


def test_the_addresses_of_the_link_are_never_permitted(tmp_path: Path) -> None:
    with pytest.raises(SendFailed, match="not permitted"):
        send(channel(address="https://169.254.169.254/", secret_file=secret_file(tmp_path), private_address=True))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "a password"])
def test_without_a_usable_secret_nothing_is_sent(tmp_path: Path, secret: str) -> None:
    with receiving() as receiver, pytest.raises(SendFailed) as caught:
        one = hook(receiver, tmp_path)
        secret_file(tmp_path, secret)
        send(one)
    assert not receiver.requests
    assert not caught.value.may_have_arrived
    assert not secret or secret not in caught.value.reason.replace("`whsec_`", "")
