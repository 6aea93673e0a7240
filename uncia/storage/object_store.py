"""Reads and writes objects of any S3 store. Use one client per process; it is thread-safe, as boto3's clients are."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, BinaryIO, TypeVar, cast

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

_Answer = TypeVar("_Answer")

_CONNECT_S = 5
_SIGNED_FOR_S = 900
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_MISSING = {"NoSuchKey", "404", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405"}
"""405: the requested version is a delete marker."""
_CHANGED = {"PreconditionFailed", "412"}
_UNSUPPORTED = {"NotImplemented", "501"}
"""Answers of a store without conditional writes, or without versions, to a request for them."""
_VERSIONLESS = {"NoSuchVersion", "NoSuchKey", "404", "405", "MethodNotAllowed", "InvalidArgument", "400"}
"""Errors of a request with a version id after which a request without it may succeed: the version was removed, or the
bucket is not versioned (any more)."""

_DOWNLOAD_CHUNK = 1_048_576

_SENDABLE_ETAG = re.compile(r"[\x21\x23-\x7e]{1,256}")
# Permanent errors of one key or object, which a retry cannot change.
_UNREADABLE = {"InvalidArgument", "InvalidObjectName", "InvalidObjectState", "InvalidURI", "KeyTooLongError"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"}

_EMPTY = {"InvalidRange", "416"}
"""Answers to a request for the first bytes of an object without any."""

_NO_BUCKET = "NoSuchBucket"

# boto3 raises the last two when a response is not XML or has headers that are not numbers.
_STORE_ERRORS = (ClientError, BotoCoreError, HTTPClientError, OSError, ResponseParserError, ValueError)


class ObjectMissing(PermanentError):
    """The object does not exist (any more)."""


class ObjectChanged(PermanentError):
    """The object was overwritten: its content is not the announced one.

    `modified`: when the current content was stored, to the second; None when the store does not return it.
    """

    def __init__(self, message: str, modified: datetime | None = None) -> None:
        super().__init__(OBJECT_CHANGED, message)
        self.modified = modified


class AccessRefused(UnciaError):
    """The store rejects the credentials, or they lack the permission."""


class BucketMissing(DependencyDown):
    """The bucket does not exist. Workers wait, because an operator must create it or change the setting."""


class ObjectTooLarge(PermanentError):
    """The object is larger than the limit of the reader."""


class ObjectUnreadable(PermanentError):
    """The store does not return this object: its key is rejected, it is in an archive, or reading it fails repeatedly
    while other objects can be read."""


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing."""

    key: str
    etag: str
    size: int
    modified: datetime
    version_id: str | None = None
    """Set in listings of versions only."""


@dataclass(frozen=True)
class StoredVersion:
    """One version of an object in a listing of all that is stored."""

    object: StoredObject
    is_marker: bool
    """It says that the object was deleted, and has no content."""
    is_latest: bool = True
    """What readers of the key get; for a marker, nothing."""


