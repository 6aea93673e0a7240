"""Have workers on Kafka download the accepted pictures, and collect what they stored.

`uncia.harvest_requests` has the invariants. What a worker stored is compared with the hash in its outcome, and then
checked and stored as a picture that this process downloaded.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kafka.errors import KafkaError

from uncia.errors import PermanentError
from uncia.events import FetchState, HarvestPictureFetched, HarvestPictureRequested
from uncia.harvest_requests import MAX_PICTURE_BYTES, interleave_hosts, picture_key
from uncia.kafka.broker import Message, send_to_cameras
from uncia.kafka.connection import unavailable
from uncia.kafka.offset_consumer import OffsetConsumer, Place
from uncia.polite_http.client import FetchFailed, FetchStopped, origin_of
from uncia.polite_http.rate_limit import DEFAULT_INTERVAL_S
from uncia.settings import Settings
from uncia.storage.object_store import ObjectMissing, ObjectStore, ObjectTooLarge
from uncia.topics import HARVEST_PICTURE_FETCHED, HARVEST_PICTURE_REQUESTED
from uncia.training.harvest import HarvestError
from uncia.training.harvest.fetching import PICTURES, FetchOutcome, note_failure, store_picture
from uncia.training.harvest.store import HarvestStore, WantedPicture
from uncia.training.progress import ProgressCallback, no_progress

__all__ = ["WorkerFetcher", "WorkersOnKafka"]

SILENT_AFTER_S = 60.0
"""Without an outcome for so long, a warning says that no worker may be running."""

_POLL_S = 0.5
_GROUP = "operator-harvest"
"""Nothing is committed: the offsets are in the harvest's state."""


@dataclass(frozen=True)
class WorkersOnKafka:
    """How to reach the workers."""

    settings: Settings
    silent: Callable[[], None] = lambda: None
    """Called once where no outcome arrives for `SILENT_AFTER_S`."""


