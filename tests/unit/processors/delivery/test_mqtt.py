"""MQTT with a real broker on loopback."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from tests.certificates import Authority
from tests.unit.processors.delivery.examples import TAXA, alert, channel, deployment, secret_file
from tests.waiting import wait_until
from uncia.processors.delivery.channels import Channel, ChannelType
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.message import message_of
from uncia.processors.delivery.mqtt import MqttSender, topic_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@contextmanager
def broker(authority: Authority | None = None, users: Path | None = None) -> Iterator[int]:
    """A broker on a port of loopback; with TLS where there is an authority, with passwords where there is a file."""
    from amqtt.broker import Broker

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 20}
    if authority is not None:
        certfile, keyfile = authority.issue("broker", ["127.0.0.1"])
        listener |= {"ssl": True, "certfile": str(certfile), "keyfile": str(keyfile)}
    plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": users is None}}
    if users is not None:
        plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(users)}}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Any:
        served = Broker({"listeners": {"default": listener}, "plugins": plugins})
        await served.start()
        return served

    served = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(served.shutdown(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def subscriber(port: int) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The messages that a subscriber of everything gets."""
    got: list[tuple[str, dict[str, Any]]] = []
    client: Any = Client(CallbackAPIVersion.VERSION2)
    ready = threading.Event()
    client.on_connect = lambda *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: got.append((message.topic, json.loads(message.payload)))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(60)
    try:
        yield got
    finally:
        client.disconnect()
        client.loop_stop()


def mqtt(port: int, **changes: Any) -> Channel:
    return channel("broker", ChannelType.MQTT, **{"address": f"mqtt://127.0.0.1:{port}", "timeout_s": 5.0, **changes})


def send(one: Channel) -> None:
    MqttSender(one).send(message_of(alert(), one, deployment(), None, TAXA), None, False)


def test_a_message_arrives_at_its_topic() -> None:
    with broker() as port, subscriber(port) as got:
        send(mqtt(port, topic="reserve/{severity}/{camera}"))
        wait_until(lambda: got, limit_s=10)
    ((topic, body),) = got
    assert topic == "reserve/warning/ridge/north"
    assert body["key"] == "alr-1:1"
    assert "position" not in body


def test_a_retained_message_is_there_for_later_subscribers() -> None:
    with broker() as port:
        send(mqtt(port, retain=True))
        with subscriber(port) as got:
            wait_until(lambda: got, limit_s=10)


def test_a_connection_with_tls_checks_the_certificate(authority: Authority) -> None:
    with broker(authority) as port:
        send(mqtt(port, address=f"mqtts://127.0.0.1:{port}", cafile=authority.cafile))
        with pytest.raises(SendFailed) as caught:
            send(mqtt(port, address=f"mqtts://127.0.0.1:{port}"))
    assert not caught.value.may_have_arrived


def test_a_wrong_password_waits_for_an_operator(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"uncia:{PasswordHash((Argon2Hasher(),)).hash('right')}\n", encoding="utf-8")
    with broker(users=users) as port:
        send(mqtt(port, username="uncia", secret_file=secret_file(tmp_path, "right")))
        with pytest.raises(SendFailed, match="refused the connection") as caught:
            send(mqtt(port, username="uncia", secret_file=secret_file(tmp_path, "wrong")))
    assert caught.value.needs_operator and not caught.value.may_have_arrived


def test_a_missing_certificate_waits_for_an_operator(authority: Authority, tmp_path: Path) -> None:
    with broker(authority) as port, pytest.raises(SendFailed, match="none or its key cannot be read") as caught:
        one = mqtt(port, address=f"mqtts://127.0.0.1:{port}", cafile=authority.cafile, certfile=tmp_path / "none")
        send(one)
    assert caught.value.needs_operator


def test_a_broker_that_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SendFailed) as caught:
        send(mqtt(silent.getsockname()[1], timeout_s=1.0))
    assert caught.value.may_have_arrived


def test_a_broker_that_is_down_got_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SendFailed, match="Connection refused") as caught:
            send(mqtt(taken.getsockname()[1]))
    assert not caught.value.may_have_arrived


def test_names_cannot_add_wildcards_or_levels_to_a_topic() -> None:
    one = mqtt(1, topic="alerts/{station}/{rule}")
    message = message_of(alert(station="a/b+#"), one, None, None, TAXA)
    assert topic_of(message, one) == "alerts/a_b__/snow leopard at night"
