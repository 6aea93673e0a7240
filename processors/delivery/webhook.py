"""Webhooks: a signed POST with JSON, in the form of Standard Webhooks (https://www.standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import json
import time

from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.http_client import request
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.secret_file import read_secret

__all__ = ["WebhookSender", "signature", "signing_key"]

_PREFIX = "whsec_"
_SHORTEST_KEY = 16


class WebhookSender:
    """Sends to one webhook. Every attempt of one event has the same id and body, and a signature of its own time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns None. Raises `SendFailed` or `RefusedForGood`."""
        try:
            key = signing_key(read_secret(self._channel))
        except ValueError as error:
            raise SendFailed(str(error), may_have_arrived=False, needs_operator=True) from error
        body = json.dumps({"type": f"alert.{message.state.value}", "data": message.as_json()}).encode()
        now = int(time.time())
        request(
            "POST",
            self._channel.address,
            body,
            {
                "Content-Type": "application/json",
                "Idempotency-Key": message.key,
                "webhook-id": message.key,
                "webhook-timestamp": str(now),
                "webhook-signature": signature(key, message.key, now, body),
            },
            timeout_s=self._channel.timeout_s,
            cafile=self._channel.cafile,
            private_address=self._channel.private_address,
        )
        return None


def signing_key(secret: str) -> bytes:
    """The key of a secret `whsec_` and base64. Raises `ValueError`."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _SHORTEST_KEY:
        raise ValueError(f"the secret is not `{_PREFIX}` and base64 of at least {_SHORTEST_KEY} bytes")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: HMAC-SHA256 over id, Unix time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
