"""Interprets notifications of the store: objects that were stored, or changes to ignore. No Kafka, clock or network."""

import json
from dataclasses import dataclass
from datetime import datetime

from uncia.errors import PermanentError
from uncia.events.images import RECONCILE_SOURCE
from uncia.lanes import LANE_METADATA
from uncia.processors.intake import s3_records, seaweedfs
from uncia.processors.intake.client_metadata import file_time
from uncia.storage.object_store import normalized_etag

MAX_BYTES = 1_048_576
"""AWS sends at most 256 KB; SeaweedFS 80 bytes for every 4 MB of an object. A larger message is no notification."""

BUCKETS = "/buckets/"
"""SeaweedFS's folder of buckets."""

_VERSIONS = ".versions"
_MAX_ETAG_LENGTH = 256

_UPLOADS = ".uploads"
"""SeaweedFS's folder for the parts of multipart uploads, in each bucket."""


@dataclass(frozen=True)
class StoredObjectChange:
    """An object was stored, or stored again."""

    bucket: str
    key: str
    etag: str | None
    """None: not in the notification; it must be requested from the store."""
    size: int
    stored_at: datetime | None
    """By the store's clock; None where the notification has no plausible time."""
    version_id: str | None = None
    """In a versioned bucket."""
    lane: str | None = None
    """The lane that the uploader requested, unchecked; None: none requested, or not in the notification."""
    file_time: datetime | None = None
    """When the file was last changed on the uploader's computer (aware); None: not stored, or not in the
    notification."""
    by_reconcile: bool = False
    """Whether `uncia reconcile` announced it, not the store."""
    moved_to: str | None = None
    """For an object that was moved away: the key under which the same content is now."""


@dataclass(frozen=True)
class IgnoredChange:
    """A change that announces no photograph."""

    reason: str
    """One of deleted, folder, part, unchanged, outside-buckets, test."""


Change = StoredObjectChange | IgnoredChange | PermanentError


def parse_notification(value: bytes | None, key: bytes | None) -> list[Change]:
    """All changes in one message, in order; invalid ones as errors.

    `key` is the message's key, which is the object's path with SeaweedFS. Raises `PermanentError` with reason
    `notification-malformed`, `notification-unknown-version` or `notification-too-large`.
    """
    if not value:
        raise PermanentError("notification-malformed", "an empty message")
    if len(value) > MAX_BYTES:
        raise PermanentError(
            "notification-too-large", f"{len(value):,} bytes; a notification has {MAX_BYTES:,} at most"
        )
    if _is_json(value):
        return [_change_of_record(record) for record in s3_records.decode(value)] or [IgnoredChange("test")]
    event, path = seaweedfs.decode(value), (key or b"").decode(errors="replace")
    change = _change_of_filer_event(event, path)
    return [change, *_moved_away(event, path, change)]


def _is_json(value: bytes) -> bool:
    """Whether a message is JSON and not one of SeaweedFS's, which are protobuf."""
    if value.lstrip()[:1] not in (b"{", b"["):
        return False
    # A protobuf message cannot begin with a brace: that would be a group in field 15 or 11. But a newline is also the
    # tag of the old entry, and a brace the length of one of 123 or 91 bytes. Its attributes contain control characters,
    # which JSON does not permit.
    if not value.startswith(b"\n"):
        return True
    try:
        json.loads(value)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _change_of_record(record: s3_records.S3Record | PermanentError) -> Change:
    if isinstance(record, PermanentError):
        return record
    ours = record.source == RECONCILE_SOURCE
    moved_to = record.moved_to if ours else None
    if not record.created and moved_to is None:
        return IgnoredChange("deleted")
    if record.key.endswith("/"):
        return IgnoredChange("folder")
    return StoredObjectChange(
        record.bucket,
        record.key,
        _etag(record.etag),
        record.size,
        record.time,
        record.version_id,
        by_reconcile=ours,
        moved_to=moved_to,
    )


def _change_of_filer_event(event: seaweedfs.FilerEvent, path: str) -> Change:
    entry = event.new
    if entry is None or entry.delete_marker:
        return IgnoredChange("deleted")
    if entry.is_directory:
        return IgnoredChange("folder")
    # After a rename the message's key is the old path; the entry and its parent are where the object is now.
    parent = event.new_parent or path.rpartition("/")[0]
    bucket, key = _locate(parent, entry)
    if not key:
        return IgnoredChange("outside-buckets")
    if key.endswith("/"):
        return IgnoredChange("folder")
    if key.startswith(f"{_UPLOADS}/"):
        return IgnoredChange("part")
    if event.old is not None and _same_content(event.old, entry) and path == f"{parent}/{entry.name}":
        return IgnoredChange("unchanged")
    return StoredObjectChange(
        bucket,
        key,
        _etag(entry.etag),
        entry.size,
        entry.modified,
        entry.version_id,
        entry.metadata.get(LANE_METADATA),
        file_time(entry.metadata),
    )


def _moved_away(event: seaweedfs.FilerEvent, path: str, change: Change) -> list[Change]:
    """The other half of a rename: the upload under the old key, whose content is under the new one now."""
    old, new = event.old, event.new
    if (
        old is None
        or new is None
        or old.is_directory
        or not isinstance(change, StoredObjectChange)
        or change.etag is None
    ):
        return []
    bucket, key = _locate(path.rpartition("/")[0], old)
    if (bucket, key) == (change.bucket, change.key) or bucket != change.bucket or not key:
        return []
    if (old.etag, old.size) != (new.etag, new.size) or key.startswith(f"{_UPLOADS}/"):
        return []
    lane = old.metadata.get(LANE_METADATA)
    return [
        StoredObjectChange(bucket, key, change.etag, old.size, old.modified, old.version_id, lane, moved_to=change.key)
    ]


def _locate(parent: str, entry: seaweedfs.FilerEntry) -> tuple[str, str]:
    """Bucket and key of an entry; the key is empty outside all buckets.

    In a versioned bucket SeaweedFS has a folder for each object, `<key>.versions`, and in it a file for each version,
    `v_<version id>`. A folder of that name that a user created contains no such files.
    """
    path = f"{parent.rstrip('/')}/{entry.name}"
    if entry.version_id and entry.name == f"v_{entry.version_id}" and parent.endswith(_VERSIONS):
        path = parent.removesuffix(_VERSIONS)
    if not path.startswith(BUCKETS):
        return "", ""
    bucket, _, key = path.removeprefix(BUCKETS).partition("/")
    return bucket, key


def _same_content(old: seaweedfs.FilerEntry, new: seaweedfs.FilerEntry) -> bool:
    """Whether only attributes have changed, as those of a version do when a newer one is stored.

    An object that is stored again has another time; without an ETag it is unknown, and False.
    """
    return new.etag is not None and (old.etag, old.size, old.modified, old.version_id) == (
        new.etag,
        new.size,
        new.modified,
        new.version_id,
    )


def _etag(etag: str | None) -> str | None:
    """The ETag without quotes; None where no header can carry it: then it must be requested from the store."""
    etag = normalized_etag(etag)
    return etag if etag.isascii() and etag.isprintable() and 0 < len(etag) <= _MAX_ETAG_LENGTH else None
