"""Apprise against a server on loopback, by its own scheme for JSON."""

import json
from pathlib import Path

import pytest

from tests.unit.processors.delivery.examples import TAXA, alert, channel, deployment, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, receiving
from uncia.processors.delivery.apprise_channel import AppriseSender
from uncia.processors.delivery.channels import ChannelType
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.message import message_of

# Of one of its modules, under Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def send(folder: Path, url: str) -> None:
    one = channel("chat", ChannelType.APPRISE, secret_file=secret_file(folder, url), timeout_s=2.0)
    AppriseSender(one).send(message_of(alert(), one, deployment(), "https://uncia.example", TAXA), None, False)


def test_a_service_gets_title_and_text(tmp_path: Path) -> None:
    with receiving(Answer(200)) as receiver:
        send(tmp_path, receiver.url.replace("http", "json"))
    (request,) = receiver.requests
    body = json.loads(request.body)
    assert body["title"].startswith("snow leopard")
    assert "Rule: snow leopard at night" in body["message"]
    assert "47.12" not in request.body.decode() and "https://uncia" not in request.body.decode()


@pytest.mark.parametrize("answer", [Answer(500), Answer(403), Answer(hang=True), Answer(drop=True)])
def test_every_failure_is_tried_again(tmp_path: Path, answer: Answer) -> None:
    with receiving(answer) as receiver, pytest.raises(SendFailed) as caught:
        send(tmp_path, receiver.url.replace("http", "json"))
    assert caught.value.may_have_arrived


@pytest.mark.parametrize("content", ["nonsense", "unknown://x", "json://127.0.0.1:1 json://127.0.0.1:2"])
def test_a_file_without_exactly_one_known_url_sends_nothing(tmp_path: Path, content: str) -> None:
    with pytest.raises(SendFailed) as caught:
        send(tmp_path, content)
    assert not caught.value.may_have_arrived
    assert content not in caught.value.reason
