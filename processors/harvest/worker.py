"""Harvest: `harvest.picture.requested.v1` in, bytes in the object store and `harvest.picture.fetched.v1` out.

`uncia.harvest_requests` has the invariants. Many requests are in progress, one for each host at a time, and they are
acknowledged in the order of their partitions. The worker has no state but memory: a request that is delivered again
finds its bytes in the store, or its outcome in memory, or is carried out again.
"""

import asyncio
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import faust
import structlog

from uncia.errors import DependencyDown, PermanentError, SettingsError
from uncia.events import FetchState, HarvestHostPaused, HarvestPictureFetched, HarvestPictureRequested
from uncia.harvest_requests import KEPT_S, MAX_REDIRECTS
from uncia.kafka.broker import Message
from uncia.kafka.partitioning import partition_of
from uncia.kafka.topic_follower import TopicFollower
from uncia.polite_http.client import LONGEST_WAIT_S, FetchFailed, FetchStopped, origin_of
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.harvest.assignment import Assignment
from uncia.processors.harvest.download import MovedToHost, PictureStore, StoredBytes, download
from uncia.processors.predict.ordered_pipeline import OrderedPipeline
from uncia.settings import Settings
from uncia.storage.object_keys import HARVEST_PREFIX
from uncia.storage.object_store import AccessRefused, ObjectStore
from uncia.topics import HARVEST_HOST_PAUSED, HARVEST_PICTURE_FETCHED, HARVEST_PICTURE_REQUESTED

REQUESTS = 2000
"""Requests that are looked at at the same time: those of a slow host hold up no other one until they are so many."""
BATCH = 64
BATCH_WAIT_S = 0.2
"""Poll interval of the stream buffer, in seconds."""

NICENESS = 10
FAILURES_OF_HOST = 3
"""In a row: the host is left alone for `FAILING_PAUSE_S`."""
FAILING_PAUSE_S = 1800.0
_LOOK_S = 0.5
_STORE_TIMEOUT_S = 30.0
_CLEANED_EVERY_S = 6 * 3600.0
_LONGEST_PAUSE_S = KEPT_S
"""The topic of pauses keeps none for longer."""

log = structlog.get_logger("uncia")

Outcome = HarvestPictureFetched | HarvestPictureRequested | PermanentError | None
"""What a request led to: an outcome, the request for another host, a message that is none; nothing where its assignment
has ended, and another worker carries it out."""


