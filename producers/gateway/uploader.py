"""Uploads one file and has the store confirm it.

The bytes are verified four times: against the MD5 of the spool before anything is sent (the file may have changed),
by the store (Content-MD5 and x-amz-checksum-sha256 make it reject what it did not receive completely), against the ETag
in its response, and by a HEAD request.
"""

import base64
import contextlib
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
from uncia.imaging.gps_removal import MAX_BYTES, remove_gps
from uncia.lanes import LANE_METADATA
from uncia.producers.gateway.content import SourceChanged, SourceMissing, SourceUnreadable, Stopped
from uncia.sealed_positions import METADATA_NAME, PositionPublicKey
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore
from uncia.storage.video_names import content_type

PART_BYTES = 8 << 20
"""Larger files are uploaded in parts of this size. Each part is confirmed, and the next attempt resumes after it."""

_MIN_BYTES_PER_S = 4 << 10
"""Below this rate an attempt is given up: 300 KB may take two minutes."""

_MIN_ATTEMPT_S = 30.0
"""Seconds that every attempt gets in addition."""

_CHECKSUM_UNKNOWN = {"NotImplemented", "InvalidRequest", "InvalidArgument"}
_CLIENT_ERRORS = (BotoCoreError, ClientError, HTTPClientError, ResponseParserError, OSError)
_UNCHANGED = {"304", "NotModified"}
_NO_BUCKET = {"NoSuchBucket"}
_NO_UPLOAD = {"NoSuchUpload", "404"}


class BucketNotFound(AccessRefused):
    """The bucket does not exist; only a person can create it."""


class StoreMismatch(UnciaError):
    """The store has other bytes than were sent; this file is sent again."""


@dataclass(frozen=True)
class Upload:
    """What to upload, and to which key. `path` holds the bytes: the copy in the spool, or the file itself."""

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
    """Why the content is incomplete; None when it is complete."""
    strip_gps: bool = False
    """The content is that of the file without its position: size and hashes are of what is sent."""
    position_key: PositionPublicKey | None = None
    """Seals the removed position into the metadata of the object."""
    save_multipart_id: Callable[[str | None], None] = field(default=lambda _: None, compare=False)


@dataclass(frozen=True)
class Receipt:
    """The confirmation of the store."""

    bucket: str
    key: str
    etag: str
    size: int
    sha256: str
    began_at: str
    at: str


@dataclass(frozen=True)
class _Sent:
    """The ETag in the response to an upload, and the one that a store returns which computes it from MD5s."""

    etag: str
    expected: str


