"""Intake: `storage.object.changed` in; `camera.image.uploaded.v1`, live or backfilled, and `camera.status.reported.v1`
out, keyed by camera.

The same object may be announced many times: stores deliver at least once. Its upload id, or report id, stays the same.
"""

import asyncio
from datetime import UTC, datetime

import faust
import structlog

from uncia import ids
from uncia.camtrap.status_documents import MAX_STATUS_BYTES, STATUS_REPORT_INVALID, read_status_document
from uncia.errors import PermanentError, UnciaError
from uncia.events import ImageUploaded, Lane, StatusReported
from uncia.imaging.capture_time import find_capture_time
from uncia.imaging.exif import read_exif
from uncia.imaging.maker_notes import read_maker_note
from uncia.lanes import capture_time_of_name, choose_lane, declared_lane, lane_by_age
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object, warn_if_bucket_unreadable
from uncia.processors.intake.keys import KeyPattern
from uncia.processors.intake.notifications import IgnoredChange, StoredObjectChange, parse_notification
from uncia.processors.intake.store_time import plausible_seconds
from uncia.settings import Settings
from uncia.storage.object_keys import STATUS_PREFIX, is_derived_key
from uncia.storage.object_store import ObjectMissing, ObjectStore, ObjectTooLarge, ObjectUnreadable
from uncia.topics import IMAGE_BACKFILLED, IMAGE_UPLOADED, STATUS_REPORTED, STORAGE_CHANGED

BATCH = 32
BATCH_WAIT_S = 0.1
"""Poll interval of the stream buffer, in seconds; 0.02 caused most of the CPU use of an idle worker."""

_PHOTOGRAPHS = (".jpg", ".jpeg")
_HEADER_BYTES = 1 << 16
"""EXIF is in the first segments of a JPEG, each of which has 64 KB at most."""

log = structlog.get_logger("uncia")


