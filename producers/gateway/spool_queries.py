"""Queries of the spool: the next upload, and the rows of a file."""

import os
import sqlite3
import threading
from typing import Any

from uncia.producers.gateway.spool_entry import NOT_STORED, UNFINISHED, FileState, SpoolEntry

_MAX_EARLIER_ROWS = 20
"""So many rows of one path are read: some cameras give every photograph the same name."""


class SpoolQueries:
    """Reads one connection under a lock, and changes nothing."""

    def __init__(self, database: sqlite3.Connection, guard: threading.RLock) -> None:
        self._database = database
        self._guard = guard

    def entry(self, entry_id: int) -> SpoolEntry:
        """One row in its current state."""
        return self._entries("SELECT * FROM files WHERE id = ?", (entry_id,))[0]

    def next_to_read(self, now: float) -> SpoolEntry | None:
        """The next file whose content has not been read yet."""
        return self._first(
            "SELECT * FROM files WHERE state = 'found' AND next_try <= ? ORDER BY next_try, id LIMIT 1", (now,)
        )

    def unreported(self) -> list[SpoolEntry]:
        """Stored files about which no event was printed, because the gateway ended in between."""
        return self._entries(
            "SELECT * FROM files WHERE reported = 0 AND (state IN ('confirmed', 'duplicate')"
            " OR (state = 'superseded' AND confirmed_at IS NOT NULL)) ORDER BY id"
        )

    def removable(self) -> list[SpoolEntry]:
        """Stored complete files that were not removed from the card yet."""
        return self._entries(
            "SELECT * FROM files WHERE state IN ('confirmed', 'duplicate') AND removed_at IS NULL AND partial IS NULL"
            " ORDER BY id"
        )

    def earlier_contents(self, entry: SpoolEntry) -> list[SpoolEntry]:
        """Earlier rows of the same path that were read: all that are not stored, then the newest other one."""
        rows = self._entries(
            "SELECT * FROM files INDEXED BY files_by_path WHERE source = ? AND id < ? AND station = ? AND camera = ?"
            " AND sha256 IS NOT NULL AND state != 'gone' ORDER BY id DESC LIMIT ?",
            (os.fsencode(entry.source), entry.id, entry.station, entry.camera, _MAX_EARLIER_ROWS),
        )
        finished = [row for row in rows if row.state not in NOT_STORED]
        return [row for row in rows if row.state in NOT_STORED] + finished[:1]

    def is_repeated(self, entry: SpoolEntry) -> bool:
        """True where another file is a duplicate of this one: the store has its bytes under the key of `entry` only."""
        return bool(
            self._rows("SELECT 1 FROM files WHERE duplicate_of = ? AND state = 'duplicate' LIMIT 1", (entry.id,))
        )

    def is_key_taken(self, key: str, sha256: str) -> bool:
        """True where another content is or will be stored under this key, which once was that of `sha256`."""
        states = ", ".join(f"'{state}'" for state in (*NOT_STORED, FileState.CONFIRMED))
        query = f"SELECT 1 FROM files WHERE key = ? AND sha256 != ? AND state IN ({states}) LIMIT 1"
        return bool(self._rows(query, (key, sha256)))

    def next_partial_check(self, now: float) -> SpoolEntry | None:
        """A stored partial file whose bytes are due to be read again."""
        return self._first(
            "SELECT * FROM files INDEXED BY files_partial WHERE partial IS NOT NULL AND state = 'confirmed'"
            " AND next_try <= ? LIMIT 1",
            (now,),
        )

    def count_unfinished(self) -> int:
        """The number of existing files that the store does not have yet."""
        placeholders = ", ".join("?" for _ in UNFINISHED)
        return int(self._rows(f"SELECT count(*) FROM files WHERE state IN ({placeholders})", UNFINISHED)[0][0])

    def count_held(self) -> int:
        """The number of files of which the store has the thumbnail, and which wait for a request."""
        return int(self._rows("SELECT count(*) FROM files WHERE state = 'held'", ())[0][0])

    def count_expired(self) -> int:
        """The number of files whose bytes the store does not have, because they were not requested in time."""
        return int(
            self._rows(
                "SELECT count(*) FROM files AS mine WHERE state = 'expired' AND NOT EXISTS"
                " (SELECT 1 FROM files AS other WHERE other.sha256 = mine.sha256 AND other.station = mine.station"
                " AND other.camera = mine.camera AND other.state = 'confirmed')",
                (),
            )[0][0]
        )

    def stored_entry(self, entry: SpoolEntry) -> SpoolEntry:
        """The confirmed row of a stored file: its own, or that of the file that it repeats."""
        return entry if entry.duplicate_of is None else self.entry(entry.duplicate_of)

    def is_copy_needed(self, name: str) -> bool:
        """True where the copy of this name, which begins with the id of its row and a hyphen, is still needed."""
        entry_id = name.partition("-")[0]
        rows = self._rows("SELECT state FROM files WHERE id = ?", (entry_id,)) if entry_id.isdecimal() else []
        return bool(rows) and FileState(rows[0]["state"]) in NOT_STORED

    def _confirmed_twin(self, entry: SpoolEntry) -> SpoolEntry | None:
        """The confirmed row of this camera with the same complete content; its content need not be stored again."""
        if entry.partial is not None or entry.replaces is not None:
            return None  # it has its own key, under which this content must be stored
        return self._first(
            "SELECT * FROM files WHERE sha256 = ? AND station = ? AND camera = ? AND state = 'confirmed'"
            " AND partial IS NULL",
            (entry.sha256, entry.station, entry.camera),
        )

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """The rows that a SELECT returns."""
        return self._rows(query, values)

    def _first(self, query: str, values: tuple[Any, ...]) -> SpoolEntry | None:
        entries = self._entries(query, values)
        return entries[0] if entries else None

    def _entries(self, query: str, values: tuple[Any, ...] = ()) -> list[SpoolEntry]:
        return [SpoolEntry.from_row(row) for row in self._rows(query, values)]

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._guard:
            return self._database.execute(query, values).fetchall()
