"""The load generator: PUTs at full speed or on a schedule, over raw HTTP, as cheap as Python can be.

It runs on the same cores as what it loads, so its own CPU time is measured and told. Requests are signed before the
clock starts, bodies are not hashed: a boto3 client would spend several milliseconds of CPU on each PUT.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.photographs import Photographs, exif_block
from benchmarks.plan import BURST, Shot
from uncia.errors import DependencyDown
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

CONNECTIONS = 8
_TIMEOUT_S = 30
_SIGNED_FOR_S = 3600


@dataclass(frozen=True)
class Put:
    """One signed request, ready to go. `due`: seconds after the start, None for as soon as possible."""

    shot: Shot
    target: str
    due: float | None = None


@dataclass
class Sent:
    """What was sent: key to the moment (`time.perf_counter`) at which it was due."""

    due: dict[str, float] = field(default_factory=dict)
    latest_start_s: float = 0.0
    """How far behind its schedule the generator ever was."""


class Uploader:
    """Uploads photographs to one bucket of one store."""

    def __init__(self, settings: Settings, photographs: Photographs) -> None:
        address = urlsplit(settings.s3_endpoint or "")
        if address.hostname is None:
            raise DependencyDown("the benchmark uploads to a stack of its own; UNCIA_S3_ENDPOINT is empty")
        self._host, self._port = address.hostname, address.port or 80
        self._bucket = settings.bucket
        self._store = ObjectStore(settings)
        self._photographs = photographs

    def sign(self, shots: Iterable[Shot], *, per_s: float | None = None) -> list[Put]:
        """Sign a request for each; with `per_s`, at that steady rate instead of as fast as the store takes them."""
        return [Put(shot, self._signed(shot.key), place / per_s if per_s else None) for place, shot in enumerate(shots)]

    def send(self, puts: Sequence[Put], *, admitted: Callable[[], object] = lambda: None) -> Sent:
        """Send all and wait until the store has confirmed each. `admitted` may block before a PUT.

        A request that is late is late: its due moment stands, so that waiting in our own queue counts as latency.
        Raises `DependencyDown` when the store refuses one.
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
                sent.due[put.shot.key] = due
                sent.latest_start_s = max(sent.latest_start_s, now - due)
                self._put(connection, put)
        finally:
            connection.close()

    def _put(self, connection: http.client.HTTPConnection, put: Put) -> None:
        shot = put.shot
        data = self._photographs.with_exif(shot.picture, exif_block(shot.taken, shot.sequence, BURST, shot.event))
        try:
            connection.request("PUT", put.target, body=data)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DependencyDown(f"the store does not take {shot.key}: {error!r}") from error
        if answer.status != http.client.OK:
            raise DependencyDown(f"the store refuses {shot.key}: {answer.status} {text[:200]!r}")
