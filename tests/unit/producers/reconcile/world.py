"""A bucket and its topics as real events, without a store and without Kafka, for tests of reconcile."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from uncia.events import OBJECT_MOVED, Capture, CaptureTimeSource, ImagePredicted, ImageUploaded, Rejection
from uncia.ids import upload_id
from uncia.kafka.broker import Message
from uncia.producers.reconcile.comparison import PAGE_SIZE, BucketComparison, ComparisonProgress, Scope
from uncia.producers.reconcile.ledger import Ledger, MovedUpload
from uncia.producers.reconcile.object_state import ObjectState
from uncia.producers.reconcile.upload_facts import fact_of_prediction, fact_of_upload
from uncia.storage.object_store import StoredObject

BUCKET = "b"
START = datetime(2026, 5, 14, 21, 36, tzinfo=UTC)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """A bucket, its topics as real events, and reconcile with a ledger that is opened anew each time."""

    def __init__(self, folder: Path) -> None:
        self.path, self.now = folder / "ledger.sqlite", START
        self.objects: dict[str, StoredObject] = {}
        self.log: list[tuple[str, Message]] = []
        self.announced: list[str] = []
        self.moved: list[MovedUpload] = []
        self.reported: list[tuple[ObjectState, str]] = []
        self.bytes_of: dict[str, str] = {}
        """By ETag, where several are of the same bytes."""
        self.fail_after_pages = 0
        """The next comparison is interrupted after so many pages of its listing."""

    def put(
        self, key: str, etag: str = "aaa", *, size: int = 7, lost: bool = False, answered: str = "predicted"
    ) -> None:
        """Store an object; announced and answered unless its notification is `lost`."""
        self.later()
        self.objects[key] = StoredObject(key, etag, size, self.now)
        if not lost:
            self.announce(self.objects[key])
            self.fact_of_prediction(self.objects[key], answered)

    def move(self, key: str, to: str, **options: str) -> None:
        self.put(to, self.objects[key].etag, **options)  # type: ignore[arg-type]
        del self.objects[key]

    def announce(self, stored: StoredObject) -> None:
        camera = stored.key.rpartition("/")[0]
        event = ImageUploaded(
            upload_id=upload_id(BUCKET, stored.key, stored.etag), station="ridge", camera=camera, bucket=BUCKET,
            key=stored.key, etag=stored.etag, size=stored.size, uploaded_at=stored.modified, announced_at=self.now,
        )  # fmt: skip
        self._log("upload", event.to_bytes())

    def fact_of_prediction(self, stored: StoredObject, reason: str) -> None:
        event = ImagePredicted(
            upload_id=upload_id(BUCKET, stored.key, stored.etag), image_id="img-1", station="ridge", camera="c",
            bucket=BUCKET, key=stored.key, etag=stored.etag, size=stored.size, uploaded_at=stored.modified,
            sha256=None if reason.startswith("object-") else sha256(self.bytes_of.get(stored.etag, stored.etag)),
            predicted_at=self.now, capture=Capture(time=datetime(2026, 5, 14), time_source=CaptureTimeSource.KEY),
            rejection=None if reason == "predicted" else Rejection(reason=reason, message=""),
        )  # fmt: skip
        self._log("fact_of_prediction", event.to_bytes())

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.later()
        del self.objects[key]

    def reconcile(self, prefix: str = "", *, accept_vanished: bool = False, bucket: str = BUCKET) -> ComparisonProgress:
        self.later(3600)
        self.announced, self.moved, self.reported = [], [], []
        ledger = Ledger(self.path, "same")
        try:
            return BucketComparison(
                ledger,
                bucket,
                lambda: self._catch_up(ledger),
                self._list,
                self._announce,
                self._move,
                self._etag_at,
                fresh_s=30,
                unanswered_after_s=900,
                again_after_s=600,
                clock=lambda: self.now.timestamp(),
            ).run(
                Scope(prefix, accept_vanished=accept_vanished),
                "test",
                lambda state, key: self.reported.append((state, key)),
            )
        finally:
            ledger.close()

    def later(self, seconds: float = 10) -> None:
        self.now += timedelta(seconds=seconds)

    def _announce(self, objects: list[StoredObject]) -> None:
        self.announced += [one.key for one in objects]
        for one in objects:
            self.announce(one)
            self.fact_of_prediction(one, "predicted")

    def _move(self, moves: list[MovedUpload]) -> None:
        """As predict answers."""
        self.moved += moves
        for move in moves:
            one = move.location
            self.fact_of_prediction(StoredObject(one.key, one.etag, one.size, START), OBJECT_MOVED)

    def _etag_at(self, key: str) -> str | None:
        return self.objects[key].etag if key in self.objects else None

    def _log(self, kind: str, value: bytes) -> None:
        self.log.append((kind, Message("t", 0, len(self.log), int(self.now.timestamp() * 1000), None, value, [])))

    def _catch_up(self, ledger: Ledger) -> None:
        start = ledger.positions().get(("t", 0), 0)
        facts = [
            (fact_of_upload if kind == "upload" else fact_of_prediction)(message) for kind, message in self.log[start:]
        ]
        ledger.apply([fact for fact in facts if fact], {("t", 0): len(self.log)})

    def _list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        listed = (one for key, one in sorted(self.objects.items()) if key.startswith(prefix) and key > after)
        for count, one in enumerate(listed, 1):
            yield one
            if self.fail_after_pages and count == self.fail_after_pages * PAGE_SIZE:
                self.fail_after_pages = 0
                raise InterruptedError
