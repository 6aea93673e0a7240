"""Thin links: requests whole photographs by rules, and passes all requests on to the gateways.

The first agent writes each request of `camera.fetch.requested.v1` into the list of its station in the object store,
which the gateway reads (`uncia.fetch_requests`). A request is acknowledged when the list has it. Cameras of one station
may be in several processes: a list is replaced only where it is still as it was read. A repeated request changes
nothing.

The second agent follows `camera.burst.resolved.v1` and requests what the rules want (`rules`).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import faust
import structlog

from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import DependencyDown, PermanentError
from uncia.events import FetchReason, FetchRequested
from uncia.fetch_requests import (
    MAX_BYTES,
    MAX_REQUESTS,
    FetchLine,
    fetch_id,
    parse_requests,
    render_requests,
    request_list_key,
    station_of,
    with_request,
)
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.faust_runtime.verdicts import verdict_of
from uncia.processors.predict.recent_ids import RecentIds
from uncia.processors.thin_links.rules import FetchRules, requests_of_rules, wanted_taxa
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, is_thumbnail_key, key_problem
from uncia.storage.object_store import AccessRefused, ObjectChanged, ObjectMissing, ObjectStore
from uncia.topics import BURST_RESOLVED, FETCH_REQUESTED

BATCH = 64
BATCH_WAIT_S = 0.2
"""Poll interval of the stream buffers, in seconds."""

_READ_TIMEOUT_S = 10.0
_REMEMBERED = 20_000

log = structlog.get_logger("uncia")


class ListChanged(DependencyDown):
    """Another process replaced the list in between."""


class ThinLinksWorker:
    """The two agents."""

    def __init__(self, app: WorkerApp, settings: Settings, rules: FetchRules, store: ObjectStore) -> None:
        self._app = app
        self._settings = settings
        self._rules = rules
        self._store = store
        self._requests = faust_topic(app, settings, FETCH_REQUESTED)
        self._dead_letters = DeadLetters(app, settings)
        self._requested = RecentIds(_REMEMBERED)
        """What was requested by rules; without it, each revision of a burst would request the same again."""

    async def pass_on(self, stream: faust.StreamT[bytes]) -> None:
        """Write requests into the lists; the first agent of the app."""

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                try:
                    request = _checked(FetchRequested.from_bytes(event.value))
                except PermanentError as error:
                    await self._dead_letters.put(event, error, "thin-links")
                    continue
                await retry_until_available(
                    lambda request=request: asyncio.to_thread(self._add, request),  # type: ignore[misc]
                    waiting_for="the object store",
                    on=(DependencyDown, AccessRefused),
                )

        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, process)

    async def follow(self, stream: faust.StreamT[bytes]) -> None:
        """Follow the verdicts; the second agent of the app."""

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._consider(event)

        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, process)

    async def _consider(self, event: faust.Event) -> None:
        if (burst := verdict_of(event)) is None:
            return
        for request in requests_of_rules(burst, self._rules, datetime.now(UTC)):
            if request.fetch_id in self._requested:
                continue
            await send(self._requests, key=request.camera.encode(), value=request.to_bytes())
            self._requested.add(request.fetch_id)
            log.info(
                "fetch_requested",
                burst_id=burst.burst_id,
                image_id=request.image_id,
                fetch_id=request.fetch_id,
                reason=request.reason.value,
            )

    def _add(self, request: FetchRequested) -> None:
        """Add a request to the list of its station. Raises `DependencyDown` and `AccessRefused`."""
        bucket, key = self._settings.bucket, request_list_key(station_of(request.key))
        try:
            content = self._store.read(bucket, key, max_bytes=MAX_BYTES)
            data, etag = content.data, content.etag
        except ObjectMissing:
            data, etag = b"", ""
        before = parse_requests(data)
        after = with_request(before, FetchLine(request.fetch_id, request.reason is FetchReason.PERSON))
        if after == before:
            return
        if len(before) >= MAX_REQUESTS:
            log.warning("fetch_list_full", key=key, action="the oldest request of a rule made way, or the oldest one")
        try:
            self._store.put(bucket, key, render_requests(after), content_type="text/plain", replaces=etag)
        except (ObjectChanged, ObjectMissing) as error:
            raise ListChanged(f"{key} was replaced in between") from error
        log.info("fetch_passed_on", key=key, fetch_id=request.fetch_id, reason=request.reason.value)


def _checked(request: FetchRequested) -> FetchRequested:
    """Raises `PermanentError` for a request that no list can have."""
    if problem := key_problem(request.key):
        raise PermanentError("key-unusable", f"the key {displayable_key(request.key)} {problem}")
    if not is_thumbnail_key(request.key) or request.fetch_id != fetch_id(request.key):
        raise PermanentError("key-unusable", f"the key {displayable_key(request.key)} is not that of the thumbnail")
    return request


def create(settings: Settings) -> WorkerApp:
    """Create the app of the worker. Raises `SettingsError` for a taxon that is unknown."""
    app = create_app("thin-links", settings)
    taxa = wanted_taxa(settings.fetch_taxa, Taxonomy.load(settings.taxonomy_file))
    rules = FetchRules(taxa, settings.fetch_uncertain, settings.fetch_frames)
    store = ObjectStore(settings, max_connections=2, timeout_s=_READ_TIMEOUT_S, attempts=1)
    worker = ThinLinksWorker(app, settings, rules, store)
    app.agent(faust_topic(app, settings, FETCH_REQUESTED), name="thin-links")(worker.pass_on)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="thin-links-bursts")(worker.follow)
    return app
