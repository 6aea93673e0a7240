"""Reads SeaweedFS's `filer_pb.EventNotification` straight from protobuf's wire format.

Ten fields are needed of a schema that is not ours and grows with every release: a reader of the wire format skips
what it does not know and needs neither generated code nor a copy of the schema. Field numbers were read in
SeaweedFS's filer.proto and checked against what 4.48 sends:

    EventNotification  old_entry 1, new_entry 2, new_parent_path 4
    Entry              name 1, is_directory 2, chunks 3, attributes 4, extended 5 (map: key 1, value 2)
    FuseAttributes     file_size 1, mtime 2 (seconds), md5 14 (16 bytes; absent after a multipart upload)
    FileChunk          modified_ts_ns 4, e_tag 5 (base64 of the chunk's MD5)
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from uncia.errors import PermanentError
from uncia.processors.intake.store_time import believable_seconds

Field = tuple[int, int | bytes]

_METADATA = b"x-amz-meta-"
_VERSION_ID = b"Seaweed-X-Amz-Version-Id"
_DELETE_MARKER = b"Seaweed-X-Amz-Delete-Marker"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True)
class Entry:
    """A file or a folder, before or after a change."""

    name: str
    is_directory: bool
    size: int
    modified: datetime | None
    """None: a time that no store's clock shows. Whoever mounts the store sets times at will."""
    etag: str | None
    """As S3 gives it; None where the notification does not tell it."""
    version_id: str | None = None
    """In a bucket that keeps versions; `null` for what was stored while it did not."""
    delete_marker: bool = False
    """Stands for a deletion in a bucket that keeps versions; holds nothing."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What the uploader said in `x-amz-meta-` headers: lower-case names without that prefix."""


@dataclass(frozen=True)
class FilerEvent:
    """One change. Created: no `old`. Deleted: no `new`. Renamed: both, and `new_parent` differs."""

    old: Entry | None
    new: Entry | None
    new_parent: str


def decode(raw: bytes) -> FilerEvent:
    """Read one notification. Raises `PermanentError` with reason `notification-malformed`."""
    try:
        # Of a field that comes twice the last one counts, so that only that one is looked into.
        fields = dict(_fields(raw))
        old, new = (_entry(entry) if isinstance(entry := fields.get(number), bytes) else None for number in (1, 2))
        parent = _bytes(fields, 4).decode()
    except (ValueError, OverflowError, OSError) as error:
        raise PermanentError("notification-malformed", f"no EventNotification of SeaweedFS: {error}") from error
    if old is None and new is None:
        raise PermanentError("notification-malformed", "an EventNotification of SeaweedFS without any entry")
    return FilerEvent(old, new, parent)


def _entry(raw: bytes) -> Entry:
    name, is_directory, size, mtime, md5 = "", False, 0, 0, b""
    chunks: list[dict[int, int | bytes]] = []
    extended: dict[bytes, bytes] = {}
    for number, value in _fields(raw):
        if number == 2 and isinstance(value, int):
            is_directory = bool(value)
        elif not isinstance(value, bytes):
            continue
        elif number == 1:
            name = value.decode()
        elif number == 3:
            chunks.append(dict(_fields(value)))
        elif number == 4:
            attributes = dict(_fields(value))
            size, mtime, md5 = _int(attributes, 1), _int(attributes, 2), _bytes(attributes, 14)
        elif number == 5:
            pair = dict(_fields(value))
            extended[_bytes(pair, 1)] = _bytes(pair, 2)
    etag = _etag(extended, md5, chunks)
    version_id = extended.get(_VERSION_ID, b"").decode(errors="replace") or None
    marker = extended.get(_DELETE_MARKER, b"") == b"true"
    return Entry(name, is_directory, size, _modified(mtime, chunks), etag, version_id, marker, _metadata(extended))


def _metadata(extended: dict[bytes, bytes]) -> dict[str, str]:
    """User metadata; the store capitalises the headers' names as HTTP libraries do."""
    return {
        name[len(_METADATA) :].decode(errors="replace").lower(): value.decode(errors="replace")
        for name, value in extended.items()
        if name.lower().startswith(_METADATA)
    }


def _modified(mtime: int, chunks: list[dict[int, int | bytes]]) -> datetime | None:
    """When the store took it. The entry tells whole seconds; its last chunk, of the same second, tells the rest.

    A negative number is a very large one on the wire, and no time.
    """
    last_ns = max((_int(chunk, 4) for chunk in chunks), default=0)
    return believable_seconds(last_ns / 1e9 if last_ns // 1_000_000_000 == mtime else mtime)


def _etag(extended: dict[bytes, bytes], md5: bytes, chunks: list[dict[int, int | bytes]]) -> str | None:
    """S3's own where an S3 client wrote it (a multipart upload's too); else the MD5, which is the same."""
    stored = extended.get(b"Seaweed-X-Amz-ETag", b"").decode(errors="replace").strip('"')
    if stored:
        return stored
    if not md5 and len(chunks) == 1:
        try:
            md5 = base64.b64decode(_bytes(chunks[0], 5), validate=True)
        except binascii.Error:
            return None
    return md5.hex() or None


def _int(fields: dict[int, int | bytes], number: int) -> int:
    value = fields.get(number, 0)
    return value if isinstance(value, int) else 0


def _bytes(fields: dict[int, int | bytes], number: int) -> bytes:
    value = fields.get(number, b"")
    return value if isinstance(value, bytes) else b""


def _fields(raw: bytes) -> Iterator[Field]:
    """Number and value of each field, in the order of the wire. Raises `ValueError` where the bytes make no sense."""
    at, end = 0, len(raw)
    while at < end:
        tag, at = _varint(raw, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if kind == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(raw, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > end:
            raise ValueError(f"field {number} breaks off")
        yield number, raw[at : at + length]
        at += length


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A base-128 number, least significant part first, of ten bytes at most; and where the next byte is."""
    value = 0
    for place, byte in enumerate(raw[at : at + 10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number breaks off")
