"""Alerts: `camera.burst.resolved.v1` in, `camera.alert.raised.v1` out, by the rules of a file.

For each batch the alerts are sent and confirmed first, then the states, then the batch is acknowledged. A crash in
between publishes the same alerts a second time, with the same ids and revisions, on a compacted topic.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import faust
import structlog

from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import PermanentError, SettingsError
from uncia.events import BurstResolved
from uncia.processors.alerts.rule_file import read_rules
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.state_store import TABLE
from uncia.processors.alerts.tracker import AlertTracker, AlertUpdate
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.settings import Settings
from uncia.topics import ALERT_RAISED, BURST_RESOLVED

BATCH = 256
BATCH_WAIT_S = 0.05
"""Poll interval of the stream buffer, in seconds."""

log = structlog.get_logger("uncia")


class AlertsWorker:
    """The loop: read a batch, apply the rules, publish alerts, write the states, acknowledge."""

    def __init__(self, app: WorkerApp, settings: Settings, rules: "WatchedRules") -> None:
        self._app = app
        self._rules = rules
        self._alerts = faust_topic(app, settings, ALERT_RAISED)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._tracker = AlertTracker(self._table.data, rules.current())

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def _process(self, events: Sequence[faust.Event]) -> None:
        self._tracker.rules = self._rules.current()
        partitions: dict[str, int] = {}
        for event in events:
            if not event.value:
                continue
            try:
                burst = BurstResolved.from_bytes(event.value)
            except PermanentError as error:
                # Only Uncia writes this topic; what a newer version writes is none of this worker's business.
                log.warning("verdict_invalid", reason=error.reason, offset=event.message.offset)
                continue
            self._tracker.add(burst, event.message.offset, event.message.timestamp)
            partitions[burst.camera] = event.message.partition
        updates = self._tracker.take_updates()
        await asyncio.gather(*(self._finish(camera, one, partitions[camera]) for camera, one in updates.items()))

    async def _finish(self, camera: str, update: AlertUpdate, partition: int) -> None:
        for alert in update.events:
            log.info("alert", alert_id=alert.alert_id, revision=alert.revision, state=alert.state, rule=alert.rule)
            try:
                await send(self._alerts, key=alert.alert_id.encode(), value=alert.to_bytes(), partition=partition)
            except PermanentError as error:
                log.error("alert_too_large", alert_id=alert.alert_id, error=str(error))
        state = update.state
        if state is not None or self._tracker.has_state(camera):
            await self._table.write(partition, camera.encode(), state)


class WatchedRules:
    """The rules of a file, read again when it changes. A mistake in a later version leaves the earlier one in force."""

    def __init__(self, path: Path | None, taxonomy: Taxonomy) -> None:
        """Raises `SettingsError` for a file that cannot be used."""
        self._path = path
        self._taxonomy = taxonomy
        self._seen = self._stamp()
        self._index = self._read()

    def current(self) -> RuleIndex:
        """The rules as the file is now."""
        if (stamp := self._stamp()) != self._seen:
            self._seen = stamp
            try:
                self._index = self._read()
                log.info("alert_rules_read", rules=len(self._index.rules))
            except SettingsError as error:
                log.error("alert_rules_not_read", error=str(error))
        return self._index

    def _read(self) -> RuleIndex:
        if self._path is None:
            return RuleIndex((), self._taxonomy)
        found = read_rules(self._path, self._taxonomy)
        for warning in found.warnings:
            log.warning("alert_rule_doubtful", at=str(warning))
        return RuleIndex(found.rules, self._taxonomy)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat() if self._path else None
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Raises `SettingsError` for rules that cannot be used."""
    app = create_app("alerts", settings, stream_buffer_maxsize=2 * BATCH)
    rules = WatchedRules(settings.alert_rules, Taxonomy.load(settings.taxonomy_file))
    worker = AlertsWorker(app, settings, rules)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="alerts")(worker.run)
    return app
