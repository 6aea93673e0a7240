"""One file into the store, and the store's word that it has it.

The bytes are checked four times: against the spool's MD5 before anything is sent (the file may have changed since),
by the store itself (Content-MD5 and x-amz-checksum-sha256, which make it refuse what it did not receive whole), against
the ETag in its answer, and by asking it once more with HEAD.
"""

import base64
import hashlib
import io
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from uncia import __version__
from uncia.errors import DependencyDown, UnciaError
from uncia.events import Lane
from uncia.lanes import LANE_METADATA
from uncia.producers.gateway.content import SourceChanged, SourceMissing, SourceUnreadable, Stopped
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore

PART = 8 << 20
"""Larger files go up in parts of this size, each confirmed by itself, and go on there after a break."""

SLOWEST = 4 << 10
"""Bytes a second below which an attempt is given up: 300 KB may take two minutes."""

PATIENCE_S = 30.0
"""Seconds that every attempt gets besides."""

_CHECKSUM_UNKNOWN = {"NotImplemented", "InvalidRequest", "InvalidArgument"}
_TROUBLE = (BotoCoreError, ClientError, HTTPClientError, ResponseParserError, OSError)
_NO_BUCKET = {"NoSuchBucket"}
_NO_UPLOAD = {"NoSuchUpload", "404"}


class BucketMissing(AccessRefused):
    """The bucket is not there; only a person can make it."""


class StoreDisagrees(UnciaError):
    """The store has other bytes than we sent; this file is sent again."""


@dataclass(frozen=True)
class Upload:
    """What to send, and where to. `path` holds the bytes: the copy in the spool, or the file itself."""

    path: Path
    name: str
    station: str
    camera: str
    key: str
    size: int
    sha256: str
    md5: str
    multipart: str | None = None
    lane: Lane | None = None
    partial: str | None = None
    """Why the content is no whole photograph, if it is none."""
    remember: Callable[[str | None], None] = field(default=lambda _: None, compare=False)


@dataclass(frozen=True)
class Receipt:
    """The store's confirmation."""

    bucket: str
    key: str
    etag: str
    size: int
    sha256: str
    began_at: str
    at: str


