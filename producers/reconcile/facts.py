"""What one message tells of an upload; pure. A million of them pass here, so that none is read further than needed."""

import hashlib
import json
import re

from producers.reconcile.ledger import Fact
from uncia.broker import Message
from uncia.events import DeadLetter
from uncia.ids import upload_id

_UPLOAD_ID = re.compile(rb'\{"event":"[^"\\]+","upload_id":"([^"\\]+)"')
"""How `Event.to_bytes` begins; other writers' messages are parsed."""

_NEVER_SEEN = b'"reason":"object-missing"'
_UNREADABLE = b'"reason":"object-unreadable"'
_LONGEST_REJECTION = 4096
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
    identity = _identity(message.value)
    return Fact(upload_key(identity), announced=message.timestamp_ms / 1000) if identity else None


def answer(message: Message) -> Fact | None:
    """Of a message on the prediction topic. That an object could not be found answers nothing while it is stored."""
    value = message.value or b""
    if len(value) < _LONGEST_REJECTION and _NEVER_SEEN in value:
        return None
    identity = _identity(value)
    if identity and len(value) < _LONGEST_REJECTION and _UNREADABLE in value:
        # An answer for now: what the store did not hand out may come back, with a volume or a rule of access.
        return Fact(upload_key(identity), refused=message.timestamp_ms / 1000)
    return Fact(upload_key(identity), answered=True) if identity else None


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
    try:
        body = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    identity = body.get("upload_id") if isinstance(body, dict) else None
    return identity if isinstance(identity, str) else None
