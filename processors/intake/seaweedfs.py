"""Reads SeaweedFS's notifications (`filer_pb.EventNotification`) by the schema in `filer_event.proto`.

Only ten fields are needed of a schema that is not ours and grows with every release; protobuf skips all others.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import DecodeError

from uncia.errors import PermanentError
from uncia.processors.intake.filer_event_pb2 import Entry, EventNotification, FileChunk
from uncia.processors.intake.store_time import plausible_seconds

_METADATA = b"x-amz-meta-"
_VERSION_ID = b"Seaweed-X-Amz-Version-Id"
_DELETE_MARKER = b"Seaweed-X-Amz-Delete-Marker"
_S3_ETAG = b"Seaweed-X-Amz-ETag"


@dataclass(frozen=True)
class FilerEntry:
    """A file or a folder, before or after a change."""

    name: str
    is_directory: bool
    size: int
    modified: datetime | None
    """None: an implausible time. Clients that mount the store can set any time."""
    etag: str | None
    """The ETag as S3 returns it; None where the notification does not contain it."""
    version_id: str | None = None
    """In a versioned bucket; `null` for what was stored while versioning was off."""
    delete_marker: bool = False
    """Whether it marks a deletion in a versioned bucket; it has no content."""
    metadata: dict[str, str] = field(default_factory=dict)
    """User metadata from `x-amz-meta-` headers: lower-case names without that prefix."""


@dataclass(frozen=True)
class FilerEvent:
    """One change. Created: no `old`. Deleted: no `new`. Renamed: both, with another `new_parent`."""

    old: FilerEntry | None
    new: FilerEntry | None
    new_parent: str


def decode(raw: bytes) -> FilerEvent:
    """Decode one notification. Raises `PermanentError` with reason `notification-malformed`."""
    try:
        message = EventNotification.FromString(raw)
        old = _entry(message.old_entry) if message.HasField("old_entry") else None
        new = _entry(message.new_entry) if message.HasField("new_entry") else None
        parent = message.new_parent_path.decode()
    except (DecodeError, ValueError) as error:
        raise PermanentError("notification-malformed", f"no EventNotification of SeaweedFS: {error}") from error
    if old is None and new is None:
        raise PermanentError("notification-malformed", "an EventNotification of SeaweedFS without any entry")
    return FilerEvent(old, new, parent)


def _entry(message: Entry) -> FilerEntry:
    attributes = message.attributes
    extended = {pair.key: pair.value for pair in message.extended}
    return FilerEntry(
        name=message.name.decode(),
        is_directory=message.is_directory,
        size=attributes.file_size,
        modified=_modified(attributes.mtime, message.chunks),
        etag=_etag(extended, attributes.md5, message.chunks),
        version_id=extended.get(_VERSION_ID, b"").decode(errors="replace") or None,
        delete_marker=extended.get(_DELETE_MARKER, b"") == b"true",
        metadata=_metadata(extended),
    )


def _metadata(extended: dict[bytes, bytes]) -> dict[str, str]:
    """User metadata; the store capitalises header names as HTTP libraries do."""
    return {
        name[len(_METADATA) :].decode(errors="replace").lower(): value.decode(errors="replace")
        for name, value in extended.items()
        if name.lower().startswith(_METADATA)
    }


def _modified(mtime: int, chunks: Sequence[FileChunk]) -> datetime | None:
    """When the object was stored. The entry has whole seconds; its last chunk, if of the same second, has the rest."""
    last_ns = max((chunk.modified_ts_ns for chunk in chunks), default=0)
    return plausible_seconds(last_ns / 1e9 if last_ns // 1_000_000_000 == mtime else mtime)


def _etag(extended: dict[bytes, bytes], md5: bytes, chunks: Sequence[FileChunk]) -> str | None:
    """The ETag that an S3 client's upload was given (a multipart upload's too); else the MD5, which is the same."""
    stored = extended.get(_S3_ETAG, b"").decode(errors="replace").strip('"')
    if stored:
        return stored
    if not md5 and len(chunks) == 1:
        try:
            md5 = base64.b64decode(chunks[0].e_tag, validate=True)
        except binascii.Error:
            return None
    return md5.hex() or None
