"""Notifications about stored objects by reconcile: S3 event notifications, which every intake reads."""

import json
from datetime import UTC
from urllib.parse import quote_plus

from uncia.events.images import RECONCILE_SOURCE
from uncia.storage.object_store import StoredObject


def path_of(bucket: str, key: str) -> bytes:
    """The message key: the path of the object."""
    return f"/buckets/{bucket}/{key}".encode()


def notification_of(bucket: str, stored: StoredObject, *, moved_to: str | None = None) -> bytes:
    """An S3 event notification, schema 2.1, whose source names reconcile.

    With `moved_to` it states that the object was removed and under which key its content is stored: a deletion for
    readers that do not know this field.
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
