"""Groups photographs and observations into bursts, in a temporary database: a million of them are never in memory."""

import pickle
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from uncia import ids
from uncia.dashboard.imports.items import ImportedMedia, ImportedObservation
from uncia.events import DeploymentChanged

__all__ = ["ImportSpool", "ImportedBurst"]

_SCHEMA = """
CREATE TABLE media (id TEXT PRIMARY KEY, camera TEXT, at TEXT, burst TEXT, body BLOB);
CREATE TABLE observation (id INTEGER PRIMARY KEY, media TEXT, burst TEXT, body BLOB);
CREATE TABLE burst (id TEXT PRIMARY KEY, camera TEXT, started TEXT, ended TEXT, utc_offset INTEGER);
"""
_INDEXES = """
CREATE INDEX media_place ON media (camera, at);
CREATE INDEX media_burst ON media (burst);
CREATE INDEX observation_media ON observation (media);
CREATE INDEX observation_burst ON observation (burst);
CREATE INDEX burst_place ON burst (camera, started);
"""


@dataclass(frozen=True, slots=True)
class ImportedBurst:
    """The photographs and observations of one burst."""

    id: str
    camera: str
    started_at: datetime
    ended_at: datetime
    utc_offset_minutes: int
    media: tuple[ImportedMedia, ...]
    """In order of capture."""
    observations: tuple[ImportedObservation, ...]
    """As the files list them."""


class ImportSpool:
    """Takes items, then yields bursts. Use it in a `with` block: the temporary file is then deleted.

    The bodies are pickled, and only this process reads them.
    """

    def __init__(self, gap_s: float) -> None:
        """`gap_s`: photographs without an event that are no further apart belong to one burst."""
        self._gap = timedelta(seconds=gap_s)
        self.deployments: list[DeploymentChanged] = []
        self.photographs = 0

    def __enter__(self) -> Self:
        """Create the temporary database."""
        self._folder = tempfile.TemporaryDirectory(prefix="uncia-import-")
        self._database = sqlite3.connect(Path(self._folder.name) / "spool.sqlite", isolation_level=None)
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-32768"):
            self._database.execute(statement)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Delete the temporary database."""
        self._database.close()
        self._folder.cleanup()

    def deployment(self, event: DeploymentChanged) -> None:
        """Add a deployment."""
        self.deployments.append(event)

    def media(self, item: ImportedMedia) -> None:
        """Add a photograph. Raises `ValueError` where its id is taken."""
        values = (item.id, item.camera, item.captured_at.isoformat(), pickle.dumps(item))
        found = self._database.execute("INSERT OR IGNORE INTO media VALUES (?, ?, ?, NULL, ?)", values)
        if not found.rowcount:
            raise ValueError("the id of this photograph is taken by a line above")
        self.photographs += 1

    def observation(self, item: ImportedObservation) -> None:
        """Add an observation."""
        self._database.execute(
            "INSERT INTO observation (media, burst, body) VALUES (?, ?, ?)",
            (item.media, item.burst, pickle.dumps(item)),
        )
        if item.media is None and item.burst is not None and item.started_at and item.ended_at:
            self._add_burst(item.burst, item.camera, item.started_at, item.ended_at, item.utc_offset_minutes)

    def orphans(self) -> int:
        """The number of observations of photographs that are not there."""
        statement = (
            "SELECT count(*) FROM observation o "
            "WHERE media IS NOT NULL AND NOT EXISTS (SELECT 1 FROM media m WHERE m.id = o.media)"
        )
        return int(self._database.execute(statement).fetchone()[0])

    def bursts(self) -> Iterator[ImportedBurst]:
        """All bursts, in order of capture. Call it once, when everything was added."""
        self._database.executescript(_INDEXES)
        self._database.execute("BEGIN")
        self._assign_by_observations()
        self._assign_by_time()
        self._assign_by_gap()
        self._database.execute(
            "UPDATE observation SET burst = (SELECT burst FROM media WHERE media.id = observation.media) "
            "WHERE media IS NOT NULL AND EXISTS (SELECT 1 FROM media WHERE media.id = observation.media)"
        )
        for row in self._database.execute(
            "SELECT id, camera, started, ended, utc_offset FROM burst ORDER BY started, id"
        ):
            media: list[ImportedMedia] = self._bodies("media", "at, rowid", row[0])
            seen: list[ImportedObservation] = self._bodies("observation", "id", row[0])
            started, ended = datetime.fromisoformat(row[2]), datetime.fromisoformat(row[3])
            yield ImportedBurst(row[0], row[1], started, ended, row[4], tuple(media), tuple(seen))

    def _bodies(self, table: str, order: str, burst: str) -> list[Any]:
        statement = f"SELECT body FROM {table} WHERE burst = ? ORDER BY {order}"
        return [pickle.loads(body) for (body,) in self._database.execute(statement, (burst,))]

    def _add_burst(self, burst: str, camera: str, started: datetime, ended: datetime, offset: int) -> None:
        self._database.execute(
            "INSERT INTO burst VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "started = min(started, excluded.started), ended = max(ended, excluded.ended)",
            (burst, camera, started.isoformat(), ended.isoformat(), offset),
        )

    def _assign_by_observations(self) -> None:
        """Photographs belong to the events of their observations, and make those that have no row of their own."""
        self._database.execute(
            "UPDATE media SET burst = (SELECT o.burst FROM observation o "
            "WHERE o.media = media.id AND o.burst IS NOT NULL ORDER BY o.id LIMIT 1)"
        )
        missing = (
            "SELECT m.body, m.burst FROM media m WHERE m.burst IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM burst b WHERE b.id = m.burst) ORDER BY m.rowid"
        )
        for body, burst in self._database.execute(missing):
            item: ImportedMedia = pickle.loads(body)
            self._add_burst(burst, item.camera, item.captured_at, item.captured_at, item.utc_offset_minutes)

    def _assign_by_time(self) -> None:
        """Camtrap DP: photographs without an own observation belong to the event of the camera at their time."""
        self._database.execute(
            "UPDATE media SET burst = (SELECT CASE WHEN b.ended >= media.at THEN b.id END FROM burst b "
            "WHERE b.camera = media.camera AND b.started <= media.at ORDER BY b.started DESC LIMIT 1) "
            "WHERE burst IS NULL"
        )

    def _assign_by_gap(self) -> None:
        """The rest: photographs of one camera that follow each other closely."""
        rest = "SELECT rowid, body FROM media WHERE burst IS NULL ORDER BY camera, at, rowid"
        last: ImportedMedia | None = None
        burst = ""
        for rowid, body in self._database.execute(rest):
            item: ImportedMedia = pickle.loads(body)
            if last is None or last.camera != item.camera or item.captured_at - last.captured_at > self._gap:
                burst = f"bst-{ids.digest('import', item.id)}"
            self._add_burst(burst, item.camera, item.captured_at, item.captured_at, item.utc_offset_minutes)
            self._database.execute("UPDATE media SET burst = ? WHERE rowid = ?", (burst, rowid))
            last = item