class S3Destination:
    """One bucket of any S3. May be used by several threads."""

    def __init__(self, store: ObjectStore, bucket: str, stop: threading.Event) -> None:
        self._store = store
        self._client = store.client
        self.bucket = bucket
        self._stop = stop
        self._checksum = True

    def send(self, upload: Upload) -> Receipt:
        """Send and confirm. Raises `DependencyDown`, `AccessRefused` (nothing will work until that is cured),
        `StoreDisagrees`, `SourceMissing`, `SourceChanged`, `SourceUnreadable` (this file) or `Stopped`.
        """
        began = _now()
        try:
            etag = self._send_parts(upload) if upload.size > PART else self._send_whole(upload)
        except _TROUBLE as error:
            raise self._translated(error, upload.key) from error
        try:
            return self._confirmed(upload, etag, began)
        except ObjectMissing as error:
            raise StoreDisagrees(f"the store took {upload.key} and does not show it") from error

    def look_up(self, upload: Upload) -> Receipt | None:
        """The receipt when the store has exactly these bytes under this key already, else None.

        None too when we may not ask: the next upload tells what is wrong with our credentials, if anything is.
        """
        try:
            return self._confirmed(upload, None, _now())
        except (ObjectMissing, StoreDisagrees, AccessRefused):
            return None

    def _send_whole(self, upload: Upload) -> str:
        data = _read(upload.path, 0, upload.size + 1)
        if len(data) != upload.size or hashlib.md5(data, usedforsecurity=False).hexdigest() != upload.md5:
            raise SourceChanged("it changed before it was sent")
        answer = self._checked(
            lambda extra: self._client.put_object(
                Bucket=self.bucket,
                Key=upload.key,
                Body=_Body(data, self._stop),
                ContentMD5=_base64(upload.md5),
                ContentType="image/jpeg",
                Metadata=_metadata(upload),
                **extra,
            ),
            {"ChecksumSHA256": _base64(upload.sha256)},
        )
        return self._etag(answer)

    def _send_parts(self, upload: Upload) -> str:
        number = upload.multipart
        done = self._parts(upload.key, number) if number is not None else None
        if done is None:
            number = self._client.create_multipart_upload(
                Bucket=self.bucket, Key=upload.key, ContentType="image/jpeg", Metadata=_metadata(upload)
            )["UploadId"]
            upload.remember(number)
            done = {}
        parts, whole = [], hashlib.md5(usedforsecurity=False)
        for place, start in enumerate(range(0, upload.size, PART), start=1):
            data = _read(upload.path, start, min(PART, upload.size - start))
            whole.update(data)
            digest = hashlib.md5(data, usedforsecurity=False)
            etag = done.get(place)
            if etag != digest.hexdigest():
                answer = self._client.upload_part(
                    Bucket=self.bucket,
                    Key=upload.key,
                    UploadId=number,
                    PartNumber=place,
                    Body=_Body(data, self._stop),
                    ContentMD5=_base64(digest.hexdigest()),
                )
                etag = self._etag(answer)
            parts.append({"PartNumber": place, "ETag": etag})
        if whole.hexdigest() != upload.md5:
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=upload.key, UploadId=number)
            upload.remember(None)
            raise SourceChanged("it changed before it was sent")
        answer = self._client.complete_multipart_upload(
            Bucket=self.bucket, Key=upload.key, UploadId=number, MultipartUpload={"Parts": parts}
        )
        return self._etag(answer)

    def _parts(self, key: str, number: str) -> dict[int, str] | None:
        """ETags by place of what the store already has of an upload; None when it forgot the upload."""
        try:
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=number)
            return {part["PartNumber"]: part["ETag"].strip('"') for page in pages for part in page.get("Parts", ())}
        except ClientError as error:
            if error.response["Error"]["Code"] in _NO_UPLOAD:
                return None
            raise

    def _confirmed(self, upload: Upload, sent: str | None, began: str) -> Receipt:
        """Ask the store what it has. `sent`: the ETag of its answer to our upload, None when nothing was sent now."""
        try:
            extra = {"ChecksumMode": "ENABLED"} if self._checksum else {}
            head = self._client.head_object(Bucket=self.bucket, Key=upload.key, **extra)
            etag = self._etag(head)
        except _TROUBLE as error:
            ours = self._store.translate(error, f"the bucket {self.bucket}")
            # A key that may only write cannot ask; an MD5 in the answer to our upload is the store's word too.
            if sent == upload.md5 and isinstance(ours, AccessRefused):
                return Receipt(self.bucket, upload.key, sent, upload.size, upload.sha256, began, _now())
            raise (ours if isinstance(ours, ObjectMissing) else self._translated(error, upload.key)) from error
        proofs = (
            head.get("ChecksumSHA256") == _base64(upload.sha256),
            etag == upload.md5,
            # Uploads in parts and encrypting stores: no MD5, so their ETag must be the one of our upload.
            sent is not None and etag == sent,
            sent is None and "-" in etag and head.get("Metadata", {}).get("sha256") == upload.sha256,
        )
        if head["ContentLength"] != upload.size or not any(proofs):
            raise StoreDisagrees(
                f"the store has {head['ContentLength']:,} bytes with ETag {etag} under {upload.key}; "
                f"sent were {upload.size:,} bytes with MD5 {upload.md5}"
            )
        return Receipt(self.bucket, upload.key, etag, upload.size, upload.sha256, began, _now())

    def _checked(self, call: Callable[[dict[str, str]], Any], checksum: dict[str, str]) -> dict[str, Any]:
        """The call with a SHA-256, or without where the store does not know that header."""
        try:
            return cast(dict[str, Any], call(checksum if self._checksum else {}))
        except ClientError as error:
            if not self._checksum or error.response["Error"]["Code"] not in _CHECKSUM_UNKNOWN:
                raise
            answer = cast(dict[str, Any], call({}))
            self._checksum = False
            return answer

    def _etag(self, answer: dict[str, Any]) -> str:
        """A portal or proxy on the way may say yes to everything; only a store knows an ETag."""
        etag = str(answer.get("ETag", "")).strip('"')
        if not etag:
            raise DependencyDown(f"what answers at {self._store.endpoint} is not an object store (no ETag)")
        return etag

    def _translated(self, error: Exception, key: str) -> Exception:
        """Our error for one of boto3's while sending; without the key where it is not this file's trouble."""
        endpoint = self._store.endpoint
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NO_BUCKET:
                return BucketMissing(f"{endpoint} has no bucket {self.bucket}: make it, or set UNCIA_BUCKET")
            if code == "BadDigest":
                return StoreDisagrees(f"{key} did not arrive as it was sent")
            ours = self._store.translate(error, f"the bucket {self.bucket}")
            if isinstance(ours, ObjectMissing):
                return DependencyDown(
                    f"what answers at {endpoint} knows no uploads ({code}) and may be no object store"
                )
            return ours
        if isinstance(error, ParamValidationError):
            return StoreDisagrees(f"{key!r} is no name that S3 takes")
        return DependencyDown(f"{endpoint} does not answer ({type(error).__name__})")


class _Body(io.BytesIO):
    """A request body that stops when the gateway ends, or when the way is too slow to be waited for.

    As a file it goes out in small pieces, each under the client's own time limit; as bytes it would have to go out as
    one piece within that limit, which a satellite link does not do.
    """

    def __init__(self, data: bytes, stop: threading.Event) -> None:
        super().__init__(data)
        self._until = time.monotonic() + PATIENCE_S + len(data) / SLOWEST
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        if time.monotonic() > self._until:
            raise TimeoutError("the way to the store is too slow")
        return super().read(size)


def _read(path: Path, start: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(f"{path.name} is not there any more") from error
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path.name}: {error.strerror}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metadata(upload: Upload) -> dict[str, str]:
    """What travels with the object; ASCII, because metadata are HTTP headers."""
    return {
        "sha256": upload.sha256,
        "name": urllib.parse.quote(upload.name.encode("utf-8", "surrogateescape"), safe="")[:512],
        "uploader": f"uncia-gateway/{__version__}",
        **({"partial": urllib.parse.quote(upload.partial)} if upload.partial else {}),
        **({LANE_METADATA: upload.lane.value} if upload.lane is not None else {}),
    }


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()
