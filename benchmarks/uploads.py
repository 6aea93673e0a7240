"""The load generator: PUTs over raw HTTP, at full speed or on a schedule, with as little CPU as Python allows.

It runs on the same cores as the system under load, so its own CPU time is measured and reported. Requests are signed
before the measurement starts and bodies are not hashed: a boto3 client would use several milliseconds of CPU per PUT.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from benchmarks.photographs import exif_block
from benchmarks.upload_plan import PlannedUpload
from uncia.errors import DependencyDown
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

CONNECTIONS = 8
_TIMEOUT_S = 30
_SIGNED_FOR_S = 3600


class PhotographSource(Protocol):
    """Photographs that are numbered."""

    def with_exif(self, number: int, exif: bytes) -> bytes:
        """The photograph with this number, with an EXIF block."""


@dataclass(frozen=True)
class Put:
    """One signed request. `due` is in seconds after the start; None means as soon as possible."""

    upload: PlannedUpload
    target: str
    due: float | None = None


@dataclass
class Sent:
    """Result of `send`: the due time (`time.perf_counter`) by key."""

    due: dict[str, float] = field(default_factory=dict)
    latest_start_s: float = 0.0
    """Largest delay of a request behind its schedule, in seconds."""


class Uploader:
    """Uploads photographs to one bucket of one store."""

    def __init__(self, settings: Settings, photographs: PhotographSource) -> None:
        address = urlsplit(settings.s3_endpoint or "")
        if address.hostname is None:
            raise DependencyDown("the benchmark uploads to its own stack, but UNCIA_S3_ENDPOINT is empty")
        self._host, self._port = address.hostname, address.port or 80
        self._bucket = settings.bucket
        self._store = ObjectStore(settings)
        self._photographs = photographs

    def sign(self, uploads: Iterable[PlannedUpload], *, per_s: float | None = None) -> list[Put]:
        """Sign a request per upload; with `per_s` they are due at this rate, else as fast as the store accepts them."""
        return [
            Put(upload, self._signed(upload.key), index / per_s if per_s else None)
            for index, upload in enumerate(uploads)
        ]

    def send(self, puts: Sequence[Put], *, admitted: Callable[[], object] = lambda: None) -> Sent:
        """Send all requests and wait until the store has confirmed them. `admitted` may block before a PUT.

        A late request keeps its due time, so that waiting in our own queue counts as latency. Raises `DependencyDown`
        when the store refuses a request.
        """
        sent, lock, waiting = Sent(), threading.Lock(), iter(puts)
        began = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="put") as pool:
            work = [pool.submit(self._work, waiting, lock, began, sent, admitted) for _ in range(CONNECTIONS)]
            for future in work:
                future.result()
        return sent

    def _signed(self, key: str) -> str:
        parameters = {"Bucket": self._bucket, "Key": key}
        url: str = self._store.client.generate_presigned_url("put_object", parameters, ExpiresIn=_SIGNED_FOR_S)
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    def _work(
        self,
        waiting: Iterator[Put],
        lock: threading.Lock,
        began: float,
        sent: Sent,
        admitted: Callable[[], object],
    ) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            while True:
                with lock:
                    put = next(waiting, None)
                if put is None:
                    break
                admitted()
                if put.due is not None:
                    time.sleep(max(0.0, began + put.due - time.perf_counter()))
                now = time.perf_counter()
                due = now if put.due is None else began + put.due
                sent.due[put.upload.key] = due
                sent.latest_start_s = max(sent.latest_start_s, now - due)
                self._put(connection, put)
        finally:
            connection.close()

    def _put(self, connection: http.client.HTTPConnection, put: Put) -> None:
        upload = put.upload
        data = self._photographs.with_exif(
            upload.photograph, exif_block(upload.captured_at, upload.sequence, upload.frames, upload.event)
        )
        try:
            connection.request("PUT", put.target, body=data)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise DependencyDown(f"the PUT of {upload.key} failed: {error!r}") from error
        if response.status != http.client.OK:
            raise DependencyDown(f"the store refused {upload.key}: {response.status} {text[:200]!r}")