@dataclass(frozen=True)
class ObjectContent:
    """The bytes of one object, and the ETag in the response, without quotes; empty when the store returns none."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class DownloadedObject:
    """What was copied of one object."""

    sha256: str
    size: int
    etag: str
    """In the response, without quotes; empty when the store returns none."""


@dataclass(frozen=True)
class ObjectInfo:
    """The response to a HEAD request."""

    etag: str
    size: int
    modified: datetime | None


class ObjectStore:
    """Reads and writes objects, and converts errors of the store into those of this module. Thread-safe."""

    def __init__(
        self, settings: Settings, *, max_connections: int = 16, timeout_s: float = 30, attempts: int = 3
    ) -> None:
        secret = settings.s3_secret_key
        authorities = str(settings.s3_cafile) if settings.s3_cafile is not None else None
        if settings.s3_cafile is not None and not settings.s3_cafile.is_file():
            raise SettingsError(f"UNCIA_S3_CAFILE={authorities}: there is no such file")
        self.endpoint = settings.s3_endpoint or "Amazon S3"
        try:
            self.verify: str | bool = authorities or Session().get_config_variable("ca_bundle") or True
            """The file of authorities that certificates are checked with; True: the default ones."""
            self.client = boto3.client(
                "s3",
                endpoint_url=settings.s3_endpoint,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                verify=authorities,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"} if settings.s3_endpoint else {},
                    max_pool_connections=max_connections,
                    connect_timeout=_CONNECT_S,
                    read_timeout=timeout_s,
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    # Some stores other than Amazon S3 do not support the newer default checksums.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except (BotoCoreError, ValueError) as error:
            # boto3's default credentials can be incomplete, or name a profile that does not exist.
            raise SettingsError(f"the object store cannot be used: {error}") from error
        self._http = URLLib3Session(
            verify=self.verify,
            proxies=get_environ_proxies(self.client.meta.endpoint_url),
            timeout=(_CONNECT_S, timeout_s),
            max_pool_connections=max_connections,
        )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self._http.close()

    def get(self, bucket: str, key: str, *, max_bytes: int) -> bytes:
        """Return the current bytes of an object. Raises the errors of `read`, except `ObjectChanged`."""
        return self.read(bucket, key, max_bytes=max_bytes).data

    def read(
        self, bucket: str, key: str, *, max_bytes: int, etag: str = "", size: int = 0, version_id: str | None = None
    ) -> ObjectContent:
        """Return the bytes of an object, and check that they are the content with this `etag` (without quotes) or
        `size`.

        When a version was removed or is unknown to the store, the current object is read: it may have the same content.
        `size`, in bytes, 0 for unknown, is compared only when one of the two ETags is unknown.

        Raises `ObjectChanged`, `ObjectMissing`, `ObjectTooLarge`, `ObjectUnreadable`, `AccessRefused` or
        `DependencyDown`.
        """
        return self._read(_Target(bucket, key, normalized_etag(etag), size, version_id), max_bytes)

    def download(
        self,
        bucket: str,
        key: str,
        file: BinaryIO,
        *,
        max_bytes: int,
        etag: str = "",
        size: int = 0,
        version_id: str | None = None,
    ) -> DownloadedObject:
        """Copy the bytes of an object into an empty file, in blocks of 1 MB, with the checks and errors of `read`.

        After an error the file holds a part of them.
        """
        target = _Target(bucket, key, normalized_etag(etag), size, version_id)
        return self._as_announced(target, lambda current: self._download(current, file, max_bytes))

    def read_range(
        self,
        bucket: str,
        key: str,
        start: int,
        count: int,
        *,
        etag: str = "",
        size: int = 0,
        version_id: str | None = None,
    ) -> bytes:
        """Return `count` bytes of an object from byte `start` on, fewer at its end, with the checks and errors of
        `read`.

        Raises `ObjectUnreadable` for a store that does not return ranges, too.
        """
        target = _Target(bucket, key, normalized_etag(etag), size, version_id)
        return self._as_announced(target, lambda current: self._range(current, start, count))

    def _as_announced(self, target: "_Target", request: Callable[["_Target"], _Answer]) -> _Answer:
        """The answer to a request for the announced content, of another version or without a precondition where the
        store has none."""
        while True:
            try:
                return request(target)
            except _STORE_ERRORS as error:
                code = _code(error)
                if target.version_id and code in _VERSIONLESS:
                    target = replace(target, version_id=None)
                elif code in _CHANGED and target.conditional:
                    now = self.head(target.bucket, target.key, version_id=target.version_id)
                    target.check(now.etag, now.size, now.modified)
                    target = replace(target, conditional=False)
                else:
                    raise self.translate(error, target.name) from error

    def _range(self, target: "_Target", start: int, count: int) -> bytes:
        wanted = f"bytes={start}-{start + count - 1}"
        answer = self.client.get_object(**target.arguments(), **target.condition("IfMatch"), Range=wanted)
        with closing(answer["Body"]) as body:
            stated = answer.get("ContentRange", "").rpartition("/")[2]
            target.check(answer.get("ETag"), int(stated) if stated.isdigit() else 0, answer.get("LastModified"))
            if answer.get("ContentLength", count + 1) > count:
                raise ObjectUnreadable("object-unreadable", f"{target.name}: the store returns no part of an object")
            # Raises where the body ends before its stated length.
            return cast(bytes, body.read())

    def _download(self, target: "_Target", file: BinaryIO, max_bytes: int) -> DownloadedObject:
        answer = self.client.get_object(**target.arguments(), **target.condition("IfMatch"))
        digest, size = hashlib.sha256(), 0
        with closing(answer["Body"]) as body:
            if (length := answer.get("ContentLength")) is not None:
                target.check(answer.get("ETag"), length, answer.get("LastModified"))
                _must_fit(length, max_bytes)
            # Raises where the body ends before its stated length.
            for chunk in body.iter_chunks(_DOWNLOAD_CHUNK):
                size += len(chunk)
                _must_fit(size, max_bytes)
                digest.update(chunk)
                file.write(chunk)
        if length is None:
            target.check(answer.get("ETag"), size, answer.get("LastModified"))
        return DownloadedObject(digest.hexdigest(), size, normalized_etag(answer.get("ETag")))

    def _read(self, target: "_Target", max_bytes: int) -> ObjectContent:
        try:
            content = self._get_signed(target, max_bytes)
            if content is not None:
                return content
        except ReadTimeoutError as error:
            # No immediate retry after a timeout: the thread of the caller has waited long enough.
            raise self.translate(error, target.name) from error
        except (BotoCoreError, HTTPClientError, OSError, ValueError):
            pass  # The store may have closed the connection: boto3 tries again, and reports other errors.
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
        # Not `with` on the body, which does not detect a truncated response.
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
        """Read through a signed URL, in a fifth of the CPU time of `get_object`. None for any status but 200."""
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
        """Verify a failed precondition with a HEAD request.

        With a store that cannot compare ETags every photograph would otherwise count as overwritten. Raises
        `ObjectChanged` with the time of the current content.
        """
        now = self.head(target.bucket, target.key, version_id=target.version_id)
        target.check(now.etag, now.size, now.modified)
        return self._read(replace(target, conditional=False), max_bytes)

    def head(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectInfo:
        """Return ETag, size and modification time of the current object. Raises the errors of `read`."""
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

    def etag(self, bucket: str, key: str) -> str:
        """Return an object's ETag without quotes; empty when the store returns none. Raises the errors of `get`."""
        return self.head(bucket, key).etag

    def versions(self, bucket: str, key: str) -> Iterator[StoredObject]:
        """Yield the stored versions of an object, newest first, without delete markers; none without versioning.

        Raises `AccessRefused` or `DependencyDown`."""
        try:
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
                for entry in page.get("Versions", ()):
                    # SeaweedFS sorts by the names of its folders of versions: a longer key may come first.
                    if entry["Key"] == key:
                        yield _listed(entry)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def read_start(self, bucket: str, key: str, count: int, *, version_id: str | None = None) -> bytes:
        """Return the first `count` bytes of an object, fewer of a shorter one. Raises the errors of `get`."""
        target = _Target(bucket, key, version_id=version_id)
        try:
            answer = self.client.get_object(**target.arguments(), Range=f"bytes=0-{count - 1}")
            with closing(answer["Body"]) as body:
                return cast(bytes, body.read(count))
        except _STORE_ERRORS as error:
            if _code(error) in _EMPTY:
                return b""
            raise self.translate(error, target.name) from error

    def read_first_byte(self, bucket: str, key: str) -> None:
        """Read one byte, to check that the store returns this object's data. Raises the errors of `get`."""
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
            with closing(answer["Body"]) as body:
                body.read(1)
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def check_bucket(self, bucket: str) -> None:
        """Check that the bucket can be listed. Raises `BucketMissing`, `AccessRefused` or `DependencyDown`."""
        try:
            self.client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except _STORE_ERRORS as error:
            raise self.translate(error, bucket) from error

    def check_storing(self, bucket: str, key: str) -> None:
        """Check that an object could be stored under this key, without storing one: begin a multipart upload, abort it.

        Raises `AccessRefused`, `BucketMissing` or `DependencyDown`.
        """
        try:
            begun = self.client.create_multipart_upload(Bucket=bucket, Key=key)
            self.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun["UploadId"])
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[StoredObject]:
        """Yield all objects with a prefix after the key `start_after`, in the order of the store, by pages."""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, StartAfter=start_after
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield _listed(entry)
        except _STORE_ERRORS as error:
            raise self.translate(error, bucket) from error

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> str:
        """Store an object and return its ETag without quotes, empty when the store returns none.

        `metadata` is kept with it, ASCII. `replaces` is the ETag of the content that it replaces, empty for none; with
        None it replaces whatever has this key. A request that timed out may still be carried out, after a later one:
        where the content of a key changes, `replaces` makes the store refuse that late request. A store without
        conditional writes takes every one.

        Raises `ObjectChanged` or `ObjectMissing` when the store holds something else than `replaces`, `AccessRefused`,
        `ObjectUnreadable` (no key that the store takes) or `DependencyDown`.
        """
        condition = {} if replaces is None else {"IfMatch": f'"{replaces}"'} if replaces else {"IfNoneMatch": "*"}
        # SeaweedFS 4.48 does not compare the content with the hash in the signature. Without this header, which is
        # signed too, a person who reads the request could send it again with other content.
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        try:
            answer = self.client.put_object(
                Bucket=bucket,
                Key=key,
                Body=data,
                ContentMD5=digest,
                ContentType=content_type,
                Metadata=dict(metadata or {}),
                **condition,
            )
        except _STORE_ERRORS as error:
            if condition and _code(error) in _UNSUPPORTED:
                return self.put(bucket, key, data, content_type=content_type, metadata=metadata)
            raise self.translate(error, f"{bucket}/{key}") from error
        return normalized_etag(answer.get("ETag"))

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; one that is not there is no error. Raises `AccessRefused` or `DependencyDown`."""
        try:
            self.client.delete_object(Bucket=bucket, Key=key)
        except _STORE_ERRORS as error:
            translated = self.translate(error, f"{bucket}/{key}")
            if not isinstance(translated, ObjectMissing):
                raise translated from error

    def delete_with_versions(self, bucket: str, key: str) -> None:
        """Delete an object and all its older versions for good; one that is not there is no error.

        From the first request on, no reader of the key gets it. An interrupted call is completed by the next one.
        Raises `AccessRefused` or `DependencyDown`.
        """
        try:
            answer = self.client.delete_object(Bucket=bucket, Key=key)
        except _STORE_ERRORS as error:
            translated = self.translate(error, f"{bucket}/{key}")
            if not isinstance(translated, ObjectMissing):
                raise translated from error
            return
        if not (answer.get("DeleteMarker") or answer.get("VersionId")):
            return  # The bucket has never had versions.
        for found in in_deletion_order(one for one in self.history(bucket, key) if one.object.key == key):
            self.delete_version(bucket, found)

    def history(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        """Yield every version of every object with a prefix, delete markers included; without versioning, the objects.

        Raises `AccessRefused` or `DependencyDown`.
        """
        seen: set[str] = set()
        try:
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
                for name, is_marker in (("Versions", False), ("DeleteMarkers", True)):
                    for entry in page.get(name, ()):
                        seen.add(entry["Key"])
                        yield StoredVersion(_listed(entry), is_marker, bool(entry.get("IsLatest", True)))
        except _STORE_ERRORS as error:
            if _code(error) not in _UNSUPPORTED:
                raise self.translate(error, f"{bucket}/{prefix}") from error
        # A bucket that never had versions lists none.
        for found in self.list(bucket, prefix):
            if found.key not in seen:
                yield StoredVersion(found, False)

    def delete_version(self, bucket: str, found: StoredVersion) -> None:
        """Delete a version for good; one that is not there is no error. Raises `AccessRefused` or `DependencyDown`.

        For photographs it takes the store's administrative key, which no running part has.
        """
        version = {"VersionId": found.object.version_id} if found.object.version_id else {}
        try:
            self.client.delete_object(Bucket=bucket, Key=found.object.key, **version)
        except _STORE_ERRORS as error:
            translated = self.translate(error, f"{bucket}/{found.object.key}")
            if not isinstance(translated, ObjectMissing):
                raise translated from error

    def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """What was stored with an object as its metadata. Raises as `read` does."""
        try:
            found = self.client.head_object(Bucket=bucket, Key=key).get("Metadata") or {}
        except _STORE_ERRORS as error:
            raise self.translate(error, f"{bucket}/{key}") from error
        return {str(name).lower(): str(value) for name, value in found.items()}

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket if it does not exist."""
        try:
            self.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING | {_NO_BUCKET}:
                raise self.translate(error, bucket) from error
            self.client.create_bucket(Bucket=bucket)
        except (BotoCoreError, HTTPClientError) as error:
            raise self.translate(error, bucket) from error

    def keep_versions(self, bucket: str, *, on: bool) -> None:
        """Keep what is replaced or deleted as older versions, or no longer. Raises as `check_bucket` does."""
        status = {"Status": "Enabled" if on else "Suspended"}
        try:
            self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
        except _STORE_ERRORS as error:
            raise self.translate(error, bucket) from error

    def translate(self, error: Exception, what: str) -> UnciaError:
        """Return the error of this module for one of boto3's."""
        if isinstance(error, ClientError):
            code = _code(error)
            if code == _NO_BUCKET:
                bucket = what.partition("/")[0]
                return BucketMissing(f"{self.endpoint} has no bucket {bucket!r}: create it, or set UNCIA_BUCKET")
            if code in _CHANGED:
                return ObjectChanged(f"{what} was overwritten: it no longer has the announced content")
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


