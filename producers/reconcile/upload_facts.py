"""What one message tells of an upload; pure. A million of them pass here, so that none is read further than needed."""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from uncia.events import DeadLetter
from uncia.ids import upload_id
from uncia.kafka.broker import Message
from uncia.producers.reconcile.ledger import Fact, Place

_UPLOAD_ID = re.compile(rb'\{"event":"[^"\\]+","upload_id":"([^"\\]+)"')
"""How `Event.to_bytes` begins; other writers' messages are parsed."""

_NOT_THERE = re.compile(rb'"reason":"(?:object-missing|object-changed|object-moved)"')
"""Rejections that say nothing of the content, but that it does not stand there (any more)."""

_UNREADABLE = b'"reason":"object-unreadable"'
_LONGEST_REJECTION = 4096
_SHA256 = re.compile(rb'"sha256":"([0-9a-f]{24})[0-9a-f]{40}"')
_HEAD = 8192
"""Bytes of a prediction within which its hash is: only names come before it."""

_BUCKETS = "/buckets/"


def upload_key(identity: str) -> bytes:
    """An upload id's own 12 bytes; 12 bytes of its hash where somebody else has made it."""
    try:
        raw = bytes.fromhex(identity.removeprefix("upl-"))
    except ValueError:
        raw = b""
    return raw if len(raw) == 12 else hashlib.sha256(identity.encode(errors="replace")).digest()[:12]


def object_keys(bucket: str, key: str, etag: str) -> tuple[bytes, bytes]:
    """Under which an object's upload and its path are known."""
    return upload_key(upload_id(bucket, key, etag)), path_key(f"{bucket}/{key}")


def path_key(path: str) -> bytes:
    """Of `<bucket>/<key>`."""
    return hashlib.sha256(b"path:" + path.encode(errors="replace")).digest()[:12]


def announcement(message: Message) -> Fact | None:
    """Of a message on an upload topic."""
    body = _parsed(message.value)
    upload = body.get("upload_id")
    if not upload or not isinstance(upload, str):
        return None
    return Fact(upload_key(upload), announced=message.timestamp_ms / 1000, place=_place(body))


def _place(body: dict[str, Any]) -> Place | None:
    """None where the announcement does not tell it."""
    words = [body.get(name) for name in ("bucket", "camera", "key", "etag", "uploaded_at")]
    size = body.get("size")
    if not all(isinstance(word, str) and word for word in words) or not isinstance(size, int) or not 0 < size < 2**63:
        return None
    bucket, camera, key, etag, uploaded_at = map(str, words)
    try:
        stored = datetime.fromisoformat(uploaded_at)
        if stored.tzinfo is None:
            return None
        at = stored.timestamp()
    except (ValueError, OverflowError):
        return None
    return Place(path_key(f"{bucket}/{key}"), camera, key, etag, size, at)


def answer(message: Message) -> Fact | None:
    """Of a message on the prediction topic. That a content does not stand there answers nothing while it does."""
    value = message.value or b""
    identity, at = _identity(value), message.timestamp_ms / 1000
    if not identity:
        return None
    if len(value) < _LONGEST_REJECTION:
        if _NOT_THERE.search(value):
            return Fact(upload_key(identity), withdrawn=at)
        if _UNREADABLE in value:
            # An answer for now: what the store did not hand out may come back, with a volume or a rule of access.
            return Fact(upload_key(identity), refused=at)
    found = _SHA256.search(value, 0, _HEAD)
    return Fact(upload_key(identity), answered=at, content=bytes.fromhex(found[1].decode()) if found else b"")


def refusal(message: Message, storage_topic: str) -> Fact | None:
    """Of a dead letter: about an object's path where a notification was refused, else about an upload."""
    at = message.timestamp_ms / 1000
    if DeadLetter.from_headers(message.headers).topic == storage_topic:
        path = (message.key or b"").decode(errors="replace").removeprefix(_BUCKETS)
        return Fact(path_key(path), refused=at) if path else None
    identity = _identity(message.value)
    return Fact(upload_key(identity), refused=at) if identity else None


def _identity(value: bytes | None) -> str | None:
    found = _UPLOAD_ID.match(value or b"")
    if found:
        return found[1].decode(errors="replace")
    identity = _parsed(value).get("upload_id")
    return identity if isinstance(identity, str) else None


def _parsed(value: bytes | None) -> dict[str, Any]:
    """Empty for what is no JSON object."""
    try:
        body = json.loads(value or b"")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