class HarvestWorker:
    """The agent, and what follows the pauses of hosts."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._requests = faust_topic(app, settings, HARVEST_PICTURE_REQUESTED)
        self._results = faust_topic(app, settings, HARVEST_PICTURE_FETCHED)
        self._paused = faust_topic(app, settings, HARVEST_HOST_PAUSED)
        self._dead_letters = DeadLetters(app, settings)
        self._trusted = [_origin(text) for text in settings.harvest_private_origins]
        self._name = f"{socket.gethostname()[:200]}:{os.getpid()}"
        self._assignment: Assignment | None = None
        self._pauses: dict[str, float] = {}
        """Ends of pauses, by `time.time`."""
        self._failures: dict[str, int] = {}
        self._hosts: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._outcomes: OrderedDict[str, HarvestPictureFetched] = OrderedDict()
        self._background: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(settings.harvest_downloads, thread_name_prefix="download")
        self._lease = Lease(app.conf.broker_session_timeout)
        self._lease.guard(app)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        self._store = ObjectStore(
            settings, max_connections=settings.harvest_downloads + 2, timeout_s=_STORE_TIMEOUT_S, attempts=1
        )
        self._pictures = PictureStore(self._store, settings.bucket)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        self._loop = asyncio.get_running_loop()
        follower = TopicFollower(self._settings, HARVEST_HOST_PAUSED, "pauses", self._apply_pause)
        await asyncio.to_thread(follower.start)
        cleaning = asyncio.create_task(self._clean())
        pipeline: OrderedPipeline[faust.Event, Outcome] = OrderedPipeline(
            REQUESTS, self._process, self._commit, self._app.halt
        )
        try:
            async for events in stream.noack_take(BATCH, within=BATCH_WAIT_S):
                for event in events:
                    await pipeline.add(event)
        finally:
            self._end_assignment()
            cleaning.cancel()
            await pipeline.close()
            await asyncio.to_thread(follower.close)
            self._threads.shutdown(wait=False, cancel_futures=True)

    # Assignments and pauses

    def _end_assignment(self) -> None:
        if self._assignment is not None:
            self._assignment.stop.set()
            self._assignment = None

    async def _revoked(self, *_: Any, **__: Any) -> None:
        # Before the group is joined again: from now on another worker may be assigned the partitions.
        self._end_assignment()

    async def _assigned(self, *_: Any, **__: Any) -> None:
        self._end_assignment()
        partitions = self._app.partitions_of(HARVEST_PICTURE_REQUESTED.full_name(self._settings))
        now = time.time()
        pauses = {host: until - now for host, until in list(self._pauses.items()) if until > now}
        self._assignment = Assignment(
            partitions, lambda: self._lease.holds, self._publish_pause_from_thread, self._trusted, pauses
        )
        log.info("assigned", partitions=sorted(partitions))

    def _apply_pause(self, message: Message) -> None:
        try:
            pause = HarvestHostPaused.from_bytes(message.value)
        except PermanentError as error:
            log.warning("pause_skipped", offset=message.offset, error=str(error)[:300])
            return
        now = time.time()
        seconds = min(pause.until.timestamp() - now, _LONGEST_PAUSE_S)
        if seconds <= 0:
            return
        self._pauses = {host: until for host, until in self._pauses.items() if until > now}
        self._pauses[pause.host] = max(self._pauses.get(pause.host, 0.0), now + seconds)
        if (assignment := self._assignment) is not None:
            assignment.limiter.adopt_pause(pause.host, seconds)

    def _publish_pause_from_thread(self, host: str, seconds: float) -> None:
        self._loop.call_soon_threadsafe(self._start_publishing_pause, host, seconds, "retry-after")

    def _start_publishing_pause(self, host: str, seconds: float, reason: str) -> None:
        task = asyncio.create_task(self._publish_pause(host, seconds, reason))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _publish_pause(self, host: str, seconds: float, reason: str) -> None:
        until = datetime.now(UTC) + timedelta(seconds=min(seconds, _LONGEST_PAUSE_S))
        pause = HarvestHostPaused(host=host, until=until, reason=reason)
        await send(self._paused, key=host.encode(), value=pause.to_bytes(), partition=self._partition(host))
        log.info("host_paused", host=host, seconds=round(seconds, 1), reason=reason)

    def _partition(self, host: str) -> int:
        return partition_of(host, self._settings.partitions)

    # Requests

    async def _process(self, event: faust.Event) -> Outcome:
        try:
            request = self._checked(event)
        except PermanentError as error:
            return error
        lock = self._hosts.setdefault(request.host, asyncio.Lock())
        async with lock:
            while (assignment := await self._assignment_of(event)) is not None:
                try:
                    return await self._carry_out(request, assignment)
                except FetchStopped:
                    # The assignment has ended, or the lease has: it is renewed while this worker is in the group.
                    await asyncio.sleep(_LOOK_S)
            return None

    def _checked(self, event: faust.Event) -> HarvestPictureRequested:
        """Raises `PermanentError` for a message that is no request of this partition."""
        request = HarvestPictureRequested.from_bytes(event.value)
        if origin_of(request.url)[0] != request.host:
            raise PermanentError("schema-invalid", f"the host {request.host!r} is not that of the URL")
        if event.message.partition != (wanted := self._partition(request.host)):
            # Two workers would ask the host.
            problem = f"requests to {request.host} belong to partition {wanted}: see UNCIA_PARTITIONS of both machines"
            raise PermanentError("partition-wrong", problem)
        return request

    async def _assignment_of(self, event: faust.Event) -> Assignment | None:
        """The assignment under which a request may be carried out; None when its own has ended."""
        while event.message.generation_id == self._app.consumer_generation_id:
            assignment = self._assignment
            if assignment is not None and event.message.partition in assignment.partitions:
                return assignment
            await asyncio.sleep(_LOOK_S)
        return None

    async def _carry_out(self, request: HarvestPictureRequested, assignment: Assignment) -> Outcome:
        """Raises `FetchStopped`."""
        if (known := self._outcomes.get(request.request_id)) is not None:
            return known
        if (found := await self._with_store(self._pictures.find, request)) is not None:
            return self._remember(self._stored(request, found))
        limiter = assignment.limiter
        limiter.lengthen(request.host, request.interval_s)
        # Here and not in a thread: hosts that are to wait hold up none of them.
        while (wait := limiter.wait_s(request.host)) > 0:
            if assignment.stop.is_set():
                raise FetchStopped
            if wait > LONGEST_WAIT_S:
                message = f"the host asked to be left alone for {wait:,.0f} s"
                return self._failed(request, FetchFailed("paused", message, temporary=True))
            await asyncio.sleep(min(wait, _LOOK_S))
        try:
            data = await self._loop.run_in_executor(self._threads, download, assignment, request)
        except MovedToHost as moved:
            return self._moved(request, moved.url)
        except FetchFailed as error:
            self._count_failure(request.host, error, assignment)
            return self._remember(self._failed(request, error))
        self._failures.pop(request.host, None)
        return self._remember(self._stored(request, await self._with_store(self._pictures.put, request, data)))

    async def _with_store(self, call: Any, *arguments: Any) -> Any:
        return await retry_until_available(
            lambda: asyncio.to_thread(call, *arguments),
            waiting_for="the object store",
            on=(DependencyDown, AccessRefused),
        )

    def _count_failure(self, host: str, error: FetchFailed, assignment: Assignment) -> None:
        if not error.temporary:
            self._failures.pop(host, None)
        elif error.reason != "paused":
            self._failures[host] = self._failures.get(host, 0) + 1
            if self._failures[host] >= FAILURES_OF_HOST:
                self._failures.pop(host)
                assignment.limiter.adopt_pause(host, FAILING_PAUSE_S)
                self._start_publishing_pause(host, FAILING_PAUSE_S, "failing")

    def _moved(self, request: HarvestPictureRequested, url: str) -> HarvestPictureRequested | HarvestPictureFetched:
        redirects = request.redirects + 1
        if redirects > MAX_REDIRECTS:
            problem = f"more than {MAX_REDIRECTS} redirects"
            return self._remember(self._failed(request, FetchFailed("redirects", problem, temporary=False)))
        try:
            return HarvestPictureRequested.model_validate(
                {**request.model_dump(), "url": url, "host": origin_of(url)[0], "redirects": redirects}
            )
        except ValueError:
            error = FetchFailed("not-a-url", "a redirect to what is no URL", temporary=False)
            return self._remember(self._failed(request, error))

    def _stored(self, request: HarvestPictureRequested, found: StoredBytes) -> HarvestPictureFetched:
        stored = {"key": found.key, "sha256": found.sha256, "size": found.size}
        return self._outcome(request, FetchState.STORED, found.retrieved, **stored)

    def _failed(self, request: HarvestPictureRequested, error: FetchFailed) -> HarvestPictureFetched:
        failed = {"reason": error.reason, "message": str(error), "temporary": error.temporary}
        return self._outcome(request, FetchState.FAILED, datetime.now(UTC), **failed)

    def _outcome(
        self, request: HarvestPictureRequested, state: FetchState, ended_at: datetime, **fields: Any
    ) -> HarvestPictureFetched:
        return HarvestPictureFetched(
            harvest_id=request.harvest_id,
            request_id=request.request_id,
            host=request.host,
            worker=self._name,
            state=state,
            ended_at=ended_at,
            **fields,
        )

    def _remember(self, outcome: HarvestPictureFetched) -> HarvestPictureFetched:
        """Keep the outcome for a repetition of its request."""
        self._outcomes[outcome.request_id] = outcome
        while len(self._outcomes) > 2 * REQUESTS:
            self._outcomes.popitem(last=False)
        return outcome

    async def _commit(self, finished: Sequence[tuple[faust.Event, Outcome]]) -> None:
        await asyncio.gather(*(self._publish(event, outcome) for event, outcome in finished))
        for event, _ in finished:
            event.ack()

    async def _publish(self, event: faust.Event, outcome: Outcome) -> None:
        if isinstance(outcome, PermanentError):
            await self._dead_letters.put(event, outcome, "harvest")
        elif isinstance(outcome, HarvestPictureRequested):
            host = outcome.host
            await send(self._requests, key=host.encode(), value=outcome.to_bytes(), partition=self._partition(host))
        elif outcome is not None:
            await send(self._results, key=outcome.harvest_id.encode(), value=outcome.to_bytes())
            log.info(
                "picture_fetched" if outcome.state is FetchState.STORED else "picture_failed",
                request_id=outcome.request_id,
                host=outcome.host,
                reason=outcome.reason,
            )

    # Old objects

    async def _clean(self) -> None:
        """Delete what was stored too long ago, every few hours. Several workers may do it at once."""
        while True:
            try:
                deleted = await asyncio.to_thread(self._delete_old)
                if deleted:
                    log.info("old_pictures_deleted", count=deleted)
            except (DependencyDown, AccessRefused) as error:
                log.warning("old_pictures_not_deleted", error=str(error))
            await asyncio.sleep(_CLEANED_EVERY_S)

    def _delete_old(self) -> int:
        bucket, count = self._settings.bucket, 0
        before = datetime.now(UTC) - timedelta(seconds=KEPT_S)
        for found in self._store.list(bucket, HARVEST_PREFIX):
            # A store that does not list times: 1970.
            if 0 < found.modified.timestamp() < before.timestamp():
                self._store.delete_with_versions(bucket, found.key)
                count += 1
        return count


def _origin(text: str) -> tuple[str, int]:
    host, port = origin_of(f"http://{text}")
    if not host or ":" not in text:
        raise SettingsError(f"UNCIA_HARVEST_PRIVATE_ORIGINS: {text!r} is not host:port")
    return host, port


def create(settings: Settings) -> WorkerApp:
    """Create the app of the worker, and lower the priority of this process. Raises `SettingsError`."""
    os.nice(NICENESS)
    app = create_app("harvest", settings)
    worker = HarvestWorker(app, settings)
    app.agent(faust_topic(app, settings, HARVEST_PICTURE_REQUESTED), name="harvest")(worker.run)
    return app
