"""Extracts the facts about an upload from one message. Pure functions.

Parses no more of a message than necessary, because a comparison can read millions.
"""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from uncia.camtrap.status_documents import report_of_key
from uncia.events import DeadLetter
from uncia.ids import upload_id
from uncia.kafka.broker import Message
from uncia.producers.reconcile.ledger import UploadFact, UploadLocation

_UPLOAD_ID = re.compile(rb'\{"event":"[^"\\]+","upload_id":"([^"\\]+)"')
"""The beginning of `Event.to_bytes`; messages of other writers are parsed as JSON."""

_NOT_STORED = re.compile(rb'"reason":"(?:object-missing|object-changed|object-moved|image-forgotten)"')
"""Rejections that do not concern the content: the object does not hold it (any more)."""

_UNREADABLE = b'"reason":"object-unreadable"'
_MAX_REJECTION_BYTES = 4096
_SHA256 = re.compile(rb'"sha256":"([0-9a-f]{24})[0-9a-f]{40}"')
_HEAD_BYTES = 8192
"""Length in bytes of the start of a prediction that contains the hash; only names precede it."""

_BUCKETS = "/buckets/"


def upload_key(identity: str) -> bytes:
    """Return the 12 bytes of an upload id; for an id of another form, 12 bytes of its SHA-256."""
    try:
        raw = bytes.fromhex(identity.removeprefix("upl-"))
    except ValueError:
        raw = b""
    return raw if len(raw) == 12 else hashlib.sha256(identity.encode(errors="replace")).digest()[:12]


def object_keys(bucket: str, key: str, etag: str) -> tuple[bytes, bytes]:
    """The keys of an object's upload, or status report, and of its path in the ledger."""
    if report := report_of_key(key):
        return report_key(*report), path_key(f"{bucket}/{key}")
    return upload_key(upload_id(bucket, key, etag)), path_key(f"{bucket}/{key}")


def path_key(path: str) -> bytes:
    """The ledger key of a path `<bucket>/<key>`."""
    return hashlib.sha256(b"path:" + path.encode(errors="replace")).digest()[:12]


def fact_of_upload(message: Message) -> UploadFact | None:
    """Extract facts from a message of an upload topic; None when it is not an upload event."""
    body = _json_object(message.value)
    upload = body.get("upload_id")
    if not upload or not isinstance(upload, str):
        return None
    return UploadFact(upload_key(upload), announced=message.timestamp_ms / 1000, location=_location(body))


def _location(body: dict[str, Any]) -> UploadLocation | None:
    """None when the event does not contain it."""
    texts = [body.get(name) for name in ("bucket", "camera", "key", "etag", "uploaded_at")]
    size = body.get("size")
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(size, int) or not 0 < size < 2**63:
        return None
    bucket, camera, key, etag, uploaded_at = map(str, texts)
    try:
        stored = datetime.fromisoformat(uploaded_at)
        if stored.tzinfo is None:
            return None
        at = stored.timestamp()
    except (ValueError, OverflowError):
        return None
    return UploadLocation(path_key(f"{bucket}/{key}"), camera, key, etag, size, at)


def fact_of_report(message: Message) -> UploadFact | None:
    """Extract facts from a message of the topic of status reports; None when it is no report.

    A report needs no answer: its event is all that becomes of it.
    """
    body, at = _json_object(message.value), message.timestamp_ms / 1000
    camera, report_id = body.get("camera"), body.get("report_id")
    if not isinstance(camera, str) or not isinstance(report_id, str):
        return None
    return UploadFact(report_key(camera, report_id), announced=at, answered=at)


def report_key(camera: str, report_id: str) -> bytes:
    """The ledger key of a status report; `camera` with its station."""
    return hashlib.sha256(f"report:{camera}/{report_id}".encode(errors="replace")).digest()[:12]


def fact_of_prediction(message: Message) -> UploadFact | None:
    """Extract facts from a message of the prediction topic; None without an upload id.

    A rejection because the object was overwritten is not a result: reconcile compares the current content.
    """
    value = message.value or b""
    identity, at = _upload_id(value), message.timestamp_ms / 1000
    if not identity:
        return None
    if len(value) < _MAX_REJECTION_BYTES:
        if _NOT_STORED.search(value):
            return UploadFact(upload_key(identity), withdrawn=at)
        if _UNREADABLE in value:
            # Not final: the object may become readable again, when a volume or an access rule is restored.
            return UploadFact(upload_key(identity), refused=at)
    found = _SHA256.search(value, 0, _HEAD_BYTES)
    return UploadFact(upload_key(identity), answered=at, content=bytes.fromhex(found[1].decode()) if found else b"")


def fact_of_refusal(message: Message, storage_topic: str) -> UploadFact | None:
    """Extract facts from a dead letter: about an object's path for a rejected notification, else about an upload."""
    at = message.timestamp_ms / 1000
    if DeadLetter.from_headers(message.headers).topic == storage_topic:
        path = (message.key or b"").decode(errors="replace").removeprefix(_BUCKETS)
        return UploadFact(path_key(path), refused=at) if path else None
    identity = _upload_id(message.value)
    return UploadFact(upload_key(identity), refused=at) if identity else None


def _upload_id(value: bytes | None) -> str | None:
    found = _UPLOAD_ID.match(value or b"")
    if found:
        return found[1].decode(errors="replace")
    identity = _json_object(value).get("upload_id")
    return identity if isinstance(identity, str) else None


def _json_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object, or an empty one for anything else."""
    try:
        body = json.loads(value or b"")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
