"""What a notification means: objects that were stored, or nothing for us. Knows no Kafka, no clock, no network."""

from dataclasses import dataclass
from datetime import datetime

from uncia.errors import PermanentError
from uncia.events.images import RECONCILE_SOURCE
from uncia.lanes import LANE_METADATA
from uncia.processors.intake import s3_records, seaweedfs
from uncia.storage.object_store import normalized_etag

MAX_BYTES = 1_048_576
"""AWS sends 256 KB at most; SeaweedFS 80 bytes for every 4 MB of an object. More is no notification."""

BUCKETS = "/buckets/"
"""Where SeaweedFS keeps its buckets."""

_VERSIONS = ".versions"
_LONGEST_ETAG = 256

_UPLOADS = ".uploads"
"""SeaweedFS's folder for the parts of multipart uploads, in each bucket."""


@dataclass(frozen=True)
class Stored:
    """An object was stored, or stored anew."""

    bucket: str
    key: str
    etag: str | None
    """None: the notification does not tell; the store has to be asked."""
    size: int
    stored_at: datetime | None
    """By the store's clock; None where the notification gives no time that can be believed."""
    version_id: str | None = None
    """In a bucket that keeps versions."""
    lane: str | None = None
    """The lane that the uploader asked for, in its own words; None: it said nothing, or the store does not tell."""
    by_reconcile: bool = False
    """Told by our own reconcile, not by the store."""
    moved_to: str | None = None
    """Not stored, but gone: the key under which the same content is now."""


@dataclass(frozen=True)
class Ignored:
    """A change that is none of our business."""

    why: str
    """deleted, folder, part, unchanged, outside-buckets, test."""


Change = Stored | Ignored | PermanentError


def read(value: bytes | None, key: bytes | None) -> list[Change]:
    """All changes that one message tells of; those that cannot be understood as errors, in their place.

    `key` is the message's: SeaweedFS puts the object's path there. Raises `PermanentError` with reason
    `notification-malformed`, `notification-unknown-version` or `notification-too-large`.
    """
    if not value:
        raise PermanentError("notification-malformed", "an empty message")
    if len(value) > MAX_BYTES:
        raise PermanentError(
            "notification-too-large", f"{len(value):,} bytes; a notification has {MAX_BYTES:,} at most"
        )
    # A protobuf message cannot begin with a brace: that would be a group in field 15.
    if value.lstrip()[:1] in (b"{", b"["):
        return [_of_record(record) for record in s3_records.decode(value)] or [Ignored("test")]
    event, path = seaweedfs.decode(value), (key or b"").decode(errors="replace")
    change = _of_filer(event, path)
    return [change, *_left_behind(event, path, change)]


def _of_record(record: s3_records.S3Record | PermanentError) -> Change:
    if isinstance(record, PermanentError):
        return record
    ours = record.source == RECONCILE_SOURCE
    moved_to = record.moved_to if ours else None
    if not record.created and moved_to is None:
        return Ignored("deleted")
    if record.key.endswith("/"):
        return Ignored("folder")
    return Stored(
        record.bucket,
        record.key,
        _etag(record.etag),
        record.size,
        record.time,
        record.version_id,
        by_reconcile=ours,
        moved_to=moved_to,
    )


def _of_filer(event: seaweedfs.FilerEvent, path: str) -> Change:
    entry = event.new
    if entry is None or entry.delete_marker:
        return Ignored("deleted")
    if entry.is_directory:
        return Ignored("folder")
    # After a rename the message's key is the old path; the entry and its parent are where the object is now.
    parent = event.new_parent or path.rpartition("/")[0]
    bucket, key = _place(parent, entry)
    if not key:
        return Ignored("outside-buckets")
    if key.endswith("/"):
        return Ignored("folder")
    if key.startswith(f"{_UPLOADS}/"):
        return Ignored("part")
    if event.old is not None and _same_content(event.old, entry) and path == f"{parent}/{entry.name}":
        return Ignored("unchanged")
    lane = entry.metadata.get(LANE_METADATA)
    return Stored(bucket, key, _etag(entry.etag), entry.size, entry.modified, entry.version_id, lane)


def _left_behind(event: seaweedfs.FilerEvent, path: str, change: Change) -> list[Change]:
    """The other half of a rename: an upload under the old key, whose content is under the new one now."""
    old, new = event.old, event.new
    if old is None or new is None or old.is_directory or not isinstance(change, Stored) or change.etag is None:
        return []
    bucket, key = _place(path.rpartition("/")[0], old)
    if (bucket, key) == (change.bucket, change.key) or bucket != change.bucket or not key:
        return []
    if (old.etag, old.size) != (new.etag, new.size) or key.startswith(f"{_UPLOADS}/"):
        return []
    lane = old.metadata.get(LANE_METADATA)
    return [Stored(bucket, key, change.etag, old.size, old.modified, old.version_id, lane, moved_to=change.key)]


def _place(parent: str, entry: seaweedfs.Entry) -> tuple[str, str]:
    """Bucket and key of an entry; no key where it is outside of all buckets.

    In a bucket that keeps versions SeaweedFS has a folder for each object, `<key>.versions`, and in it a file for each
    version, `v_<version id>`. A folder of that name that somebody else has made holds no such files.
    """
    path = f"{parent.rstrip('/')}/{entry.name}"
    if entry.version_id and entry.name == f"v_{entry.version_id}" and parent.endswith(_VERSIONS):
        path = parent.removesuffix(_VERSIONS)
    if not path.startswith(BUCKETS):
        return "", ""
    bucket, _, key = path.removeprefix(BUCKETS).partition("/")
    return bucket, key


def _same_content(old: seaweedfs.Entry, new: seaweedfs.Entry) -> bool:
    """Only attributes have changed, as those of a version do when a newer one is stored.

    What is stored anew has another time; of what has no ETag it cannot be known.
    """
    return new.etag is not None and (old.etag, old.size, old.modified, old.version_id) == (
        new.etag,
        new.size,
        new.modified,
        new.version_id,
    )


def _etag(etag: str | None) -> str | None:
    """Without quotes; None for what no header can carry: the store has to be asked then."""
    etag = normalized_etag(etag)
    return etag if etag.isascii() and etag.isprintable() and 0 < len(etag) <= _LONGEST_ETAG else None
