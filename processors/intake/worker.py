"""Intake: `storage.object.changed` in; `camera.image.uploaded.v1`, live or backfilled, out, keyed by camera.

The same object may be announced many times: stores repeat themselves. Its upload id stays the same.
"""

import asyncio
from datetime import UTC, datetime

import faust
import structlog

from uncia import ids
from uncia.errors import PermanentError
from uncia.events import ImageUploaded, Lane
from uncia.lanes import choose_lane
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import StoreProbe, read_one_object, warn_if_bucket_unreadable
from uncia.processors.intake.keys import KeyPattern
from uncia.processors.intake.notifications import Ignored, Stored, read
from uncia.processors.intake.store_time import believable_seconds
from uncia.settings import Settings
from uncia.storage.object_store import ObjectMissing, ObjectStore, ObjectUnreadable
from uncia.topics import IMAGE_BACKFILLED, IMAGE_UPLOADED, STORAGE_CHANGED

BATCH, WITHIN_S = 32, 0.1
"""Faust looks into its buffer so often, full or empty: at 0.02 that was most of an idle worker's work."""

log = structlog.get_logger("uncia")


class Intake:
    """Turns messages into announcements."""

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._bucket = settings.bucket
        self._own = frozenset(settings.own_buckets)
        self._pattern = KeyPattern(settings.key_pattern)
        self._backfill_after_s = settings.backfill_after_s
        self._store = store
        self._probe = StoreProbe(store, settings.bucket)

    async def announcements(
        self, value: bytes | None, key: bytes | None, logged_at: datetime | None = None
    ) -> tuple[list[ImageUploaded], PermanentError | None]:
        """What one message announces, and the first thing in it that cannot be understood.

        `logged_at` is the message's time: that of an upload whose store gives none that can be believed; now when
        left out.
        """
        announced: list[ImageUploaded] = []
        problem: PermanentError | None = None
        try:
            changes = read(value, key)
        except PermanentError as error:
            return [], error
        for change in changes:
            try:
                if isinstance(change, PermanentError):
                    raise change
                why = self._why_not(change)
                if isinstance(change, Stored) and why is None:
                    announced.append(await self._announce(change, logged_at))
                metrics.CHANGES.labels(why or "announced").inc()
            except PermanentError as error:
                problem = problem or error
        return announced, problem

    def _why_not(self, change: Stored | Ignored) -> str | None:
        if isinstance(change, Ignored):
            return change.why
        if change.moved_to is not None and not self._to_another_camera(change.key, change.moved_to):
            return "renamed"
        if change.bucket in self._own:
            return "own-bucket"
        return None if change.bucket == self._bucket else "other-bucket"

    def _to_another_camera(self, key: str, moved_to: str) -> bool:
        """Within one camera a photograph stays the same one, whatever its file's name."""
        try:
            return self._pattern.place_of(key) != self._pattern.place_of(moved_to)
        except PermanentError:
            return False

    async def _announce(self, stored: Stored, logged_at: datetime | None) -> ImageUploaded:
        place = self._pattern.place_of(stored.key)
        stored_at = stored.stored_at or logged_at or datetime.now(UTC)
        etag, size = (stored.etag, stored.size) if stored.etag is not None else await self._ask(stored)
        return ImageUploaded(
            upload_id=ids.upload_id(stored.bucket, stored.key, etag),
            station=place.station,
            camera=place.camera,
            bucket=stored.bucket,
            key=stored.key,
            etag=etag,
            version_id=stored.version_id,
            size=size,
            uploaded_at=stored_at,
            announced_at=datetime.now(UTC),
            moved_to=stored.moved_to,
            announced_by="reconcile" if stored.by_reconcile else "notification",
            lane=choose_lane(stored.key, stored_at, backfill_after_s=self._backfill_after_s, declared=stored.lane),
        )

    async def _ask(self, stored: Stored) -> tuple[str, int]:
        """ETag and size, from the store. No ETag when it gives none or does not hand the object out: predict answers
        that by a rejection."""
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


def create(settings: Settings) -> WorkerApp:
    """The worker's app."""
    app = create_app("intake", settings)
    lanes = {
        Lane.LIVE: faust_topic(app, settings, IMAGE_UPLOADED),
        Lane.BACKFILL: faust_topic(app, settings, IMAGE_BACKFILLED),
    }
    dead_letters = DeadLetters(app, settings)
    store = ObjectStore(settings, timeout_s=10, attempts=1)
    warn_if_bucket_unreadable(store, settings.bucket)
    intake = Intake(settings, store)

    async def settle(event: faust.Event) -> None:
        announced, problem = await intake.announcements(
            event.value, event.message.key, believable_seconds(event.message.timestamp or -1)
        )
        for upload in announced:
            try:
                await send(lanes[upload.lane], key=upload.camera.encode(), value=upload.to_bytes())
            except PermanentError as error:
                problem = problem or error
                continue
            log.info("announced", upload_id=upload.upload_id, camera=upload.camera, key=upload.key, lane=upload.lane)
        if problem is not None:
            await dead_letters.put(event, problem, "intake")

    async def intake_agent(stream: faust.StreamT[bytes]) -> None:
        async for events in stream.noack_take(BATCH, within=WITHIN_S):
            await asyncio.gather(*(settle(event) for event in events))
            for event in events:
                event.ack()

    app.agent(faust_topic(app, settings, STORAGE_CHANGED), name="intake")(intake_agent)
    return app
