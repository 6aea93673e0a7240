"""Our own announcement of a stored object, in the form that every intake reads: an S3 event notification."""

import json
from datetime import UTC
from urllib.parse import quote_plus

from uncia.events.images import RECONCILE_SOURCE
from uncia.storage.object_store import StoredObject


def path_of(bucket: str, key: str) -> bytes:
    """Message key: the object's path."""
    return f"/buckets/{bucket}/{key}".encode()


def notification_of(bucket: str, stored: StoredObject, *, moved_to: str | None = None) -> bytes:
    """S3 event notification, schema 2.1, with the source that tells who announced.

    With `moved_to` that the object is gone, and under which key its content stands: a deletion to every reader that
    does not know more.
    """
    moved = {"movedTo": quote_plus(moved_to)} if moved_to is not None else {}
    record = {
        "eventVersion": "2.1",
        "eventSource": RECONCILE_SOURCE,
        "eventTime": stored.modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "eventName": "ObjectRemoved:Delete" if moved else "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket},
            "object": {"key": quote_plus(stored.key), "size": stored.size, "eTag": stored.etag, **moved},
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":")).encode()
