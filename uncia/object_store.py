"""Object storage: any S3. One client per process; boto3's clients may be shared between threads."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
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
)
from botocore.httpsession import URLLib3Session
from botocore.response import StreamingBody
from botocore.session import Session
from botocore.utils import get_environ_proxies

from uncia.errors import DependencyDown, PermanentError, SettingsError, UnciaError
from uncia.settings import Settings

_CONNECT_S = 5
_SIGNED_FOR_S = 900

_MISSING = {"NoSuchKey", "404", "NoSuchVersion", "NotFound"}
# The store's last word on this one key or object; waiting would not change it.
_UNREADABLE = {"InvalidArgument", "InvalidObjectName", "InvalidObjectState", "InvalidURI", "KeyTooLongError"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"}


class ObjectMissing(PermanentError):
    """The object is not there (any more)."""


class AccessRefused(UnciaError):
    """The store does not accept our credentials, or they do not allow this."""


class ObjectTooLarge(PermanentError):
    """The object is larger than the reader is willing to take."""


class ObjectUnreadable(PermanentError):
    """The store will never hand this object out: a name that it does not take, or an object in an archive."""


@dataclass(frozen=True)
class StoredObject:
    """One line of a listing."""

    key: str
    etag: str
    size: int
    modified: datetime


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
        """All bytes of an object.

        Raises `ObjectMissing`, `ObjectTooLarge`, `ObjectUnreadable`, `AccessRefused` or `DependencyDown`.
        """
        try:
            data = self._get_signed(bucket, key, max_bytes)
            if data is not None:
                return data
        except (BotoCoreError, HTTPClientError, OSError):
            pass  # A connection that the store had closed, or worse: boto3 tries again and says what is wrong.
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key)
            # Not the body's own `with`: that reads on without noticing an end that comes too early.
            with closing(answer["Body"]) as body:
                _must_fit(answer["ContentLength"], max_bytes)
                return cast(bytes, body.read())
        except (ClientError, BotoCoreError, HTTPClientError, OSError) as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def _get_signed(self, bucket: str, key: str, max_bytes: int) -> bytes | None:
        """The same by a signed URL: a fifth of the CPU time of `get_object`. None for every answer but 200."""
        asked = {"Bucket": bucket, "Key": key}
        url = self.client.generate_presigned_url("get_object", asked, ExpiresIn=_SIGNED_FOR_S)
        answer = self._http.send(AWSRequest("GET", url, stream_output=True).prepare())
        length = answer.headers.get("Content-Length")
        with closing(StreamingBody(answer.raw, length)) as body:
            if answer.status_code != HTTPStatus.OK or length is None:
                return None
            _must_fit(int(length), max_bytes)
            return cast(bytes, body.read())

    def etag(self, bucket: str, key: str) -> str:
        """An object's ETag, without quotes. Raises as `get` does."""
        try:
            return cast(str, self.client.head_object(Bucket=bucket, Key=key)["ETag"]).strip('"')
        except (ClientError, BotoCoreError, HTTPClientError, OSError) as error:
            raise self.translate(error, f"{bucket}/{key}") from error

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[StoredObject]:
        """Every object under a prefix, in the store's order, page by page; behind the key `start_after`."""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, StartAfter=start_after
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield StoredObject(entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"])
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise self.translate(error, bucket) from error

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket unless it is there."""
        try:
            self.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING | {"NoSuchBucket"}:
                raise self.translate(error, bucket) from error
            self.client.create_bucket(Bucket=bucket)
        except (BotoCoreError, HTTPClientError) as error:
            raise self.translate(error, bucket) from error

    def translate(self, error: Exception, what: str) -> UnciaError:
        """Our error for one of boto3's."""
        if isinstance(error, ClientError):
            answer: dict[str, Any] = error.response
            code = str(answer.get("Error", {}).get("Code", ""))
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


def _must_fit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ObjectTooLarge("object-too-large", f"{size:,} bytes; at most {max_bytes:,} are read")