def in_deletion_order(versions: Iterable[StoredVersion]) -> "list[StoredVersion]":
    """Contents from the oldest to the newest, then the delete markers.

    A version is shown when all newer ones are gone: in another order a kill would show a deleted object.
    """
    return sorted(versions, key=lambda version: (version.is_marker, version.object.modified))


def normalized_etag(etag: str | None) -> str:
    """Return an ETag without quotes and without `W/`, which compressing proxies add."""
    return (etag or "").strip().removeprefix("W/").strip('"')


@dataclass(frozen=True)
class _Target:
    """One object and its expected content."""

    bucket: str
    key: str
    etag: str = ""
    size: int = 0
    version_id: str | None = None
    conditional: bool = True
    """True to send the expected ETag, so that the store compares it, too."""

    @property
    def name(self) -> str:
        return f"{self.bucket}/{self.key}"

    def arguments(self) -> dict[str, str]:
        """Return the parameters of an S3 request."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}

    def condition(self, name: str) -> dict[str, str]:
        """Return the precondition, whose name is the header's or boto3's.

        Empty for an ETag that is invalid in a header; the response is compared in any case."""
        sendable = self.conditional and _SENDABLE_ETAG.fullmatch(self.etag)
        return {name: f'"{self.etag}"'} if sendable else {}

    def check(self, etag: str | None, size: int, modified: datetime | str | None) -> None:
        """Compare the response, because not every store supports preconditions. Raises `ObjectChanged`."""
        found = normalized_etag(etag)
        same = found == self.etag if found and self.etag else self.size in (0, size)
        if not same:
            announced = f"ETag {self.etag}" if self.etag else f"{self.size:,} bytes"
            raise ObjectChanged(
                f"{self.name} was overwritten: it no longer has the announced content ({announced})", _moment(modified)
            )


def _listed(entry: Mapping[str, Any]) -> StoredObject:
    """Parse one entry of a listing; some stores omit fields."""
    etag, modified = normalized_etag(entry.get("ETag")), entry.get("LastModified", _LONG_AGO)
    return StoredObject(entry["Key"], etag, entry.get("Size", 0), modified, entry.get("VersionId"))


def _code(error: Exception) -> str:
    """Return the store's error code; empty without a response."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _moment(value: datetime | str | None) -> datetime | None:
    """Parse a `Last-Modified` header, or return the time that boto3 has parsed."""
    try:
        moment = parsedate_to_datetime(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _must_fit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ObjectTooLarge("object-too-large", f"{size:,} bytes; the limit is {max_bytes:,}")
