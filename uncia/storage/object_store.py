"""Object storage: any S3. One client per process; boto3's clients may be shared between threads."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import boto3
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.session import Session
from botocore.utils import get_environ_proxies

from uncia.errors import DependencyDown, PermanentError, SettingsError, UnciaError
from uncia.events.images import OBJECT_CHANGED
from uncia.settings import Settings

_CONNECT_S = 5
_SIGNED_FOR_S = 900
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_MISSING = {"NoSuchKey", "404", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405"}
"""405: the requested version is a delete marker."""
_CHANGED = {"PreconditionFailed", "412"}
_VERSIONLESS = {"NoSuchVersion", "NoSuchKey", "404", "405", "MethodNotAllowed", "InvalidArgument", "400"}
"""Answers to a request with a version id that a request without one may still satisfy: the version was removed, or the
bucket keeps none (any more)."""

_SENDABLE_ETAG = re.compile(r"[\x21\x23-\x7e]{1,256}")
# Final errors about this one key or object; a retry cannot change them.
_UNREADABLE = {"InvalidArgument", "InvalidObjectName", "InvalidObjectState", "InvalidURI", "KeyTooLongError"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"}

_NO_BUCKET = "NoSuchBucket"

# A store that answers with no XML, or with headers that are no numbers, ends in the last two.
_STORE_ERRORS = (ClientError, BotoCoreError, HTTPClientError, OSError, ResponseParserError, ValueError)


class ObjectMissing(PermanentError):
    """The object is not there (any more)."""


class ObjectChanged(PermanentError):
    """The key holds other content than was announced.

    `modified`: when the store took the present content, to the second; None where it does not say.
    """

    def __init__(self, message: str, modified: datetime | None = None) -> None:
        super().__init__(OBJECT_CHANGED, message)
        self.modified = modified


class AccessRefused(UnciaError):
    """The store does not accept our credentials, or they do not allow this."""


class BucketMissing(DependencyDown):
    """The store answers and has no such bucket: workers wait, because a person has to create it or name another."""


class ObjectTooLarge(PermanentError):
    """The object is larger than the reader is willing to take."""


class ObjectUnreadable(PermanentError):
    """The store does not hand this object out: a name that it does not take, an object in an archive, or one that
    fails repeatedly while others can be read."""


@dataclass(frozen=True)
class StoredObject:
    """One line of a listing."""

    key: str
    etag: str
    size: int
    modified: datetime
    version_id: str | None = None
    """Only of listed versions."""


@dataclass(frozen=True)
class ObjectContent:
    """The bytes of one object, and the ETag that the store gave with them (without quotes; "" where it gave none)."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class ObjectInfo:
    """What a HEAD request says of an object."""

    etag: str
    size: int
    modified: datetime | None