class S3Destination:
    """One bucket of any S3 store. Safe for use by several threads."""

    def __init__(
        self,
        store: ObjectStore,
        bucket: str,
        stop: threading.Event,
        *,
        min_bytes_per_s: float = _MIN_BYTES_PER_S,
        saves_bytes: bool = False,
    ) -> None:
        """`saves_bytes`: the MD5 in the response to an upload is confirmation enough, without a HEAD request."""
        self._store = store
        self._min_bytes_per_s = min_bytes_per_s
        self._saves_bytes = saves_bytes
        self._client = store.client
        self.bucket = bucket
        self._stop = stop
        self._checksum = True

    def send(self, upload: Upload) -> Receipt:
        """Upload the bytes and have them confirmed.

        Raises `DependencyDown` and `AccessRefused`, which affect all files; `StoreMismatch`, `SourceMissing`,
        `SourceChanged` and `SourceUnreadable`, which affect this file; and `Stopped`.
        """
        began = _now()
        try:
            sent = self._send_parts(upload) if upload.size > PART_BYTES else self._send_single(upload)
        except _CLIENT_ERRORS as error:
            raise self._translate(error, upload.key) from error
        try:
            return self._confirm(upload, sent, began)
        except ObjectMissing as error:
            raise StoreMismatch(f"the store accepted {upload.key} and does not list it") from error

    def find_stored(self, upload: Upload) -> Receipt | None:
        """The receipt where the store already has exactly these bytes under this key, else None.

        None also where the credentials do not permit the request: the upload reports what is wrong with them.
        """
        try:
            return self._confirm(upload, None, _now())
        except (ObjectMissing, StoreMismatch, AccessRefused):
            return None

    def read_if_changed(self, key: str, etag: str, *, max_bytes: int) -> tuple[bytes, str] | None:
        """Bytes and ETag of an object, of a longer one the first `max_bytes`; None where its ETag is still this one.

        Raises `ObjectMissing`, `AccessRefused` or `DependencyDown`.
        """
        condition = {"IfNoneMatch": f'"{etag}"'} if etag else {}
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{max_bytes - 1}", **condition)
            with contextlib.closing(answer["Body"]) as body:
                return body.read(max_bytes), self._etag(answer)
        except _CLIENT_ERRORS as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _UNCHANGED:
                return None
            raise self._store.translate(error, f"{self.bucket}/{key}") from error

    def _send_single(self, upload: Upload) -> _Sent:
        data = _read(upload, 0, upload.size + 1)
        if len(data) != upload.size or hashlib.md5(data, usedforsecurity=False).hexdigest() != upload.md5:
            raise SourceChanged("it changed before it was sent")
        metadata = _metadata(upload)
        response = self._call_with_checksum(
            lambda extra: self._client.put_object(
                Bucket=self.bucket,
                Key=upload.key,
                Body=_Body(data, self._stop, self._min_bytes_per_s),
                ContentMD5=_base64(upload.md5),
                ContentType=content_type(upload.name),
                Metadata=metadata,
                **extra,
            ),
            {"ChecksumSHA256": _base64(upload.sha256)},
        )
        return _Sent(self._etag(response), upload.md5)

    def _send_parts(self, upload: Upload) -> _Sent:
        upload_id = upload.multipart
        done = self._parts(upload.key, upload_id) if upload_id is not None else None
        if done is None:
            upload_id = self._client.create_multipart_upload(
                Bucket=self.bucket, Key=upload.key, ContentType=content_type(upload.name), Metadata=_metadata(upload)
            )["UploadId"]
            upload.save_multipart_id(upload_id)
            done = {}
        parts, digests, digest_of_all = [], b"", hashlib.md5(usedforsecurity=False)
        for part_number, start in enumerate(range(0, upload.size, PART_BYTES), start=1):
            data = _read(upload, start, min(PART_BYTES, upload.size - start))
            digest_of_all.update(data)
            digest = hashlib.md5(data, usedforsecurity=False)
            digests += digest.digest()
            etag = done.get(part_number)
            if etag != digest.hexdigest():
                response = self._client.upload_part(
                    Bucket=self.bucket,
                    Key=upload.key,
                    UploadId=upload_id,
                    PartNumber=part_number,
                    Body=_Body(data, self._stop, self._min_bytes_per_s),
                    ContentMD5=_base64(digest.hexdigest()),
                )
                etag = self._etag(response)
            parts.append({"PartNumber": part_number, "ETag": etag})
        if digest_of_all.hexdigest() != upload.md5:
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=upload.key, UploadId=upload_id)
            upload.save_multipart_id(None)
            raise SourceChanged("it changed before it was sent")
        response = self._client.complete_multipart_upload(
            Bucket=self.bucket, Key=upload.key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )
        # What S3 returns for parts: the MD5 of their MD5s, and their number.
        expected = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
        return _Sent(self._etag(response), expected)

    def _parts(self, key: str, upload_id: str) -> dict[int, str] | None:
        """ETags, by part number, of the parts that the store already has; None where it does not know the upload."""
        try:
            responses = self._client.get_paginator("list_parts").paginate(
                Bucket=self.bucket, Key=key, UploadId=upload_id
            )
            return {
                part["PartNumber"]: part["ETag"].strip('"')
                for response in responses
                for part in response.get("Parts", ())
            }
        except ClientError as error:
            if error.response["Error"]["Code"] in _NO_UPLOAD:
                return None
            raise

    def _confirm(self, upload: Upload, sent: _Sent | None, began: str) -> Receipt:
        """Request what the store has. `sent`: the response to the upload; None where nothing was sent."""
        if self._saves_bytes and sent is not None and sent.etag == sent.expected:
            return Receipt(self.bucket, upload.key, sent.etag, upload.size, upload.sha256, began, _now())
        try:
            extra = {"ChecksumMode": "ENABLED"} if self._checksum else {}
            head = self._client.head_object(Bucket=self.bucket, Key=upload.key, **extra)
            etag = self._etag(head)
        except _CLIENT_ERRORS as error:
            translated = self._store.translate(error, f"the bucket {self.bucket}")
            # Credentials that may only write permit no HEAD; an MD5 in the response to the upload confirms it too.
            if sent is not None and sent.etag == sent.expected and isinstance(translated, AccessRefused):
                return Receipt(self.bucket, upload.key, sent.etag, upload.size, upload.sha256, began, _now())
            raise (
                translated if isinstance(translated, ObjectMissing) else self._translate(error, upload.key)
            ) from error
        proofs = (
            head.get("ChecksumSHA256") == _base64(upload.sha256),
            etag == upload.md5,
            # Multipart uploads and encrypting stores have ETags that are no MD5: it must be that of this upload.
            sent is not None and etag == sent.etag,
            sent is None and "-" in etag and head.get("Metadata", {}).get("sha256") == upload.sha256,
        )
        if head["ContentLength"] != upload.size or not any(proofs):
            raise StoreMismatch(
                f"the store has {head['ContentLength']:,} bytes with ETag {etag} under {upload.key}; "
                f"{upload.size:,} bytes with MD5 {upload.md5} were sent"
            )
        return Receipt(self.bucket, upload.key, etag, upload.size, upload.sha256, began, _now())

    def _call_with_checksum(self, call: Callable[[dict[str, str]], Any], checksum: dict[str, str]) -> dict[str, Any]:
        """Call with a SHA-256 checksum, or without where the store does not support that header."""
        try:
            return cast(dict[str, Any], call(checksum if self._checksum else {}))
        except ClientError as error:
            if not self._checksum or error.response["Error"]["Code"] not in _CHECKSUM_UNKNOWN:
                raise
            response = cast(dict[str, Any], call({}))
            self._checksum = False
            return response

    def _etag(self, response: dict[str, Any]) -> str:
        """The ETag of a response. A captive portal or proxy may accept every request; only a store returns an ETag."""
        etag = str(response.get("ETag", "")).strip('"')
        if not etag:
            raise DependencyDown(f"the server at {self._store.endpoint} is not an object store (no ETag)")
        return etag

    def _translate(self, error: Exception, key: str) -> Exception:
        """The exception for one of boto3; it names the key only where the error concerns this file."""
        endpoint = self._store.endpoint
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NO_BUCKET:
                return BucketNotFound(f"{endpoint} has no bucket {self.bucket}: create it, or set UNCIA_BUCKET")
            if code == "BadDigest":
                return StoreMismatch(f"{key} did not arrive as it was sent")
            translated = self._store.translate(error, f"the bucket {self.bucket}")
            if isinstance(translated, ObjectMissing):
                return DependencyDown(
                    f"the server at {endpoint} does not support uploads ({code}) and may not be an object store"
                )
            return translated
        if isinstance(error, ParamValidationError):
            return StoreMismatch(f"S3 does not accept the key {key!r}")
        return DependencyDown(f"{endpoint} does not answer ({type(error).__name__})")