class WorkerFetcher:
    """Publishes requests and waits for their outcomes. A run that was killed is continued by another one."""

    def __init__(
        self,
        store: HarvestStore,
        folder: Path,
        workers: WorkersOnKafka,
        contact: str,
        intervals: dict[str, float],
        stop: threading.Event,
    ) -> None:
        """`intervals`: seconds between two requests, of hosts that have a rule of their own."""
        self._store, self._folder, self._workers = store, folder, workers
        self._contact, self._intervals, self._stop = contact, intervals, stop
        self._objects = ObjectStore(workers.settings)
        self._harvest = store.harvest_id()
        self._outcome = FetchOutcome()
        self._lock = threading.Lock()

    def fetch_all(
        self, wanted: Sequence[WantedPicture], threads: int, progress: ProgressCallback = no_progress
    ) -> FetchOutcome:
        """Have these pictures downloaded; collect them with so many threads.

        Raises `FetchStopped` after an interruption, `HarvestError` where the folder cannot be written, and
        `DependencyDown` without Kafka or the store. Requests that were published are carried out all the same.
        """
        (self._folder / PICTURES).mkdir(parents=True, exist_ok=True)
        settings = self._workers.settings
        try:
            with OffsetConsumer(settings, (HARVEST_PICTURE_FETCHED,), _GROUP) as consumer:
                offsets = self._store.outcome_offsets()
                if not offsets:
                    # Before the first request: no outcome of this harvest is older.
                    offsets = consumer.end_offsets()
                    self._store.write_outcome_offsets(offsets)
                consumer.seek(offsets)
                waiting = self._publish(wanted)
                with ThreadPoolExecutor(threads) as pool:
                    self._collect(consumer, waiting, pool, progress)
        except KafkaError as error:
            raise unavailable(settings, error) from error
        finally:
            self._objects.close()
        return self._outcome

    def _publish(self, wanted: Sequence[WantedPicture]) -> dict[str, WantedPicture]:
        """Publish all requests without an outcome, also those that an earlier run has published: they may be lost."""
        usable = [(host, one) for one in wanted if (host := origin_of(one.url)[0])]
        for one in wanted:
            if not origin_of(one.url)[0]:
                self._leave_out(one, FetchFailed("not-a-url", "not a URL of http or https", temporary=False))
        # The ids are on disk before a worker has them.
        ids = self._store.open_requests(one.id for _, one in usable)
        now = datetime.now(UTC)
        messages, waiting = [], {}
        for host, one in interleave_hosts((host, (host, one)) for host, one in usable):
            try:
                request = HarvestPictureRequested(
                    harvest_id=self._harvest,
                    request_id=ids[one.id],
                    url=one.url,
                    host=host,
                    contact=self._contact,
                    interval_s=self._intervals.get(host, DEFAULT_INTERVAL_S),
                    requested_at=now,
                )
            except ValueError:
                self._leave_out(one, FetchFailed("not-a-url", "too long for a URL", temporary=False))
                continue
            waiting[request.request_id] = one
            messages.append((host, host.encode(), request.to_bytes()))
        send_to_cameras(self._workers.settings, HARVEST_PICTURE_REQUESTED, messages)
        return waiting

    def _collect(
        self,
        consumer: OffsetConsumer,
        waiting: dict[str, WantedPicture],
        pool: ThreadPoolExecutor,
        progress: ProgressCallback,
    ) -> None:
        total, heard, silent = len(waiting), time.monotonic(), False
        while waiting:
            if self._stop.is_set():
                raise FetchStopped
            messages = consumer.poll(_POLL_S)
            ended = self._outcomes(messages, waiting)
            for result in [pool.submit(self._apply, picture, outcome) for picture, outcome in ended]:
                result.result()
            if messages:
                # Only now: what was read and not applied is read again after a kill.
                self._store.write_outcome_offsets(_behind(messages))
            if ended:
                heard, silent = time.monotonic(), False
                progress(total - len(waiting), total)
            elif not silent and time.monotonic() - heard > SILENT_AFTER_S:
                silent = True
                self._workers.silent()

    def _outcomes(
        self, messages: Sequence[Message], waiting: dict[str, WantedPicture]
    ) -> list[tuple[WantedPicture, HarvestPictureFetched]]:
        """The outcomes that pictures wait for; each counts once."""
        found = []
        for message in messages:
            if self._harvest.encode() not in (message.value or b""):
                continue
            try:
                outcome = HarvestPictureFetched.from_bytes(message.value)
            except PermanentError:
                continue
            if outcome.harvest_id == self._harvest and outcome.request_id in waiting:
                found.append((waiting.pop(outcome.request_id), outcome))
        return found

    def _apply(self, picture: WantedPicture, outcome: HarvestPictureFetched) -> None:
        try:
            if outcome.state is not FetchState.STORED:
                raise FetchFailed(outcome.reason or "failed", outcome.message or "", temporary=outcome.temporary)
            stored = store_picture(self._store, self._folder, picture.id, lambda file: self._copy(outcome, file))
        except FetchFailed as error:
            self._leave_out(picture, error)
        except OSError as error:
            problem = f"{self._folder} cannot be written ({error.strerror}): free some space and run it again"
            raise HarvestError(problem) from error
        else:
            with self._lock:
                self._outcome.stored += stored
                self._outcome.left_out += not stored

    def _leave_out(self, picture: WantedPicture, error: FetchFailed) -> None:
        postponed = note_failure(self._store, picture.id, error)
        if postponed:
            self._store.close_request(picture.id)
        with self._lock:
            self._outcome.postponed += postponed
            self._outcome.left_out += not postponed

    def _copy(self, outcome: HarvestPictureFetched, file: BinaryIO) -> datetime:
        """Copy what a worker stored. Raises `FetchFailed` where it is not there, or is something else."""
        bucket, key = self._workers.settings.bucket, picture_key(self._harvest, outcome.request_id)
        try:
            copied = self._objects.download(bucket, key, file, max_bytes=MAX_PICTURE_BYTES)
        except ObjectMissing as error:
            raise FetchFailed("object-missing", "the worker's copy was deleted", temporary=True) from error
        except ObjectTooLarge as error:
            raise FetchFailed("too-large", str(error), temporary=False) from error
        if copied.sha256 != outcome.sha256:
            raise FetchFailed("hash-differs", "the store holds something else than the worker stored", temporary=True)
        return outcome.ended_at


def _behind(messages: Sequence[Message]) -> dict[Place, int]:
    """The offsets behind these messages."""
    return {(message.topic, message.partition): message.offset + 1 for message in messages}