class Intake:
    """Turns notifications of the store into upload events and status reports. Requests ETags from the store where a
    message lacks them, and reads the objects of status reports, which have less than 1 KB."""

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._bucket = settings.bucket
        self._own_buckets = frozenset(settings.own_buckets)
        self._pattern = KeyPattern(settings.key_pattern)
        self._backfill_after_s = settings.backfill_after_s
        self._reads_exif = settings.backfill_by_exif
        self._store = store
        self._probe = StoreProbe(store, settings.bucket)

    async def events(
        self, value: bytes | None, key: bytes | None, logged_at: datetime | None = None
    ) -> tuple[list[ImageUploaded | StatusReported], PermanentError | None]:
        """The uploads and status reports that one message announces, and the first error in it.

        `logged_at` is the message's time (aware), used for uploads without a plausible time of the store; None: now.
        """
        found: list[ImageUploaded | StatusReported] = []
        problem: PermanentError | None = None
        try:
            changes = parse_notification(value, key)
        except PermanentError as error:
            return [], error
        for change in changes:
            try:
                if isinstance(change, PermanentError):
                    raise change
                ignored = self._reason_to_ignore(change)
                if isinstance(change, StoredObjectChange) and ignored is None:
                    is_report = change.key.startswith(STATUS_PREFIX)
                    found.append(await (self._report if is_report else self._upload)(change, logged_at))
                metrics.CHANGES.labels(ignored or "announced").inc()
            except ObjectMissing:
                metrics.CHANGES.labels("deleted").inc()  # a report; an upload is announced without reading it
            except PermanentError as error:
                problem = problem or error
        return found, problem

    def _reason_to_ignore(self, change: StoredObjectChange | IgnoredChange) -> str | None:
        if isinstance(change, IgnoredChange):
            return change.reason
        if change.moved_to is not None and change.key.startswith(STATUS_PREFIX):
            return "renamed"
        if change.moved_to is not None and not self._moves_to_another_camera(change.key, change.moved_to):
            return "renamed"
        if change.bucket in self._own_buckets:
            return "own-bucket"
        if change.bucket != self._bucket:
            return "other-bucket"
        return "derived" if is_derived_key(change.key) and not change.key.startswith(STATUS_PREFIX) else None

    def _moves_to_another_camera(self, key: str, moved_to: str) -> bool:
        """Whether a rename moves a photograph to another camera; within one camera it stays the same photograph."""
        try:
            return self._pattern.identify(key) != self._pattern.identify(moved_to)
        except PermanentError:
            return False

    async def _upload(self, stored: StoredObjectChange, logged_at: datetime | None) -> ImageUploaded:
        identity = self._pattern.identify(stored.key)
        stored_at = stored.stored_at or logged_at or datetime.now(UTC)
        etag, size = (stored.etag, stored.size) if stored.etag is not None else await self._request_etag(stored)
        return ImageUploaded(
            upload_id=ids.upload_id(stored.bucket, stored.key, etag),
            station=identity.station,
            camera=identity.camera,
            bucket=stored.bucket,
            key=stored.key,
            etag=etag,
            version_id=stored.version_id,
            size=size,
            uploaded_at=stored_at,
            announced_at=datetime.now(UTC),
            moved_to=stored.moved_to,
            announced_by="reconcile" if stored.by_reconcile else "notification",
            lane=await self._lane(stored, stored_at),
        )

    async def _report(self, stored: StoredObjectChange, logged_at: datetime | None) -> StatusReported:
        """The status report in an object. Raises `PermanentError`, and `ObjectMissing` where it was deleted."""
        try:
            content = await read_one_object(
                lambda: asyncio.to_thread(
                    self._store.read,
                    stored.bucket,
                    stored.key,
                    max_bytes=MAX_STATUS_BYTES,
                    version_id=stored.version_id,
                ),
                self._probe,
                stored.bucket,
                stored.key,
            )
        except ObjectTooLarge as error:
            raise PermanentError(STATUS_REPORT_INVALID, str(error)) from error
        return read_status_document(stored.key, content.data, stored.stored_at or logged_at or datetime.now(UTC))

    async def _lane(self, stored: StoredObjectChange, stored_at: datetime) -> Lane:
        """The lane by what is known without the photograph; with the setting, else by the time in the photograph."""
        known = stored.file_time is not None or capture_time_of_name(stored.key) is not None
        if self._reads_exif and not known and declared_lane(stored.lane) is None and stored.moved_to is None:
            return lane_by_age(await self._time_in(stored), stored_at, backfill_after_s=self._backfill_after_s)
        return choose_lane(
            stored.key,
            stored_at,
            backfill_after_s=self._backfill_after_s,
            declared=stored.lane,
            file_time=stored.file_time,
        )

    async def _time_in(self, stored: StoredObjectChange) -> datetime | None:
        """The capture time in the first bytes of the photograph; None where there is none, or it cannot be read now.

        Not worth waiting for: the photograph is processed in either lane.
        """
        if not stored.key.lower().endswith(_PHOTOGRAPHS):
            return None
        try:
            start = await asyncio.to_thread(
                self._store.read_start, stored.bucket, stored.key, _HEADER_BYTES, version_id=stored.version_id
            )
        except UnciaError:
            return None
        exif = read_exif(start)
        found = find_capture_time(exif, read_maker_note(exif.maker_note), "")
        return found.time if found else None

    async def _request_etag(self, stored: StoredObjectChange) -> tuple[str, int]:
        """ETag and size, requested from the store.

        The ETag is empty when the store has none or does not serve the object: predict rejects such an upload.
        """
        try:
            found = await read_one_object(
                lambda: asyncio.to_thread(self._store.head, stored.bucket, stored.key, version_id=stored.version_id),
                self._probe,
                stored.bucket,
                stored.key,
            )
        except (ObjectMissing, ObjectUnreadable):
            return "", stored.size
        return found.etag, found.size


class IntakeWorker:
    """The agent: batches of notifications in, confirmed upload events out, then the acknowledgement."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._topics = {
            Lane.LIVE: faust_topic(app, settings, IMAGE_UPLOADED),
            Lane.BACKFILL: faust_topic(app, settings, IMAGE_BACKFILLED),
        }
        self._reports = faust_topic(app, settings, STATUS_REPORTED)
        self._dead_letters = DeadLetters(app, settings)
        store = ObjectStore(settings, timeout_s=10, attempts=1)
        warn_if_bucket_unreadable(store, settings.bucket)
        self._intake = Intake(settings, store)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        async for events in stream.noack_take(BATCH, within=BATCH_WAIT_S):
            await asyncio.gather(*(self._process(event) for event in events))
            for event in events:
                event.ack()

    async def _process(self, event: faust.Event) -> None:
        found, problem = await self._intake.events(
            event.value, event.message.key, plausible_seconds(event.message.timestamp or -1)
        )
        for one in found:
            topic = self._reports if isinstance(one, StatusReported) else self._topics[one.lane]
            try:
                await send(topic, key=one.camera.encode(), value=one.to_bytes())
            except PermanentError as error:
                problem = problem or error
                continue
            if isinstance(one, StatusReported):
                log.info("status_reported", report_id=one.report_id, camera=one.camera, profile=one.profile)
            else:
                log.info("announced", upload_id=one.upload_id, camera=one.camera, key=one.key, lane=one.lane)
        if problem is not None:
            await self._dead_letters.put(event, problem, "intake")


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app."""
    app = create_app("intake", settings)
    app.agent(faust_topic(app, settings, STORAGE_CHANGED), name="intake")(IntakeWorker(app, settings).run)
    return app
