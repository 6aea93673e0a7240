"""Who is it: `camera.burst.resolved.v1` and `camera.crop.published.v1` in, `camera.individual.sighted.v1` out.

The agent writes the state of each burst of a marked taxon and acknowledges. A timer matches what is due, one burst at a
time, with the priority below all others: describing a crop takes about a second of a core, and no verdict waits for it.
The timer also follows the registry: where people decided, or merged what was proposed, the sighting is published again.
All of it depends on the state and on the registry of now only, so that after a kill at any point the timer finds what
is still to be done.

The crops of a burst are read from its manifest in the store: verdicts and crops are two topics, of which either may be
ahead of the other. An event is sent and confirmed before its state is written; a crash in between sends it again, with
the same revision.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import faust
import structlog

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.camtrap.individuals import RegistryState
from uncia.camtrap.individuals_reader import IndividualsReader
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import DependencyDown, PermanentError
from uncia.events import (
    AnimalSide,
    BurstResolved,
    CropPublished,
    IndividualCandidate,
    IndividualCrop,
    IndividualSighted,
    MatchedPoints,
    SightingStatus,
)
from uncia.processors.crops.manifest import read_manifest
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.assignment_task import AssignmentTask
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.processors.identify.embedding import LiveMatching, TaxonMatching
from uncia.processors.identify.matching.interface import Candidate, Position
from uncia.processors.identify.sighting import (
    Entry,
    Match,
    TaxonMarked,
    after_crop,
    after_deletion,
    after_publication,
    after_tombstone,
    after_verdict,
    before_describing,
    candidates_of,
    choose_crops,
    descriptions_to_delete,
    differs,
    next_event,
    with_decisions,
)
from uncia.processors.identify.stage import Stage
from uncia.processors.identify.state_store import TABLE, from_bytes, to_bytes
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED, INDIVIDUAL_SIGHTED

BATCH = 256
BATCH_WAIT_S = 0.5
"""Poll interval of the stream buffer, in seconds."""

INTERVAL_S = 1.0
"""Between two looks at what is due and at the registry."""

NICENESS = 15
READ_TIMEOUT_S = 10.0

MAX_CANDIDATES = 5
MAX_POINTS = 40
"""Of a sighting: about 10 KB."""

T = TypeVar("T")

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class _Published:
    """What of a published sighting depends on the registry."""

    decision_id: str | None
    individuals: tuple[str, ...]
    candidates: tuple[str, ...]
    matched: tuple[str, ...]
    """The candidates before mergers and removals."""

    @classmethod
    def of(cls, event: IndividualSighted, found: Sequence[IndividualCandidate]) -> "_Published":
        candidates, matched = (tuple(each.individual_id for each in some) for some in (event.candidates, found))
        return cls(event.decision_id, event.individuals, candidates, matched)

    def is_current(self, burst_id: str, state: RegistryState) -> bool:
        """Whether the registry of now gives the same."""
        decided = state.bursts.get(burst_id)
        wanted = (decided.latest.decision_id, decided.individuals) if decided else (None, ())
        return (*wanted, candidates_of(burst_id, self.matched, state)) == (
            self.decision_id,
            self.individuals,
            self.candidates,
        )


class IdentifyWorker:
    """The agent and the timer."""

    def __init__(
        self,
        app: WorkerApp,
        settings: Settings,
        reader: IndividualsReader,
        deployments: Deployments,
        marked: TaxonMarked,
        matching: LiveMatching,
    ) -> None:
        self._app = app
        self._settings = settings
        self._reader = reader
        self._deployments = deployments
        self._marked = marked
        self._matching = matching
        self._bursts = BURST_RESOLVED.full_name(settings)
        self._sightings = faust_topic(app, settings, INDIVIDUAL_SIGHTED)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._store = ObjectStore(settings, max_connections=4, timeout_s=READ_TIMEOUT_S, attempts=1)
        self._stage = self._begin(matching.current())
        # The stage, its indices and the embedder's client belong to one thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="identify")
        self._due: dict[bytes, tuple[bool, float]] = {}
        self._published: dict[bytes, _Published] = {}
        self._generation: int | None = None
        self._followed: int | None = None
        """Version of the registry."""
        # A verdict that arrives while its burst is being published must not be overwritten by the older state.
        self._writing = asyncio.Lock()
        self._task = AssignmentTask(app)

    def _begin(self, matching: Callable[[str], TaxonMatching]) -> Stage:
        return Stage(matching, self._store, self._settings.bucket, self._marked, self._whereabouts)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def match_due(self) -> None:
        """Match and publish everything that is due; ends early when partitions are revoked."""
        await self._task.run(self._catch_up)

    async def _catch_up(self) -> None:
        generation = self._app.consumer_generation_id
        if self._generation != generation:
            await self._index()
            self._followed = None
        await self._follow_registry(generation)
        while (key := self._next_due()) is not None:
            if not self._task.is_of(generation):
                return
            await self._match(key)
            # Decisions do not wait for all that is due.
            await self._follow_registry(generation)

    def _next_due(self) -> bytes | None:
        """What is due for longest; withdrawals first."""
        now = time.time()
        ready = [(not withdrawal, at, key) for key, (withdrawal, at) in self._due.items() if at <= now]
        return min(ready)[2] if ready else None

    async def _index(self) -> None:
        """Note what is due and what is published, of each burst of this assignment."""
        generation, own = self._app.consumer_generation_id, self._app.partitions_of(self._bursts)
        async with self._writing:
            self._due, self._published = {}, {}
            for number, key in enumerate(list(self._table.data)):
                entry = self._load(key)
                if entry is not None and entry.partition in own:
                    self._note(key, entry)
                if number % BATCH == 0:
                    # Heartbeats: a million states take a minute.
                    await asyncio.sleep(0)
            self._generation = generation

    def _note(self, key: bytes, entry: Entry | None) -> None:
        if entry is None or entry.due is None:
            self._due.pop(key, None)
        else:
            self._due[key] = (entry.withdrawn is not None or bool(entry.gone), entry.due)
        event = entry.published if entry and entry.withdrawn is None else None
        if entry is None or event is None or event.status is SightingStatus.WITHDRAWN:
            self._published.pop(key, None)
        else:
            self._published[key] = _Published.of(event, entry.found)

    def _load(self, key: bytes) -> Entry | None:
        raw = self._table.data.get(key)
        return None if raw is None else from_bytes(key.decode(), raw)

    async def _write(self, key: bytes, partition: int, entry: Entry | None) -> None:
        await self._table.write(partition, key, None if entry is None else to_bytes(entry))
        self._note(key, entry)

    # Input

    async def _process(self, events: Sequence[faust.Event]) -> None:
        async with self._writing:
            before: dict[bytes, Entry | None] = {}
            after: dict[bytes, tuple[int, Entry | None]] = {}
            for event in events:
                try:
                    found = self._read(event)
                except PermanentError as error:
                    # Only Uncia writes these topics; what a newer version writes is none of this worker's business.
                    log.warning("event_invalid", reason=error.reason, topic=event.message.topic)
                    continue
                if found is None:
                    continue
                key, change = found
                if key not in before:
                    before[key] = self._load(key)
                _, known = after.get(key) or (0, before[key])
                after[key] = (event.message.partition, change(known))
            writes = (
                self._write(key, partition, entry)
                for key, (partition, entry) in after.items()
                if entry is not before[key]
            )
            await asyncio.gather(*writes)

    def _read(self, event: faust.Event) -> tuple[bytes, Callable[[Entry | None], Entry | None]] | None:
        """The burst that a message is about, and what it changes. Raises `PermanentError`."""
        now, partition = time.time(), event.message.partition
        due = now + self._settings.identify_settle_s
        if event.message.topic == self._bursts:
            if event.value is None:
                return event.message.key or b"", lambda entry: after_tombstone(entry, now)
            burst = BurstResolved.from_bytes(event.value)
            return burst.burst_id.encode(), lambda entry: after_verdict(entry, burst, partition, due, now, self._marked)
        if event.value is None:
            return None
        crop = CropPublished.from_bytes(event.value)
        return crop.burst_id.encode(), lambda entry: after_crop(entry, crop, due, now)

    # Output

    async def _follow_registry(self, generation: int) -> None:
        """Publish again what people decided, or what the registry resolves to other individuals now."""
        version = self._reader.registry.version
        if self._followed == version:
            return
        state = await asyncio.to_thread(self._reader.registry.state)
        for number, (key, published) in enumerate(list(self._published.items())):
            if not published.is_current(key.decode(), state):
                if self._app.consumer_generation_id != generation:
                    return
                await self._publish_decision(key, state)
            elif number % BATCH == 0:
                await asyncio.sleep(0)
        self._followed = version

    async def _publish_decision(self, key: bytes, state: RegistryState) -> None:
        async with self._writing:
            entry = self._load(key)
            if entry is None or entry.published is None or entry.withdrawn is not None:
                self._note(key, entry)
                return
            event = with_decisions(entry.published, entry.found, state)
            if differs(event, entry.published):
                update = {"revision": entry.published.revision + 1, "sighted_at": datetime.now(UTC)}
                event = event.model_copy(update=update)
                await self._send(event)
            # What is due stays due.
            done = after_publication(entry, event)
            assert done is not None  # it has an event
            await self._write(key, entry.partition, _keeping_due(done, entry))

    async def _match(self, key: bytes) -> None:
        entry = self._load(key)
        if entry is None or entry.due is None:
            self._note(key, entry)
            return
        began = time.monotonic()
        match = None
        if entry.withdrawn is None:
            chosen = await self._without_error(entry, partial(self._choose, entry))
            noted = await self._note_described(key, entry, chosen or ())
            if noted is None:
                return  # It changed meanwhile, and is due again.
            entry = noted
            if chosen:
                match = await self._without_error(entry, partial(self._find_match, entry, chosen))
        state = await asyncio.to_thread(self._reader.registry.state)
        async with self._writing:
            if self._load(key) != entry:
                return  # It changed meanwhile, and is due again.
            entry = await self._delete_descriptions(entry, match)
            entry = replace(entry, found=match.candidates if match else ())
            event = next_event(entry, match, state, datetime.now(UTC))
            if event is not None and differs(event, entry.published):
                await self._send(event, seconds=round(time.monotonic() - began, 3))
                await self._write(key, entry.partition, after_publication(entry, event))
            else:
                await self._write(key, entry.partition, after_publication(entry, None))

    async def _note_described(self, key: bytes, entry: Entry, chosen: Sequence[CropPublished]) -> Entry | None:
        """Write that these crops may be described; None: the state is not `entry` any more."""
        async with self._writing:
            if self._load(key) != entry:
                return None
            noted = before_describing(entry, chosen)
            if noted is not entry:
                await self._write(key, entry.partition, noted)
            return noted

    async def _without_error(self, entry: Entry, call: Callable[[], T]) -> T | None:
        """As `_with_store`; None, and a line in the log, where it cannot be done, as with a key that is too long."""
        try:
            return await self._with_store(call)
        except PermanentError as error:
            log.warning(
                "burst_not_matched",
                burst_id=entry.burst_id,
                camera=entry.camera,
                reason=error.reason,
                error=str(error),
            )
            return None

    async def _send(self, event: IndividualSighted, **fields: float) -> None:
        await send(self._sightings, key=event.burst_id.encode(), value=event.to_bytes())
        best = event.candidates[0] if event.candidates else None
        log.info(
            "individual_sighted",
            burst_id=event.burst_id,
            camera=event.camera,
            status=event.status.value,
            revision=event.revision,
            candidate=best and best.individual_id,
            score=best and best.score,
            **fields,
        )

    async def _delete_descriptions(self, entry: Entry, match: Match | None) -> Entry:
        """Delete those of crops that were withdrawn, and of all crops where nothing was matched."""
        gone = descriptions_to_delete(entry, match)
        for crop_id in gone:
            await self._with_store(partial(self._delete_description, entry.camera, crop_id))
        return after_deletion(entry, gone)

    def _delete_description(self, camera: str, crop_id: str) -> None:
        self._stage.delete(camera, crop_id)

    async def _with_store(self, call: Callable[[], T]) -> T:
        """Run it in the thread of the indices; repeat it while the store is not available."""
        loop = asyncio.get_running_loop()
        return await retry_until_available(
            lambda: loop.run_in_executor(self._thread, call),
            waiting_for="object store, or embedder",
            on=(DependencyDown, AccessRefused),
        )

    def _choose(self, entry: Entry) -> tuple[CropPublished, ...]:
        stored = read_manifest(self._store, self._settings.bucket, entry.camera, entry.burst_id).manifest
        return choose_crops(entry, stored.crops if stored else (), self._settings.identify_crops)

    def _find_match(self, entry: Entry, chosen: Sequence[CropPublished]) -> Match:
        """Describe the chosen crops of a burst, and compare them with the known individuals."""
        matching = self._matching.current()
        if matching is not self._stage.matching:
            # Another version of the embedder is live: every description is computed again.
            self._stage = self._begin(matching)
        stage, taxon = self._stage, self._marked(entry.taxon) or entry.taxon
        crops, queries = [], []
        for crop in chosen:
            own = IndividualCrop(crop_id=crop.crop_id, bucket=crop.bucket, key=crop.key)
            described = stage.descriptions(taxon).get(entry.camera, own)
            if described is not None:
                crops.append(own.model_copy(update={"side": AnimalSide(described.quality.side.value)}))
                queries.append(described)
        if not queries:
            return Match(())
        stage.known.update(self._reader.registry.state(), self._reader.withdrawn.bursts)
        moment, position = self._whereabouts(entry.camera, entry.started_at)
        matcher = matching(taxon).matcher
        proposal = matcher.propose(
            queries, moment, position, stage.known.index(taxon), excluded_encounters={entry.burst_id}
        )
        candidates = (self._candidate(each, crops) for each in proposal.candidates[:MAX_CANDIDATES])
        return Match(
            tuple(crops),
            tuple(each for each in candidates if each is not None),
            None if proposal.reason else round(min(1.0, max(0.0, proposal.new_score)), 4),
            proposal.calibrated,
            matcher.embedder,
            proposal.reason,
        )

    def _candidate(self, found: Candidate, crops: Sequence[IndividualCrop]) -> IndividualCandidate | None:
        reference = self._stage.known.crop(found.reference_id)
        if reference is None:
            return None
        return IndividualCandidate(
            individual_id=found.individual_id,
            score=round(min(1.0, max(0.0, found.score)), 4),
            matches=found.matches,
            crop_id=crops[found.query_index].crop_id,
            reference_crop_id=reference.crop_id,
            reference_bucket=reference.bucket,
            reference_key=reference.key,
            points=tuple(
                MatchedPoints(
                    query_x=round(pair.query_x, 1),
                    query_y=round(pair.query_y, 1),
                    reference_x=round(pair.reference_x, 1),
                    reference_y=round(pair.reference_y, 1),
                )
                for pair in found.points[:MAX_POINTS]
            ),
        )

    def _whereabouts(self, camera: str, local: datetime) -> tuple[datetime | None, Position | None]:
        deployment = self._deployments.at(camera, local)
        if deployment is None:
            return None, None
        return local.replace(tzinfo=deployment.zone), Position(deployment.latitude, deployment.longitude)


def _keeping_due(after: Entry, before: Entry) -> Entry:
    return replace(after, due=before.due, gone=before.gone)


def marked_taxa(listed: Sequence[str], taxonomy: Taxonomy) -> TaxonMarked:
    """Which of the listed taxa a taxon is, or belongs to; the nearest one."""

    def marked(taxon: str) -> str | None:
        lineage = (taxon, *taxonomy.ancestors(taxon)) if taxon in taxonomy else (taxon,)
        return next((each for each in lineage if each in listed), None)

    return marked


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Lowers the priority of this process."""
    os.nice(NICENESS)
    app = create_app("identify", settings, stream_buffer_maxsize=2 * BATCH)
    Lease(app.conf.broker_session_timeout).guard(app)
    taxonomy = Taxonomy.load(settings.taxonomy_file)
    marked = marked_taxa(settings.identify_taxa, taxonomy)
    matching = LiveMatching(settings, taxonomy)
    reader = IndividualsReader(settings).start()
    worker = IdentifyWorker(app, settings, reader, DeploymentReader(settings).start(), marked, matching)
    names = (BURST_RESOLVED.full_name(settings), CROP_PUBLISHED.full_name(settings))
    app.agent(faust_topics(app, names), name="identify")(worker.run)
    app.timer(INTERVAL_S)(worker.match_due)
    return app
