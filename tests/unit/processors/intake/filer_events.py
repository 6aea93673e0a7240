"""Makes SeaweedFS's notifications byte by byte."""

import asyncio
from datetime import UTC, datetime

from uncia.errors import PermanentError
from uncia.events import ImageUploaded
from uncia.processors.intake.worker import Intake

_MTIME = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())


def uploads_of(
    intake: Intake, raw: bytes, key: bytes | None, logged_at: datetime | None = None
) -> tuple[list[ImageUploaded], PermanentError | None]:
    """The uploads that a message announces, and the first error in it."""
    found, problem = asyncio.run(intake.events(raw, key, logged_at))
    return [one for one in found if isinstance(one, ImageUploaded)], problem


def event(
    old: bytes | None = None, new: bytes | None = None, parent: str = "/buckets/camera-uploads/ridge/cam-1"
) -> bytes:
    """An EventNotification."""
    return (
        (_field(1, old) if old is not None else b"")
        + (_field(2, new) if new is not None else b"")
        + _field(4, parent.encode())
    )


def entry(
    name: str,
    *,
    folder: bool = False,
    size: int = 10,
    mtime: int = _MTIME,
    md5: bytes = b"",
    s3_etag: str = "",
    chunk_etags: list[str] | None = None,
    chunk_ns: int = 0,
    metadata: dict[str, str] | None = None,
    version_id: str = "",
    delete_marker: bool = False,
) -> bytes:
    """An Entry."""
    attributes = _number(1, size) + _number(2, mtime) + (_field(14, md5) if md5 else b"")
    chunks = b"".join(_field(3, _number(4, chunk_ns) + _field(5, etag.encode())) for etag in (chunk_etags or []))
    extended = _field(5, _field(1, b"Seaweed-X-Amz-ETag") + _field(2, s3_etag.encode())) if s3_etag else b""
    versioning = {"Seaweed-X-Amz-Version-Id": version_id} if version_id else {}
    versioning |= {"Seaweed-X-Amz-Delete-Marker": "true"} if delete_marker else {}
    for header, value in {**(metadata or {}), **versioning}.items():
        extended += _field(5, _field(1, header.encode()) + _field(2, value.encode()))
    return _field(1, name.encode()) + (_number(2, 1) if folder else b"") + chunks + _field(4, attributes) + extended


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