class ObjectStore:
    """Reads and writes objects; turns the store's many errors into ours."""

    def __init__(
        self, settings: Settings, *, max_connections: int = 16, timeout_s: float = 30, attempts: int = 3
    ) -> None:
        secret = settings.s3_secret_key
        self.endpoint = settings.s3_endpoint or "Amazon S3"
        try:
            self.client = boto3.client(
                "s3",
                endpoint_url=settings.s3_endpoint,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"} if settings.s3_endpoint else {},
                    max_pool_connections=max_connections,
                    connect_timeout=_CONNECT_S,
                    read_timeout=timeout_s,
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    # Other stores than Amazon's do not all know the newer default checksums.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except (BotoCoreError, ValueError) as error:
            # boto3's own search for credentials may find half of them, or a profile that is not there.
            raise SettingsError(f"the object store cannot be used: {error}") from error
        self._http = URLLib3Session(
            verify=Session().get_config_variable("ca_bundle") or True,
            proxies=get_environ_proxies(self.client.meta.endpoint_url),
            timeout=(_CONNECT_S, timeout_s),
            max_pool_connections=max_connections,
        )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self._http.close()

    def get(self, bucket: str, key: str, *, max_bytes: int) -> bytes:
        """All bytes of an object, whatever content it holds now. Raises as `read` does, without `ObjectChanged`."""
        return self.read(bucket, key, max_bytes=max_bytes).data

    def read(
        self, bucket: str, key: str, *, max_bytes: int, etag: str = "", size: int = 0, version_id: str | None = None
    ) -> ObjectContent:
        """All bytes of an object, of this content only where `etag` (without quotes) or `size` is given.

        A version that is gone, or that the store does not know, is looked for under the plain key: the same content may
        stand there. `size` in bytes, 0 for unknown, is compared where one of the two ETags is not known.

        Raises `ObjectChanged`, `ObjectMissing`, `ObjectTooLarge`, `ObjectUnreadable`, `AccessRefused` or
        `DependencyDown`.
        """
        return self._read(_Target(bucket, key, normalized_etag(etag), size, version_id), max_bytes)

    def _read(self, target: "_Target", max_bytes: int) -> ObjectContent:
        try:
            content = self._get_signed(target, max_bytes)
            if content is not None:
                return content
        except ReadTimeoutError as error:
            # Not once more at once: the caller's thread has waited long enough.
            raise self.translate(error, target.name) from error
        except (BotoCoreError, HTTPClientError, OSError, ValueError):
            pass  # A connection that the store had closed, or worse: boto3 tries again and says what is wrong.
        try:
            return self._get(target, max_bytes)
        except _STORE_ERRORS as error:
            code = _code(error)
            if target.version_id and code in _VERSIONLESS:
                return self._read(replace(target, version_id=None), max_bytes)
            if code in _CHANGED and target.conditional:
                return self._read_unconditionally(target, max_bytes)
            raise self.translate(error, target.name) from error

    def _get(self, target: "_Target", max_bytes: int) -> ObjectContent:
        answer = self.client.get_object(**target.arguments(), **target.condition("IfMatch"))
        # Not the body's own `with`: that reads on without noticing an end that comes too early.
        with closing(answer["Body"]) as body:
            length = answer.get("ContentLength")
            if length is not None:
                target.check(answer.get("ETag"), length, answer.get("LastModified"))
                _must_fit(length, max_bytes)
                return ObjectContent(cast(bytes, body.read()), normalized_etag(answer.get("ETag")))
            data = cast(bytes, body.read(max_bytes + 1))
            _must_fit(len(data), max_bytes)
            target.check(answer.get("ETag"), len(data), answer.get("LastModified"))
            return ObjectContent(data, normalized_etag(answer.get("ETag")))

    def _get_signed(self, target: "_Target", max_bytes: int) -> ObjectContent | None:
        """The same by a signed URL: a fifth of the CPU time of `get_object`. None for every answer but 200."""
        url = self.client.generate_presigned_url("get_object", target.arguments(), ExpiresIn=_SIGNED_FOR_S)
        answer = self._http.send(
            AWSRequest("GET", url, headers=target.condition("If-Match"), stream_output=True).prepare()
        )
        headers = answer.headers
        length = headers.get("Content-Length")
        with closing(StreamingBody(answer.raw, length)) as body:
            if answer.status_code != HTTPStatus.OK or length is None:
                return None
            target.check(headers.get("ETag"), int(length), headers.get("Last-Modified"))
            _must_fit(int(length), max_bytes)
            return ObjectContent(cast(bytes, body.read()), normalized_etag(headers.get("ETag")))

    def _read_unconditionally(self, target: "_Target", max_bytes: int) -> ObjectContent:
        """After a failed precondition. A HEAD request decides: a store that cannot compare ETags
        must not turn every photograph into a changed one. Raises `ObjectChanged` with the time of the present content.
        """
        now = self.head(target.bucket, target.key, version_id=target.version_id)
        target.check(now.etag, now.size, now.modified)
        return self._read(replace(target, conditional=False), max_bytes)

    def head(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectInfo:
        """ETag, size and time of what an object holds now. Raises as `read` does."""
        target = _Target(bucket, key, version_id=version_id)
        try:
            answer = self.client.head_object(**target.arguments())
        except _STORE_ERRORS as error:
            if version_id and _code(error) in _VERSIONLESS:
                return self.head(bucket, key)
            raise self.translate(error, target.name) from error
        return ObjectInfo(
            normalized_etag(answer.get("ETag")),
            int(answer.get("ContentLength") or 0),
            _moment(answer.get("LastModified")),
        )

    def put(self, bucket: str, key: str, data: bytes, *, content_type: str) -> None:
        """Store an object, or replace it. Raises `AccessRefused`, `ObjectUnreadable` or `DependencyDown`."""
        try:
            self.client.put_object(Bucket=bucket, Key=key, Body=data, ContentType=content_type)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; one that is not there is no error. Raises as `put` does."""
        try:
            self.client.delete_object(Bucket=bucket, Key=key)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def etag(self, bucket: str, key: str) -> str:
        """An object's ETag, without quotes; empty where the store gives none. Raises as `get` does."""
        return self.head(bucket, key).etag

    def versions(self, bucket: str, key: str) -> Iterator[StoredObject]:
        """The versions that the store keeps of one object, newest first, without delete markers; none where the store
        keeps none. Raises `AccessRefused` or `DependencyDown`."""
        try:
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
                for entry in page.get("Versions", ()):
                    if entry["Key"] != key:
                        return  # The listing is in the order of the keys; behind this one come longer ones.
                    yield _listed(entry)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def read_first_byte(self, bucket: str, key: str) -> None:
        """Read one byte, which shows that the store hands out this object's data. Raises as `get` does."""
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
            with closing(answer["Body"]) as body:
                body.read(1)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def check_bucket(self, bucket: str) -> None:
        """Raises `BucketMissing`, `AccessRefused` or `DependencyDown`, with what to do, unless it can be listed."""
        try:
            self.client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except _STORE_ERRORS as error:
            raise self.translate(error, bucket) from error

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[StoredObject]:
        """Every object under a prefix, in the store's order, page by page; behind the key `start_after`."""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, StartAfter=start_after
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield _listed(entry)
        except _STORE_ERRORS as error:
            raise self.translate(error, bucket) from error

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket unless it is there."""
        try:
            self.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING | {_NO_BUCKET}:
                raise self.translate(error, bucket) from error
            self.client.create_bucket(Bucket=bucket)
        except (BotoCoreError, HTTPClientError) as error:
            raise self.translate(error, bucket) from error

    def translate(self, error: Exception, what: str) -> UnciaError:
        """Our error for one of boto3's."""
        if isinstance(error, ClientError):
            code = _code(error)
            if code == _NO_BUCKET:
                bucket = what.partition("/")[0]
                return BucketMissing(f"{self.endpoint} has no bucket {bucket!r}: create it, or set UNCIA_BUCKET")
            if code in _CHANGED:
                return ObjectChanged(f"{what} no longer holds what was announced")
            if code in _MISSING:
                return ObjectMissing("object-missing", f"{what} is not in the store")
            if code in _UNREADABLE:
                return ObjectUnreadable("object-unreadable", f"{self.endpoint} does not hand out {what} ({code})")
            if code in _REFUSED:
                return AccessRefused(
                    f"{self.endpoint} refuses {what} ({code}): check UNCIA_S3_ACCESS_KEY, UNCIA_S3_SECRET_KEY "
                    "and what that key is allowed to do"
                )
            return DependencyDown(f"{self.endpoint} answered {code or 'an error'} for {what}")
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return AccessRefused(f"no credentials for {self.endpoint}: set UNCIA_S3_ACCESS_KEY and UNCIA_S3_SECRET_KEY")
        if isinstance(error, ParamValidationError):
            return ObjectUnreadable("object-unreadable", f"{what!r} is no name that S3 takes")
        return DependencyDown(f"{self.endpoint} does not answer ({type(error).__name__}): {error}")


def normalized_etag(etag: str | None) -> str:
    """An ETag without quotes and without the mark of a weak one, which a proxy that compresses puts there."""
    return (etag or "").strip().removeprefix("W/").strip('"')


@dataclass(frozen=True)
class _Target:
    """One object, and the content that it must hold."""

    bucket: str
    key: str
    etag: str = ""
    size: int = 0
    version_id: str | None = None
    conditional: bool = True
    """Ask the store to compare, too."""

    @property
    def name(self) -> str:
        return f"{self.bucket}/{self.key}"

    def arguments(self) -> dict[str, str]:
        """Of an S3 request."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}

    def condition(self, name: str) -> dict[str, str]:
        """`name` is the header's, or boto3's word for it. Empty for an ETag that no header can carry: what comes back
        is compared in any case."""
        sendable = self.conditional and _SENDABLE_ETAG.fullmatch(self.etag)
        return {name: f'"{self.etag}"'} if sendable else {}

    def check(self, etag: str | None, size: int, modified: datetime | str | None) -> None:
        """Compare what came back: not every store honours a condition. Raises `ObjectChanged`."""
        found = normalized_etag(etag)
        same = found == self.etag if found and self.etag else self.size in (0, size)
        if not same:
            announced = f"ETag {self.etag}" if self.etag else f"{self.size:,} bytes"
            raise ObjectChanged(f"{self.name} no longer holds what was announced ({announced})", _moment(modified))


def _listed(entry: Mapping[str, Any]) -> StoredObject:
    """One entry of a listing; not every store fills in all of it."""
    etag, modified = normalized_etag(entry.get("ETag")), entry.get("LastModified", _LONG_AGO)
    return StoredObject(entry["Key"], etag, entry.get("Size", 0), modified, entry.get("VersionId"))


def _code(error: Exception) -> str:
    """The store's code for what went wrong; empty where it gave no answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _moment(value: datetime | str | None) -> datetime | None:
    """Of a `Last-Modified` header, or as boto3 has read it."""
    try:
        moment = parsedate_to_datetime(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _must_fit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ObjectTooLarge("object-too-large", f"{size:,} bytes; at most {max_bytes:,} are read")
