"""MQTT: one message per event with QoS 1, which is confirmed by the broker."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.http_client import connect, tls_context
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.secret_file import read_secret

__all__ = ["MqttSender", "topic_of"]

_PORTS = {"mqtts": 8883, "mqtt": 1883}
_KEEPALIVE_S = 60
_KEY_REFUSED = (134, 135)
"""Reason codes of MQTT 5, to which the client maps those of 3.1.1: a wrong user name or password, no authorisation."""


class MqttSender:
    """Sends to one broker, with a connection per message, whose session the broker forgets."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns None. Raises `SendFailed`."""
        channel = self._channel
        body = json.dumps({**message.as_json(), "key": message.key}).encode()
        client, failures = _client(channel)
        parts = urlsplit(channel.address)
        sent = False
        try:
            client.connect(parts.hostname or "", parts.port or _PORTS[parts.scheme], _KEEPALIVE_S)
            sent = True
            published = client.publish(topic_of(message, channel), body, qos=1, retain=channel.retain)
            client.loop_start()
            published.wait_for_publish(channel.timeout_s)
            if not published.is_published():
                if failures:
                    raise _refusal(*failures[-1])
                raise SendFailed(f"not confirmed within {channel.timeout_s:g} s", may_have_arrived=True)
        except (OSError, ValueError, RuntimeError) as error:
            if failures:
                raise _refusal(*failures[-1]) from error
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SendFailed(str(reason)[:200], may_have_arrived=sent) from error
        finally:
            client.disconnect()
            client.loop_stop()
        return None


def topic_of(message: AlertMessage, channel: Channel) -> str:
    """The topic of a message. Characters of names that have a meaning in topics become `_`; the camera's `/` stays."""
    values = {
        "station": _level(message.station),
        "camera": "/".join(_level(part) for part in message.camera.split("/")),
        "rule": _level(message.rule),
        "severity": message.severity.value,
        "alert_id": _level(message.alert_id),
    }
    return channel.topic.format_map(values)


def _level(name: str) -> str:
    return "".join("_" if one in "+#/$" or not one.isprintable() else one for one in name) or "_"


def _refusal(reason: str, of_key: bool) -> SendFailed:
    return SendFailed(reason, may_have_arrived=False, needs_operator=of_key)


def _client(channel: Channel) -> tuple[Any, list[tuple[str, bool]]]:
    """A client, and a list to which it adds why the broker refused it, and whether for its user or password."""
    # Here, so that other channels need no package for MQTT.
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    class CheckedClient(Client):
        """Connects to addresses that were checked, and encrypts as all channels do."""

        def _create_socket(self) -> socket.socket:
            parts = urlsplit(channel.address)
            host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
            raw = connect(host, port, channel.timeout_s, private_address=channel.private_address)
            if parts.scheme != "mqtts":
                return raw
            context = tls_context(channel.cafile)
            if channel.certfile is not None:
                try:
                    context.load_cert_chain(channel.certfile, channel.keyfile)
                except OSError as error:
                    raw.close()
                    problem = f"the certificate {channel.certfile} or its key cannot be read: {error.strerror}"
                    raise SendFailed(problem, may_have_arrived=False, needs_operator=True) from error
            return context.wrap_socket(raw, server_hostname=host)

    client = CheckedClient(CallbackAPIVersion.VERSION2, clean_session=True, reconnect_on_failure=False)
    client.connect_timeout = channel.timeout_s
    if channel.username:
        client.username_pw_set(channel.username, read_secret(channel))
    failures: list[tuple[str, bool]] = []

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            failures.append((f"the broker refused the connection: {reason}"[:200], reason.value in _KEY_REFUSED))

    client.on_connect = connected
    return client, failures
