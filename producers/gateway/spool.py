"""The gateway's memory: every file it was ever shown and how far it got, in one SQLite file.

    found ──▶ spooled ──▶ uploading ──▶ confirmed          the store has the bytes
                 ▲            │   │        └──▶ superseded  a later content of the same file takes its object's place
                 │            │   └───▶ duplicate          the store has them by another file of this camera
                 └─ waiting ◀─┘                            failed for now: tried again after `next_try`
    found, spooled, waiting ──▶ gone                       it vanished or changed before it could be read

Invariants (the tests in `tests/unit/producers/gateway` check them with crashes between any two steps):

1. A row is `confirmed` only after the store said that it holds these bytes under this key, and a row is `duplicate`
   only when a confirmed row of the same station and camera has the same SHA-256.
2. A file that was found stays in the spool until one of these two is true. `gone` ends nothing: it says that the file
   is not there now, and the row is `found` again as soon as the same file is seen again.
3. A file that changes is another row: rows are told apart by station, camera, path, size, modification time and, where
   a file changed without either, by `edition`. A row takes over the key of an earlier one (`replaces`) only when its
   content holds all that is certain of the earlier content: nothing that was stored is lost by it.
4. `spooled` and later rows have a SHA-256, an MD5 and a key, and these never change.
5. A copy in the spool is removed only after its row is `confirmed` or `duplicate`; a file on the card only after that,
   only on demand, and only when the store and the card were both read again (`removed_at`).
   A copy of a whole photograph is removed; a card's file that is `partial` never is.
6. No two rows with the same content are `uploading` at once. What is `partial` is no duplicate and has none.
7. Every transition is one transaction that is on the disk (WAL, synchronous=FULL) before the method returns: after a
   crash `uploading` means that an attempt was cut off, and opening the spool makes it `spooled` again.
8. One process at a time writes (a lock beside the file), to one bucket of one store (written into the file).
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from uncia.producers.gateway.content import Content
from uncia.producers.gateway.spool_file import SpoolError, SpoolFull, locked, made_folder, opened
from uncia.producers.gateway.watcher import Seen

_EARLIER = 20
"""So many rows of one path are looked at: some cameras send every photograph under one name."""


class State(StrEnum):
    """How far a file got."""

    FOUND = "found"
    SPOOLED = "spooled"
    UPLOADING = "uploading"
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DUPLICATE = "duplicate"
    GONE = "gone"
    SUPERSEDED = "superseded"


UNFINISHED = (State.FOUND, State.SPOOLED, State.UPLOADING, State.WAITING)


@dataclass(frozen=True)
class Certain:
    """The first bytes of a content, those that will not change when what follows them is filled in."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One row: one file of one camera."""

    id: int
    station: str
    camera: str
    source: Path
    size: int
    mtime_ns: int
    state: State
    sha256: str | None
    md5: str | None
    key: str | None
    copy: str | None
    attempts: int
    next_try: float
    last_error: str | None
    multipart: str | None
    etag: str | None
    confirmed_at: str | None
    duplicate_of: int | None
    removed_at: str | None
    reported: int
    edition: int
    ctime_ns: int | None
    partial: str | None
    certain: int | None
    certain_sha256: str | None
    replaces: int | None

    @property
    def beginning(self) -> tuple[int, str]:
        """How many first bytes a later content must share to be the same photograph, and their SHA-256."""
        if self.certain is not None and self.certain_sha256 is not None:
            return self.certain, self.certain_sha256
        assert self.sha256
        return self.size, self.sha256