class _Body(io.BytesIO):
    """A request body that ends the request when the gateway ends, or when the network is too slow.

    As a file it is sent in small chunks, and the timeout of the client applies to each; bytes are sent in one chunk
    within that timeout, which a satellite link does not achieve.
    """

    def __init__(self, data: bytes, stop: threading.Event, min_bytes_per_s: float = _MIN_BYTES_PER_S) -> None:
        super().__init__(data)
        self._deadline = time.monotonic() + _MIN_ATTEMPT_S + len(data) / min_bytes_per_s
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        if time.monotonic() > self._deadline:
            raise TimeoutError("the network to the store is too slow")
        return super().read(size)


def _read(upload: Upload, start: int, size: int) -> bytes:
    """Bytes of the content. Those without a position are computed again: they are the same, or the MD5 is not."""
    path = upload.path
    try:
        with path.open("rb") as file:
            if upload.strip_gps:
                removal = remove_gps(file.read(MAX_BYTES + 1))
                if removal.problem is None:
                    return removal.data[start : start + size]
            file.seek(start)
            return file.read(size)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(f"{path.name} does not exist any more") from error
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path.name}: {error.strerror}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metadata(upload: Upload) -> dict[str, str]:
    """Metadata of the object; ASCII, because they are HTTP headers."""
    return {
        "sha256": upload.sha256,
        "name": urllib.parse.quote(upload.name.encode("utf-8", "surrogateescape"), safe="")[:512],
        "uploader": f"uncia-gateway/{__version__}",
        **({"partial": urllib.parse.quote(upload.partial)} if upload.partial else {}),
        **({LANE_METADATA: upload.lane.value} if upload.lane is not None else {}),
        **_sealed_position(upload),
    }


def _sealed_position(upload: Upload) -> dict[str, str]:
    """The position that is not in the bytes that are sent, for the holder of the private key."""
    if not upload.strip_gps or upload.position_key is None:
        return {}
    try:
        with upload.path.open("rb") as file:
            position = remove_gps(file.read(MAX_BYTES + 1)).position
    except OSError as error:
        raise SourceUnreadable(f"cannot read {upload.path.name}: {error.strerror}") from error
    if position is None:
        return {}
    camera = f"{upload.station}/{upload.camera}"
    return {METADATA_NAME: upload.position_key.seal(position, camera=camera, sha256=upload.sha256)}


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()
