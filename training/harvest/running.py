"""Plan a harvest and run it: search, fetch, leave out duplicates, weigh labels, write the dataset."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from uncia import __version__
from uncia.camtrap.taxonomy import Taxonomy
from uncia.harvest_requests import AGENT
from uncia.polite_http.client import FetchFailed, FetchStopped, PoliteClient, origin_of
from uncia.polite_http.rate_limit import HostLimiter
from uncia.polite_http.robots import Robots
from uncia.storage.process_lock import exclusive
from uncia.training.datasets.dataset import Sample
from uncia.training.harvest import HarvestError
from uncia.training.harvest.dataset_writing import purpose_counts, write_dataset
from uncia.training.harvest.doubts import assess_labels
from uncia.training.harvest.duplicates import find_duplicate_pictures
from uncia.training.harvest.fetching import FetchOutcome, PictureFetcher, remove_leftovers
from uncia.training.harvest.local_source import open_local_source
from uncia.training.harvest.query import LOCAL, NEGATIVE_LABEL, HarvestPlan, QueryKind, TargetTaxon
from uncia.training.harvest.review import read_decisions, write_review
from uncia.training.harvest.searching import SearchOutcome, search_sources
from uncia.training.harvest.sources.page import SourceApi
from uncia.training.harvest.sources.registry import load_sources
from uncia.training.harvest.store import HarvestStore, StoredPicture, harvest_file
from uncia.training.harvest.taxon_names import TaxonRequest, resolve_taxon
from uncia.training.harvest.worker_fetching import WorkerFetcher, WorkersOnKafka
from uncia.training.progress import ProgressCallback, no_progress

__all__ = ["EmbedPictures", "HarvestResult", "harvest_status", "resolve_taxa", "run_harvest"]


class EmbedPictures(Protocol):
    """Embeds picture files."""

    def __call__(
        self, paths: Sequence[Path], progress: ProgressCallback | None = None, /
    ) -> tuple[list[Path], NDArray[np.float32]]:
        """The N files that can be read, and their embeddings, (N, D)."""
        ...


@dataclass(frozen=True)
class HarvestResult:
    """What a run did and what the dataset contains."""

    pictures: int
    fetched: FetchOutcome
    search: SearchOutcome
    doubtful: int
    undecided: int
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing is left for another run."""
        return not self.search.unavailable and not self.fetched.postponed and not self.report.get("problems")


def build_client(
    sources: dict[str, SourceApi], contact: str, stop: threading.Event, limiter: HostLimiter
) -> PoliteClient:
    """A client that names itself and an address, and trusts the addresses that the user gave for sources."""
    agent = f"{AGENT}/{__version__} (training data for camera traps; {contact})"
    origins = {origin_of(source.base_url) for source in sources.values()}
    return PoliteClient(limiter, agent, stop, trusted=origins)


def build_limiter(sources: dict[str, SourceApi]) -> HostLimiter:
    """A limiter with the interval of each API."""
    return HostLimiter({origin_of(source.base_url)[0]: source.interval_s for source in sources.values()})


def resolve_taxa(
    requests: Sequence[TaxonRequest],
    taxonomy: Taxonomy,
    endpoints: dict[str, str],
    contact: str,
    *,
    online: bool,
) -> tuple[TargetTaxon, ...]:
    """The taxa with their names; with `online`, as GBIF knows them. Raises `HarvestError`."""
    sources = load_sources(endpoints)
    client = build_client(sources, contact, threading.Event(), build_limiter(sources)) if online else None
    try:
        return tuple(resolve_taxon(one, taxonomy, client, sources["gbif"].base_url) for one in requests)
    except FetchFailed as error:
        raise HarvestError(f"GBIF could not be asked for names ({error}): try again, or add --offline-names") from error


@contextmanager
def open_harvest(folder: Path) -> Iterator[HarvestStore]:
    """The store of a harvest, for one process at a time. Raises `HarvestError`."""
    if not harvest_file(folder).is_file():
        raise HarvestError(f"{folder} has no harvest: make one with `uncia harvest plan {folder}`")
    busy = HarvestError(f"another process runs the harvest in {folder}: wait until it ends")
    with exclusive(folder / ".harvest.lock", busy):
        store = HarvestStore(harvest_file(folder))
        try:
            yield store
        finally:
            store.close()


@dataclass(frozen=True)
class RunProgress:
    """Callbacks for the steps of a run."""

    searching: ProgressCallback = no_progress
    fetching: ProgressCallback = no_progress
    comparing: ProgressCallback = no_progress
    embedding: ProgressCallback = no_progress


