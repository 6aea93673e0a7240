"""Reads S3 event notifications (JSON 2.1 to 2.6) as AWS, Ceph and MinIO write them."""

import json
import re
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import AliasChoices, AwareDatetime, BaseModel, BeforeValidator, Field, NonNegativeInt, ValidationError

from uncia.errors import PermanentError
from uncia.processors.intake.store_time import plausible_time

_MAJOR = "2"

MAX_RECORDS = 1_000
"""Stores write one record per message. Each costs time in the thread that also serves the broker connection."""

MAX_SIZE = 2**63 - 1
"""Largest object size in bytes: sizes are signed 64-bit numbers everywhere."""

_LEAP_SECOND = re.compile(r"(?<=T\d\d:\d\d):60")


def _without_leap_second(time: Any) -> Any:
    """Python's clock has no 23:59:60."""
    return _LEAP_SECOND.sub(":59", time) if isinstance(time, str) else time


class _Bucket(BaseModel):
    name: str = Field(min_length=1)


class _Object(BaseModel):
    key: str = Field(min_length=1, description="URL-encoded: `+` for a space, %xx")
    size: NonNegativeInt = Field(default=0, le=MAX_SIZE)
    etag: str | None = Field(default=None, validation_alias=AliasChoices("eTag", "etag"))
    version_id: str | None = Field(default=None, max_length=1024, validation_alias="versionId")
    moved_to: Any = Field(default=None, validation_alias="movedTo", description="URL-encoded; reconcile only")


class _S3(BaseModel):
    bucket: _Bucket
    object: _Object


class _Record(BaseModel):
    version: str = Field(validation_alias="eventVersion")
    name: str = Field(validation_alias="eventName")
    time: Annotated[AwareDatetime, BeforeValidator(_without_leap_second)] = Field(validation_alias="eventTime")
    source: Any = Field(default=None, validation_alias="eventSource", description="any value is accepted")
    s3: _S3


class S3Record:
    """One change in one bucket."""

    def __init__(self, record: _Record) -> None:
        stored = record.s3.object
        self.bucket = record.s3.bucket.name
        self.key = unquote_plus(stored.key)
        self.size = stored.size
        self.etag = stored.etag
        self.version_id = stored.version_id or None
        self.moved_to = unquote_plus(stored.moved_to) if isinstance(stored.moved_to, str) else None
        self.time: datetime | None = plausible_time(record.time)
        """None: an implausible time."""
        self.source = record.source
        # AWS writes `ObjectCreated:Put`, MinIO and older Cephs `s3:ObjectCreated:Put`.
        self.created = record.name.removeprefix("s3:").startswith("ObjectCreated:")


def decode(raw: bytes) -> list[S3Record | PermanentError]:
    """The records of one notification, invalid ones as errors; empty for AWS's test message.

    Raises `PermanentError` with reason `notification-malformed` where there are no records at all. Each record's
    error has that reason, or `notification-unknown-version`.
    """
    try:
        body: Any = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise PermanentError("notification-malformed", f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise PermanentError("notification-malformed", f"an object was expected, not {type(body).__name__}")
    if body.get("Event") == "s3:TestEvent":
        return []
    records = body.get("Records")
    if not isinstance(records, list) or not records:
        raise PermanentError("notification-malformed", "no `Records`: this is not an S3 event notification")
    if len(records) > MAX_RECORDS:
        raise PermanentError("notification-malformed", f"{len(records):,} records; the limit is {MAX_RECORDS:,}")
    return [_record(record) for record in records]


def _record(record: Any) -> S3Record | PermanentError:
    version = record.get("eventVersion") if isinstance(record, dict) else None
    if isinstance(version, str) and version and version.partition(".")[0] != _MAJOR:
        # Within a major version fields are only added; another one may use the same names with another meaning.
        return PermanentError("notification-unknown-version", f"S3 event version {version[:40]}; known is 2.x")
    try:
        return S3Record(_Record.model_validate(record))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return PermanentError("notification-malformed", f"S3 record: {where}: {first['msg']}")