class Spool:
    """The spool, opened for writing. Raises `SpoolError` when another process has it or another program made it."""

    def __init__(self, path: Path, *, destination: str | None = None, same_store: bool = False) -> None:
        self.path = path
        self.folder = path.with_name(path.name + ".files")
        try:
            made_folder(self.folder)
            self._lock_file = locked(path)
        except OSError as error:
            raise SpoolError(
                f"cannot write beside {path} ({error.strerror}): give another file with --spool"
            ) from error
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock_file.close)
            self._database = opened(path)
            undo.callback(self._database.close)
            self._guard = threading.RLock()
            if destination is not None:
                self._belongs_to(destination, same_store)
            self._resume()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the file in order and let others have it."""
        with self._guard:
            self._database.close()
        self._lock_file.close()

    # Transitions, in the order of a file's life.

    def add(self, station: str, camera: str, files: list[Seen]) -> int:
        """Remember files that are ready; how many of them have to be read. Known ones stay as they are.

        A stored file whose change time moved is read again: its bytes may have changed behind its size and time.
        """
        new = 0
        with self._transaction() as database:
            for seen in files:
                new += _add(
                    database, (station, camera, os.fsencode(seen.path), seen.size, seen.mtime_ns), seen.ctime_ns
                )
        return new

    def spooled(
        self,
        entry: Entry,
        told: Content,
        *,
        key: str,
        copy: str | None,
        partial: str | None,
        certain: Certain | None,
        replaces: Entry | None,
    ) -> None:
        """The file was read: its content and key are fixed now. The content that it replaces is superseded."""
        values = (told.sha256, told.md5, key, copy, told.ctime_ns)
        holes = (partial, certain.size, certain.sha256) if certain else (partial, None, None)
        with self._transaction() as database:
            self._move(
                entry,
                (State.FOUND,),
                "state = 'spooled', sha256 = ?, md5 = ?, key = ?, copy = ?, ctime_ns = ?, partial = ?, certain = ?,"
                " certain_sha256 = ?, replaces = ?, attempts = 0, next_try = 0, last_error = NULL",
                (*values, *holes, replaces.id if replaces else None),
            )
            if replaces is not None:
                database.execute(
                    "UPDATE files SET state = 'superseded' WHERE id = ? AND state = 'confirmed'", (replaces.id,)
                )

    def unchanged(self, entry: Entry, known: Entry, ctime_ns: int) -> None:
        """A file that was read again has the content that is stored: `entry` is dropped, and `known` counts."""
        with self._transaction() as database:
            database.execute("DELETE FROM files WHERE id = ? AND state = 'found'", (entry.id,))
            database.execute("UPDATE files SET ctime_ns = ?, removed_at = NULL WHERE id = ?", (ctime_ns, known.id))

    def changed_unseen(self, entry: Entry) -> None:
        """The bytes of a stored file changed, though neither its size nor its times did: read it again."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO files (station, camera, source, size, mtime_ns, edition, state)"
                " SELECT station, camera, source, size, mtime_ns, edition + 1, 'found' FROM files WHERE id = ?",
                (entry.id,),
            )

    def check_again(self, entry: Entry, at: float) -> None:
        """Look at the bytes of a partial file again then."""
        self._move(entry, (State.CONFIRMED,), "next_try = ?", (at,))

    def claim(self, now: float) -> tuple[Entry, Entry | None] | None:
        """The next file to upload, now `uploading`; or a `duplicate` and the confirmed file that it repeats.

        None when nothing is due. A file whose content is just being uploaded under another name waits for that.
        """
        with self._transaction() as database:
            row = database.execute(
                "SELECT * FROM files AS mine WHERE state IN ('spooled', 'waiting') AND sha256 IS NOT NULL"
                " AND next_try <= ? AND NOT EXISTS (SELECT 1 FROM files AS other WHERE other.sha256 = mine.sha256"
                " AND other.station = mine.station AND other.camera = mine.camera AND other.state = 'uploading')"
                " ORDER BY next_try, id LIMIT 1",
                (now,),
            ).fetchone()
            if row is None:
                return None
            entry = _entry(row)
            twin = database.execute(
                "SELECT * FROM files WHERE sha256 = ? AND station = ? AND camera = ? AND state = 'confirmed'"
                " AND partial IS NULL",
                (entry.sha256, entry.station, entry.camera),
            ).fetchone()
            if entry.partial is not None or entry.replaces is not None:
                twin = None  # it has a key of its own, under which this very content must stand
            if twin is not None:
                database.execute(
                    "UPDATE files SET state = 'duplicate', duplicate_of = ?, last_error = NULL WHERE id = ?",
                    (twin["id"], entry.id),
                )
            else:
                database.execute(
                    "UPDATE files SET state = 'uploading', attempts = attempts + 1 WHERE id = ?", (entry.id,)
                )
        now_it_is = self.entry(entry.id)
        return now_it_is, _entry(twin) if twin is not None else None

    def multipart(self, entry: Entry, upload: str | None) -> None:
        """Remember the store's id of an upload in parts, so that the next attempt goes on where this one stopped."""
        self._move(entry, (State.UPLOADING,), "multipart = ?", (upload,))

    def confirmed(self, entry: Entry, *, etag: str, at: str) -> None:
        """The store said that it holds these bytes under this key."""
        self._move(
            entry,
            (State.UPLOADING,),
            "state = 'confirmed', etag = ?, confirmed_at = ?, last_error = NULL, multipart = NULL",
            (etag, at),
        )

    def failed(self, entry: Entry, *, error: str, next_try: float) -> None:
        """Not this time; `next_try` is Unix time. A file that could not even be read stays `found`."""
        if entry.state is State.FOUND:
            change = "attempts = attempts + 1, last_error = ?, next_try = ?"
        else:
            change = "state = 'waiting', last_error = ?, next_try = ?"
        self._move(entry, (entry.state,), change, (error, next_try))

    def gone(self, entry: Entry, why: str) -> None:
        """The file is not there, or not as it was when it was found."""
        self._move(
            entry,
            UNFINISHED,
            "state = 'gone', last_error = ?, sha256 = NULL, md5 = NULL, key = NULL, copy = NULL, attempts = 0,"
            " next_try = 0, multipart = NULL, partial = NULL, certain = NULL, certain_sha256 = NULL, replaces = NULL",
            (why,),
        )

    def removed(self, entry: Entry, at: str) -> None:
        """The file was taken from the card after the store was asked once more."""
        self._move(entry, (State.CONFIRMED, State.DUPLICATE), "removed_at = ?", (at,))

    def reported(self, entries: list[Entry]) -> None:
        """The outside was told how these ended; until then it is told again at the next start."""
        with self._transaction() as database:
            database.executemany("UPDATE files SET reported = 1 WHERE id = ?", [(entry.id,) for entry in entries])

    # Questions.

    def entry(self, number: int) -> Entry:
        """One row as it stands now."""
        return _entry(self._rows("SELECT * FROM files WHERE id = ?", (number,))[0])

    def found(self, now: float) -> Entry | None:
        """The next file whose content was not read yet."""
        rows = self._rows(
            "SELECT * FROM files WHERE state = 'found' AND next_try <= ? ORDER BY next_try, id LIMIT 1", (now,)
        )
        return _entry(rows[0]) if rows else None

    def unreported(self) -> list[Entry]:
        """Stored files whose end was not told yet, because the gateway ended in between."""
        rows = self._rows(
            "SELECT * FROM files WHERE reported = 0 AND (state IN ('confirmed', 'duplicate')"
            " OR (state = 'superseded' AND confirmed_at IS NOT NULL)) ORDER BY id",
            (),
        )
        return [_entry(row) for row in rows]

    def removable(self) -> list[Entry]:
        """Stored files that were not taken from the card yet."""
        rows = self._rows(
            "SELECT * FROM files WHERE state IN ('confirmed', 'duplicate') AND removed_at IS NULL AND partial IS NULL"
            " ORDER BY id",
            (),
        )
        return [_entry(row) for row in rows]

    def earlier(self, entry: Entry) -> list[Entry]:
        """Rows of the same path that were read before: those on their way to the store, and the last that it has."""
        rows = self._rows(
            "SELECT * FROM files INDEXED BY files_by_path WHERE source = ? AND id < ? AND station = ? AND camera = ?"
            " AND sha256 IS NOT NULL AND state != 'gone' ORDER BY id DESC LIMIT ?",
            (os.fsencode(entry.source), entry.id, entry.station, entry.camera, _EARLIER),
        )
        found = [_entry(row) for row in rows]
        ended = [one for one in found if one.state not in UNFINISHED]
        return [one for one in found if one.state in UNFINISHED] + ended[:1]

    def partial_due(self, now: float) -> Entry | None:
        """A stored file that is no whole photograph, and whose bytes are to be looked at again."""
        rows = self._rows(
            "SELECT * FROM files INDEXED BY files_partial WHERE partial IS NOT NULL AND state = 'confirmed'"
            " AND next_try <= ? LIMIT 1",
            (now,),
        )
        return _entry(rows[0]) if rows else None

    def note_left(self, kinds: str) -> None:
        """What the last look passed over, as JSON, for `status`."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES ('left', ?)", (kinds,))

    def remaining(self) -> int:
        """Files that the store does not have yet, as far as they are there."""
        marks = ", ".join("?" for _ in UNFINISHED)
        return int(self._rows(f"SELECT count(*) FROM files WHERE state IN ({marks})", UNFINISHED)[0][0])

    def stored(self, entry: Entry) -> Entry:
        """The confirmed file: this one, or the one that it repeats."""
        return entry if entry.duplicate_of is None else self.entry(entry.duplicate_of)

    def is_unfinished(self, copy: str) -> bool:
        """Whether the copy of this name may still be needed. Names begin with the row's number and a hyphen."""
        number = copy.partition("-")[0]
        rows = self._rows("SELECT state FROM files WHERE id = ?", (number,)) if number.isdecimal() else []
        return bool(rows) and State(rows[0]["state"]) in UNFINISHED

    # Within.

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            if self._database.in_transaction:
                yield self._database  # part of a larger one
                return
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname in {
                    "SQLITE_FULL",
                    "SQLITE_IOERR_WRITE",
                    "SQLITE_IOERR_FSYNC",
                }:
                    raise SpoolFull(
                        f"the disk under {self.path} is full or failing: make room; nothing is lost"
                    ) from error
                raise

    def _move(self, entry: Entry, before: tuple[State, ...], change: str, values: tuple[Any, ...]) -> None:
        marks = ", ".join("?" for _ in before)
        with self._transaction() as database:
            moved = database.execute(
                f"UPDATE files SET {change} WHERE id = ? AND state IN ({marks})", (*values, entry.id, *before)
            ).rowcount
            if moved != 1:
                raise AssertionError(f"file {entry.id} is not {' or '.join(before)}")

    def _rows(self, question: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._guard:
            return self._database.execute(question, values).fetchall()

    def _resume(self) -> None:
        with self._transaction() as database:
            database.execute("UPDATE files SET state = 'spooled', next_try = 0 WHERE state = 'uploading'")
            database.execute("UPDATE files SET next_try = 0 WHERE state IN ('found', 'waiting')")
            database.execute("UPDATE files SET next_try = 0 WHERE partial IS NOT NULL AND state = 'confirmed'")

    def _belongs_to(self, destination: str, same_store: bool) -> None:
        with self._transaction() as database:
            before = database.execute("SELECT value FROM facts WHERE name = 'destination'").fetchone()
            if before is not None and before["value"] != destination and not same_store:
                raise SpoolError(
                    f"{self.path} remembers what {before['value']} has, and this is {destination}: give another file "
                    "with --spool, or say --same-store when it is the same store under a new address"
                )
            database.execute("INSERT OR REPLACE INTO facts VALUES ('destination', ?)", (destination,))


def _add(database: sqlite3.Connection, identity: tuple[str, str, bytes, int, int], ctime_ns: int) -> bool:
    known = database.execute(
        "SELECT id, state, edition, ctime_ns FROM files WHERE station = ? AND camera = ? AND source = ? AND size = ?"
        " AND mtime_ns = ? ORDER BY edition DESC LIMIT 1",
        identity,
    ).fetchone()
    if known is None or (
        State(known["state"]) not in (*UNFINISHED, State.GONE)
        and known["ctime_ns"] is not None
        and ctime_ns
        and known["ctime_ns"] != ctime_ns
    ):
        _insert(database, identity, 0 if known is None else known["edition"] + 1)
        return True
    if known["state"] == State.GONE:
        # Under a new number: contents of one path are told apart by which of them was found last.
        database.execute("DELETE FROM files WHERE id = ?", (known["id"],))
        _insert(database, identity, known["edition"])
        return True
    if known["ctime_ns"] is None and ctime_ns and State(known["state"]) not in UNFINISHED:
        # Stored by a version that did not note it.
        database.execute("UPDATE files SET ctime_ns = ? WHERE id = ?", (ctime_ns, known["id"]))
    return False


def _insert(database: sqlite3.Connection, identity: tuple[str, str, bytes, int, int], edition: int) -> None:
    database.execute(
        "INSERT INTO files (station, camera, source, size, mtime_ns, edition, state)"
        " VALUES (?, ?, ?, ?, ?, ?, 'found')",
        (*identity, edition),
    )


def _entry(row: sqlite3.Row) -> Entry:
    fields = dict(row)
    return Entry(**{**fields, "source": Path(os.fsdecode(fields["source"])), "state": State(fields["state"])})