def run_harvest(
    folder: Path,
    embed: EmbedPictures | None,
    *,
    workers: int = 8,
    on_kafka: WorkersOnKafka | None = None,
    stop: threading.Event | None = None,
    progress: RunProgress = RunProgress(),
) -> HarvestResult:
    """Continue a harvest until its sources have no more, and write its dataset.

    Without `embed`, labels are not weighed. With `on_kafka`, workers download the pictures of public sources; `workers`
    is the number of threads of this process. Raises `HarvestError`, and `FetchStopped` when `stop` was set; a run may
    be interrupted or killed at any moment, and another one continues it.
    """
    stop = stop or threading.Event()
    with open_harvest(folder) as store:
        plan = store.plan()
        sources = load_sources(plan.endpoints)
        limiter = build_limiter(sources)
        online = any(source != LOCAL for source in plan.sources)
        client = build_client(sources, plan.contact, stop, limiter) if online else None
        local = open_local_source(plan, folder) if LOCAL in plan.sources else None
        remove_leftovers(folder)
        search = search_sources(store, plan, sources, client, local, progress.searching)
        wanted, fetched = store.wanted_pictures(), FetchOutcome()
        remote = [one for one in wanted if one.source != LOCAL]
        if on_kafka is not None and remote:
            intervals = {origin_of(one.base_url)[0]: one.interval_s for one in sources.values()}
            collector = WorkerFetcher(store, folder, on_kafka, plan.contact, intervals, stop)
            fetched = collector.fetch_all(remote, workers, progress.fetching)
            wanted = [one for one in wanted if one.source == LOCAL]
        robots = Robots(client, AGENT) if client is not None else None
        fetcher = PictureFetcher(store, folder, client, robots, limiter, local, stop)
        fetched += fetcher.fetch_all(wanted, workers, progress.fetching)
        _leave_out_duplicates(store, folder, _stoppable(progress.comparing, stop))
        decisions = read_decisions(folder, {NEGATIVE_LABEL, *(taxon.label for taxon in plan.taxa)})
        if embed is not None:
            _weigh(store, folder, embed, plan.seed, _stoppable(progress.embedding, stop))
        return _write(store, folder, plan, decisions, search, fetched)


def _stoppable(progress: ProgressCallback, stop: threading.Event) -> ProgressCallback:
    """The callback, which also raises `FetchStopped` once `stop` is set."""

    def report(done: int, total: int) -> None:
        if stop.is_set():
            raise FetchStopped
        progress(done, total)

    return report


def _leave_out_duplicates(store: HarvestStore, folder: Path, progress: ProgressCallback) -> None:
    duplicates, unreadable = find_duplicate_pictures(store.stored_pictures(), folder, progress)
    for picture, first in duplicates.items():
        store.mark(picture, "duplicate", "same-photograph", f"of {first}")
    for picture, reason in unreadable.items():
        store.mark(picture, "failed", reason)


def _weigh(store: HarvestStore, folder: Path, embed: EmbedPictures, seed: int, progress: ProgressCallback) -> None:
    pictures = {folder / picture.file: picture for picture in store.stored_pictures()}
    if not pictures:
        return
    paths, features = embed(list(pictures), progress)
    samples = [_sample(path, pictures[path]) for path in paths]
    positive = [pictures[path].kind is QueryKind.POSITIVE for path in paths]
    doubts = assess_labels(samples, features, positive, seed)
    weights = {}
    for path, doubt in zip(paths, doubts, strict=True):
        words = ", ".join(doubt.reasons) + (f": rather {doubt.rather}" if doubt.rather else "")
        weights[pictures[path].id] = (doubt.weight, words)
    store.write_weights(weights)


def _sample(path: Path, picture: StoredPicture) -> Sample:
    return Sample(path, picture.label, picture.record.burst or str(picture.id), picture.record.camera)


def _write(
    store: HarvestStore,
    folder: Path,
    plan: HarvestPlan,
    decisions: dict[int, str],
    search: SearchOutcome,
    fetched: FetchOutcome,
) -> HarvestResult:
    pictures = store.stored_pictures()
    report = {**harvest_status(store), "purposes": purpose_counts(pictures)}
    taxa = {taxon.label: taxon.name for taxon in plan.taxa}
    try:
        count = write_dataset(folder, pictures, decisions, NEGATIVE_LABEL, taxa, report)
        undecided = write_review(folder, pictures, decisions)
    except OSError as error:
        problem = f"{folder} cannot be written ({error.strerror}): free some space and run it again"
        raise HarvestError(problem) from error
    return HarvestResult(count, fetched, search, sum(bool(one.doubt) for one in pictures), undecided, report)


def harvest_status(store: HarvestStore) -> dict[str, Any]:
    """The state of a harvest, as values for JSON. Reads alone."""
    done, queries = store.query_counts()
    return {
        "queries": queries,
        "queries_done": done,
        "pictures": [
            {"source": source, "label": label, "state": state, "reason": reason, "count": count}
            for source, label, state, reason, count in store.counts()
        ],
        "problems": [
            {"source": source, "query": text, "problem": problem} for source, text, problem in store.problems()
        ],
    }
