"""Run the queries of a plan, page by page, until each has found enough or its source has no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from uncia.polite_http.client import FetchFailed, PoliteClient
from uncia.training.harvest.licence import OWN, refusal
from uncia.training.harvest.query import LOCAL, HarvestPlan, QueryKind
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.sources.page import SourceApi
from uncia.training.harvest.store import HarvestStore, OpenQuery
from uncia.training.harvest.taxon_names import names_in
from uncia.training.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from uncia.training.harvest.local_source import LocalSource

__all__ = ["SearchOutcome", "search_sources"]

_OF_ONE_QUERY = ("http-400", "http-404", "http-410", "http-414", "http-422", "api-error")
"""Failures that say nothing about the other queries of a source."""


@dataclass
class SearchOutcome:
    """What a run of the queries could not do."""

    unavailable: dict[str, str] = field(default_factory=dict)
    """Sources that were left alone for the rest of the run, with the reason."""


class _Searcher:
    def __init__(
        self,
        store: HarvestStore,
        plan: HarvestPlan,
        sources: Mapping[str, SourceApi],
        client: PoliteClient | None,
        local: "LocalSource | None",
    ) -> None:
        self._store, self._plan, self._sources = store, plan, sources
        self._client, self._local = client, local
        self._names = [name for taxon in plan.taxa for name in taxon.names] + [taxon.label for taxon in plan.taxa]

    def search_local(self, one: OpenQuery) -> None:
        assert self._local is not None
        records = self._local.records(one.query)
        missing = one.query.wanted - self._store.found(one.query, one.id)
        # A local folder is labelled: its negatives need no search for names.
        self._store.add_page(
            one.id, [(record, self._refusal(record, one, names=False)) for record in records], None, missing
        )

    def search(self, one: OpenQuery, source: SourceApi) -> None:
        """Ask for pages until the query is finished. Raises `FetchFailed`."""
        assert self._client is not None
        cursor: str | None = one.cursor
        while cursor is not None:
            missing = one.query.wanted - self._store.found(one.query, one.id)
            if missing <= 0:
                self._store.finish_query(one.id)
                return
            page = self._client.get_json(
                source.page_url(one.query, self._plan.licences, cursor),
                partial(source.parse, query=one.query, cursor=cursor),
                before=partial(self._count_request, source),
            )
            cursor = page.next_cursor
            self._store.add_page(
                one.id, [(found, self._refusal(found, one)) for found in page.records], cursor, missing
            )

    def _count_request(self, source: SourceApi) -> None:
        if self._store.count_request(source.name, f"{datetime.now(UTC):%Y-%m-%d}") > source.daily_requests:
            message = f"{source.daily_requests:,} requests were made today: continue tomorrow"
            raise FetchFailed("daily-limit", message, temporary=True, retry_after_s=86_400)

    def _refusal(self, record: PictureRecord, one: OpenQuery, *, names: bool = True) -> str | None:
        accepted: Sequence[str] = self._plan.licences
        if record.source == LOCAL and self._plan.local_licence == OWN:
            accepted = (*accepted, OWN)
        if reason := refusal(record.licence_text, record.licence, accepted):
            return reason
        if names and one.query.kind is not QueryKind.POSITIVE:
            text = f"{record.title} {record.description} {record.taxon}"
            if names_in(text, self._names):
                return "names-target"
        return None


def search_sources(
    store: HarvestStore,
    plan: HarvestPlan,
    sources: Mapping[str, SourceApi],
    client: PoliteClient | None,
    local: "LocalSource | None",
    progress: ProgressCallback = no_progress,
) -> SearchOutcome:
    """Run the open queries. One source that fails does not hold up another; its queries stay open for the next run.

    Raises `FetchStopped`. Everything that was found until then is kept.
    """
    searcher = _Searcher(store, plan, sources, client, local)
    outcome = SearchOutcome()
    queries = store.open_queries()
    for number, one in enumerate(queries):
        progress(number, len(queries))
        source = one.query.source
        if source == LOCAL:
            searcher.search_local(one)
        elif source not in outcome.unavailable:
            try:
                searcher.search(one, sources[source])
            except FetchFailed as error:
                store.note_problem(one.id, str(error))
                if error.reason not in _OF_ONE_QUERY:
                    outcome.unavailable[source] = str(error)
    progress(len(queries), len(queries))
    return outcome
