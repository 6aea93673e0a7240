"""What all requests share: settings, accounts, templates, the catalogue, pictures, and the live feed."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from uncia.audit import AuditLog
from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.column_cache import ColumnCache
from uncia.dashboard.catalogue.history_cache import HistoryCache
from uncia.dashboard.catalogue.individuals import Individuals
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.pending import PendingExplanations
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.rows import AlertChange, BurstChange, OpenAlerts
from uncia.dashboard.catalogue.sounds import Sounds
from uncia.dashboard.verdict_audit.queries import VerdictAudit
from uncia.dashboard.web.accounts.leases import LeaseStore
from uncia.dashboard.web.accounts.store import AccountStore
from uncia.dashboard.web.accounts.views import ViewStore
from uncia.dashboard.web.alert_view import alert_view
from uncia.dashboard.web.burst_view import burst_view, newest_day
from uncia.dashboard.web.change_feed import ChangeFeed
from uncia.dashboard.web.downloads import Downloads
from uncia.dashboard.web.operations import Operations
from uncia.dashboard.web.pictures import PictureService
from uncia.dashboard.web.publisher import Publisher
from uncia.dashboard.web.recordings import RecordingService
from uncia.dashboard.web.templating import Templates
from uncia.dashboard.web.topic_stream import TopicStreams
from uncia.kafka.stream_status import StreamStatus
from uncia.pseudonyms import SerialPseudonyms
from uncia.settings import Settings

__all__ = ["RenderedChange", "Services"]

_RENDERED = 500
_STATUS_S = 3.0


@dataclass(frozen=True)
class RenderedChange:
    """A burst after a change, rendered once for all live viewers: for 200 of them, JSON would take most of a core."""

    station: str
    view: str
    """The burst as JSON."""
    parts: str
    """JSON for the live page: HTML by name of the part, and what decides on its place."""


@dataclass
class Services:
    """Made once per process; the handlers find it by `context.services_of`."""

    settings: Settings
    accounts: AccountStore
    views: ViewStore
    leases: LeaseStore
    templates: Templates
    catalogue: Catalogue
    alerts: Alerts
    individuals: Individuals
    sounds: Sounds
    verdict_audit: VerdictAudit
    pictures: PictureService
    recordings: RecordingService
    feed: ChangeFeed
    read_status: Callable[[], StreamStatus]
    """Reads the lags of the workers, which takes up to seconds."""
    publisher: Publisher
    numbers: CatalogueNumbers
    columns: ColumnCache
    history: HistoryCache
    """Both are used by `catalogue` and `numbers`; the application starts their threads."""
    downloads: Downloads
    topic_streams: TopicStreams
    serial_pseudonym: SerialPseudonyms
    """What stands for serial numbers of cameras where the role may not have exact positions."""
    pending: PendingExplanations
    operations: Operations
    audit: AuditLog
    close_catalogue: Callable[[], None]
    first_link_file: Path
    """Holds the link of a start without accounts until it is used."""
    _rendered: OrderedDict[tuple[int, str], "asyncio.Task[RenderedChange | None]"] = field(default_factory=OrderedDict)
    _alert_updates: OrderedDict[tuple[AlertChange, frozenset[str] | None], "asyncio.Task[str | None]"] = field(
        default_factory=OrderedDict
    )
    _status: tuple[float, StreamStatus] = (0.0, StreamStatus())
    _status_lock: threading.Lock = field(default_factory=threading.Lock)

    def proxy_form_token(self, name: str) -> str:
        """The form token of an account that a proxy signs in, which has no session to keep one."""
        secret = self.settings.dashboard_proxy_secret
        key = secret.get_secret_value() if secret else ""
        return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()

    def close(self) -> None:
        """Close the databases and the connection to Kafka."""
        self.columns.stop()
        self.history.stop()
        self.publisher.close()
        self.topic_streams.close()
        self.accounts.engine.dispose()
        self.close_catalogue()

    def stream_status(self) -> StreamStatus:
        """Lags and dead letters, read at most once in some seconds for all who ask."""
        with self._status_lock:
            read_at, status = self._status
            if not read_at or time.monotonic() - read_at > _STATUS_S:
                status = self.read_status()
                self._status = (time.monotonic(), status)
            return status

    async def rendered(self, change: BurstChange) -> RenderedChange | None:
        """The burst after a change; None where it is no longer in the catalogue. Each change is rendered once."""
        key = (change.number, change.burst_id)
        task = self._rendered.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._render, change.burst_id))
            self._rendered[key] = task
            task.add_done_callback(partial(_forget_failed, self._rendered, key))
            while len(self._rendered) > _RENDERED:
                self._rendered.popitem(last=False)
        return await asyncio.shield(task)

    async def alert_update(self, change: AlertChange, stations: Iterable[str] | None) -> str | None:
        """What a page with alerts is sent after a change, as JSON; None where it concerns none of the stations (None:
        all). Computed once for all accounts that may see the same stations."""
        key = (change, None if stations is None else frozenset(stations))
        task = self._alert_updates.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._alert_update, change, key[1]))
            self._alert_updates[key] = task
            task.add_done_callback(partial(_forget_failed, self._alert_updates, key))
            while len(self._alert_updates) > _RENDERED:
                self._alert_updates.popitem(last=False)
        return await asyncio.shield(task)

    def _alert_update(self, change: AlertChange, stations: frozenset[str] | None) -> str | None:
        alert = self.alerts.alert(change.alert_id, stations) if change.alert_id else None
        if change.alert_id and alert is None:
            return None
        found = self.alerts.open(stations)
        return json.dumps(
            {
                "alert_id": change.alert_id,
                "revision": alert.revision if alert else 0,
                "state": alert.state if alert else "",
                "summary": alert.summary if alert else "",
                "open": found.count,
                "banner": self.open_alerts_html(found),
            }
        )

    def open_alerts_html(self, found: OpenAlerts) -> str:
        """The banner of open alerts."""
        newest = alert_view(found.newest) if found.newest else None
        return self.templates.part("banner", found, newest, source="alert_parts.html.j2")

    def _render(self, burst_id: str) -> RenderedChange | None:
        found = self.catalogue.burst(burst_id)
        if found is None:
            return None
        view = burst_view(found.burst)
        parts = {
            "burst_id": view.burst_id,
            "revision": view.revision,
            "started_at": view.started_at.isoformat(),
            "ahead": view.started_at.date() > newest_day(),
            "superseded": view.status == "superseded",
            **{name: self.templates.part(name, view) for name in ("card", "hero")},
        }
        return RenderedChange(view.station, view.model_dump_json(), json.dumps(parts))


def _forget_failed(cache: OrderedDict[Any, Any], key: object, task: "asyncio.Task[Any]") -> None:
    """Compute a result again after a failure: otherwise every viewer would get the same failure until a restart."""
    if task.cancelled() or task.exception() is not None:
        cache.pop(key, None)
