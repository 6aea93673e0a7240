"""`python -m benchmarks.reconcile`: seconds and peak memory of comparing a large bucket with the topics.

The store is a ListObjectsV2 server in another process, which the usual client accesses over a real socket. The facts
from the topics are written directly to the ledger, in the way in which the consumer of the topics writes them.
"""

import hashlib
import http.server
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import typer

from uncia.producers.reconcile.comparison import BucketComparison, Scope
from uncia.producers.reconcile.ledger import Ledger, UploadFact, UploadLocation
from uncia.producers.reconcile.upload_facts import object_keys
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore, StoredObject

BUCKET = "camera-uploads"
_PAGE = 1000
_STORED = "2026-01-01T00:00:00.000Z"
_MISSED_EVERY = 100_000
_BATCH = 2000


def key_of(number: int) -> str:
    """Key of an object; keys sort in the order of their numbers."""
    return f"ridge/cam-{number // 100_000:03}/2026/01/01/{number:09}.jpg"


def etag_of(number: int) -> str:
    """An etag with the length of a real one."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


class _ListingHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects = 0

    def do_GET(self) -> None:
        """Return one page of the listing; the continuation token is the number of the page's first object."""
        query = parse_qs(urlsplit(self.path).query)
        first = int(query.get("continuation-token", ["0"])[0])
        last = min(first + _PAGE, self.objects)
        rows = "".join(
            f"<Contents><Key>{key_of(n)}</Key><LastModified>{_STORED}</LastModified><ETag>&quot;{etag_of(n)}&quot;</ETag>"
            "<Size>300000</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for n in range(first, last)
        )
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < self.objects else ""
        page = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{rows}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _serve(objects: int, pipe: Connection) -> None:
    _ListingHandler.objects = objects
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ListingHandler)
    pipe.send(server.server_port)
    server.serve_forever()


def _facts(objects: int) -> Iterator[UploadFact]:
    for number in range(objects):
        if number % _MISSED_EVERY:
            upload, path = object_keys(BUCKET, key_of(number), etag_of(number))
            place = UploadLocation(path, "station/camera", key_of(number), etag_of(number), 1, 0.0)
            yield UploadFact(upload, announced=1.0, location=place)
            yield UploadFact(upload, answered=1.0, content=number.to_bytes(12, "big"))


def _fill_ledger(ledger: Ledger, objects: int) -> None:
    batch: list[UploadFact] = []
    for place, fact in enumerate(_facts(objects)):
        batch.append(fact)
        if len(batch) == _BATCH:
            ledger.apply(batch, {("topic", 0): place + 1})
            batch.clear()
    ledger.apply(batch, {})


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench(objects: int = typer.Option(1_000_000, min=1, help="Keys in the bucket.")) -> None:
    """Record two messages per key in the ledger, compare all keys, and print one JSON object."""
    parent_end, child_end = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(objects, child_end), daemon=True)
    server.start()
    settings = Settings(
        _env_file=None, s3_endpoint=f"http://127.0.0.1:{parent_end.recv()}", s3_access_key="k", s3_secret_key="s"
    )  # type: ignore[call-arg, unused-ignore]
    store = ObjectStore(settings)
    try:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger.sqlite", "bench")
            next(store.list(BUCKET))  # the client is loaded
            before = _memory_mb()
            began = time.monotonic()
            _fill_ledger(ledger, objects)
            learnt = time.monotonic() - began
            announced: list[StoredObject] = []
            comparison = BucketComparison(
                ledger=ledger,
                bucket=BUCKET,
                catch_up=lambda: None,
                list_after=lambda prefix, after: store.list(BUCKET, prefix, after),
                announce=announced.extend,
                announce_moves=lambda moves: None,
                etag_at=lambda key: None,
                fresh_s=30,
                unanswered_after_s=600,
                again_after_s=600,
            )
            began, used = time.monotonic(), time.process_time()
            progress = comparison.run(Scope(), "bench", lambda state, key: None)
            compared, cpu = time.monotonic() - began, time.process_time() - used
            files = sum(entry.stat().st_size for entry in Path(folder).iterdir())
            result = {
                "objects": objects,
                "learn_s": round(learnt, 1),
                "compare_s": round(compared, 1),
                "compare_cpu_s": round(cpu, 1),
                "objects_per_s": round(objects / compared),
                "peak_memory_mb": round(_memory_mb(), 1),
                "of_it_before_mb": round(before, 1),
                "ledger_mb": round(files / 1e6, 1),
                "missed": len(announced),
                "counted": sum(progress.counts.values()),
            }
            ledger.close()
    finally:
        server.terminate()
        server.join()
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(bench)
