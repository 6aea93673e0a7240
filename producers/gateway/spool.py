"""The state of the gateway: every file that it has found and how far it is, in one SQLite file.

    found ──▶ spooled ──▶ uploading ──▶ confirmed          the store has the bytes
                 ▲            │   │        └──▶ superseded  a later content of the same file replaces its object
                 │            │   └───▶ duplicate          the store has them from another file of this camera
                 └─ waiting ◀─┘                            failed for now: retried after `next_try`
    found, spooled, waiting ──▶ gone                       it vanished or changed before it could be read

Behind a thin link (`uncia.producers.gateway.thin`) `uploading` is first of the thumbnail, and then

    uploading ──▶ held ──▶ spooled                         the store has the thumbnail; then the whole file is requested
                    └────▶ expired                         it was not requested in time
    duplicate ──▶ spooled                                  the held file that it repeats vanished before it was stored
         └──────▶ expired                                  together with the held file that it repeats

Invariants (the tests in `tests/unit/producers/gateway` check them with crashes between any two steps):

1. A row becomes `confirmed` only after the store has confirmed these bytes under this key, and `duplicate` only while a
   confirmed or held row of the same station and camera has the same SHA-256. It is `duplicate` of a held row only
   where its own thumbnail was to be sent next.
2. A file that was found stays in the spool until one of these two is true. `gone` is not an end: the file does not
   exist now, and its row becomes `found` again as soon as the same file is found again.
3. A changed file is another row: rows differ by station, camera, path, size, modification time and, where a file
   changed without changing either, by `edition`. A row takes over the key of an earlier one (`replaces`) only when its
   content begins with the stable prefix of the earlier content, so that no stored byte is lost by it, or when it is
   proven to be an edit of the same photograph (`replacement.is_edit`) and no duplicate needs the earlier content.
4. Rows from `spooled` on have a SHA-256, an MD5 and a key, and these never change.
5. A copy in the spool is removed only after its row is `confirmed` or `duplicate`; a file on the card only after that,
   only on request, and only when both the store and the card were read again (`removed_at`). A `partial` file is never
   removed from a card.
6. No two rows with the same content are `uploading` at once. A `partial` content neither is a duplicate nor has any.
7. Every transition is one transaction that is on disk (WAL, synchronous=FULL) before the method returns. After a crash,
   `uploading` means that an attempt was interrupted; opening the spool makes it `spooled` again.
8. One process at a time writes (a lock next to the file), for one bucket of one store (stored in the file).
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from uncia.producers.gateway.content import FileContent
from uncia.producers.gateway.spool_database import (
    SpoolError,
    SpoolFull,
    create_folder_durably,
    lock_spool,
    open_database,
)
from uncia.producers.gateway.spool_entry import NOT_STORED, FileState, SpoolEntry, StablePrefix
from uncia.producers.gateway.spool_queries import SpoolQueries
from uncia.producers.gateway.watcher import FoundFile

_DISK_ERRORS = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"}


class Spool(SpoolQueries):
    """The spool, opened for writing. May be used by several threads.

    Raises `SpoolError` when another process has it open, or another program or a newer version created the file. Every
    method that writes raises `SpoolFull` when the disk is full; nothing is changed then.
    """

    def __init__(self, path: Path, *, destination: str | None = None, same_store: bool = False) -> None:
        self.path = path
        self.folder = path.with_name(path.name + ".files")
        """Holds the copies."""
        try:
            create_folder_durably(self.folder)
            self._lock = lock_spool(path)
        except OSError as error:
            raise SpoolError(
                f"cannot write to {path.parent} ({error.strerror}): give another file with --spool"
            ) from error
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.release)
            super().__init__(open_database(path), threading.RLock())
            undo.callback(self._database.close)
            if destination is not None:
                self._check_destination(destination, same_store)
            self._resume()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and release the lock."""
        with self._guard:
            self._database.close()
        self._lock.release()

    # Transitions, in the order of a file's life.

    def add_found(self, station: str, camera: str, files: list[FoundFile]) -> int:
        """Add files that are ready to be read. Returns how many of them have to be read; known ones do not change.

        A file that was read, with another change time, is read again: its bytes may have changed without size and time.
        """
        with self._transaction() as database:
            return sum(
                _add(database, (station, camera, os.fsencode(file.path), file.size, file.mtime_ns), file.ctime_ns)
                for file in files
            )

    def mark_spooled(
        self,
        entry: SpoolEntry,
        content: FileContent,
        *,
        key: str,
        copy: str | None,
        partial: str | None,
        stable_prefix: StablePrefix | None,
        replaces: SpoolEntry | None,
        capture_identity: str | None = None,
    ) -> None:
        """The file was read: its content and key are fixed from now on. The content that it replaces is superseded."""
        prefix = (stable_prefix.size, stable_prefix.sha256) if stable_prefix else (None, None)
        with self._transaction() as database:
            self._move(
                entry,
                (FileState.FOUND,),
                "state = 'spooled', sha256 = ?, md5 = ?, key = ?, copy = ?, ctime_ns = ?, partial = ?, certain = ?,"
                " certain_sha256 = ?, replaces = ?, image_digest = ?, capture_identity = ?,"
                " attempts = 0, next_try = 0, last_error = NULL",
                (
                    *(content.sha256, content.md5, key, copy, content.ctime_ns),
                    *(partial, *prefix, replaces.id if replaces else None),
                    *(content.completeness.image_digest, capture_identity),
                ),
            )
            if replaces is not None:
                database.execute(
                    "UPDATE files SET state = 'superseded' WHERE id = ? AND state = 'confirmed'", (replaces.id,)
                )

    def mark_unchanged(self, entry: SpoolEntry, stored: SpoolEntry, ctime_ns: int) -> None:
        """A file that was read again has its earlier content: drop `entry`, and keep `stored` with the new ctime."""
        with self._transaction() as database:
            database.execute("DELETE FROM files WHERE id = ? AND state = 'found'", (entry.id,))
            database.execute("UPDATE files SET ctime_ns = ?, removed_at = NULL WHERE id = ?", (ctime_ns, stored.id))

    def add_changed_content(self, entry: SpoolEntry) -> None:
        """The bytes of a stored file changed, though neither its size nor its times did: it is read again."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO files (station, camera, source, size, mtime_ns, edition, state)"
                " SELECT station, camera, source, size, mtime_ns, edition + 1, 'found' FROM files WHERE id = ?",
                (entry.id,),
            )

    def schedule_check(self, entry: SpoolEntry, at: float) -> None:
        """Check the bytes of a stored partial file again at this Unix time."""
        self._move(entry, (FileState.CONFIRMED,), "next_try = ?", (at,))

    def claim_upload(self, now: float) -> tuple[SpoolEntry, SpoolEntry | None] | None:
        """The next file to upload, which becomes `uploading`; or a new `duplicate` and the confirmed file it repeats.

        None when nothing is due. A file whose content is being uploaded from another file waits until that ends.
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
            entry = SpoolEntry.from_row(row)
            stored = self._confirmed_twin(entry)
            if stored is not None:
                database.execute(
                    "UPDATE files SET state = 'duplicate', duplicate_of = ?, last_error = NULL WHERE id = ?",
                    (stored.id, entry.id),
                )
            else:
                database.execute(
                    "UPDATE files SET state = 'uploading', attempts = attempts + 1 WHERE id = ?", (entry.id,)
                )
        return self.entry(entry.id), stored

    def save_multipart_id(self, entry: SpoolEntry, upload_id: str | None) -> None:
        """Store the store's id of a multipart upload: the next attempt resumes it."""
        self._move(entry, (FileState.UPLOADING,), "multipart = ?", (upload_id,))

    def mark_confirmed(self, entry: SpoolEntry, *, etag: str, at: str) -> None:
        """The store has confirmed these bytes under this key."""
        self._move(
            entry,
            (FileState.UPLOADING,),
            "state = 'confirmed', etag = ?, confirmed_at = ?, last_error = NULL, multipart = NULL",
            (etag, at),
        )

    def schedule_retry(self, entry: SpoolEntry, *, error: str, next_try: float) -> None:
        """An attempt failed; the next one is due at `next_try` (Unix time). An unread file stays `found`."""
        if entry.state is FileState.FOUND:
            change = "attempts = attempts + 1, last_error = ?, next_try = ?"
        else:
            change = "state = 'waiting', last_error = ?, next_try = ?"
        self._move(entry, (entry.state,), change, (error, next_try))

    def mark_gone(self, entry: SpoolEntry, reason: str) -> None:
        """The file does not exist, or is not as it was when it was found.

        Those that repeat it are to be sent themselves: from their sources, since their copies were removed.
        """
        with self._transaction() as database:
            self._move(
                entry,
                NOT_STORED,
                "state = 'gone', last_error = ?, sha256 = NULL, md5 = NULL, key = NULL, copy = NULL, attempts = 0,"
                " next_try = 0, multipart = NULL, partial = NULL, certain = NULL, certain_sha256 = NULL,"
                " replaces = NULL, image_digest = NULL, capture_identity = NULL",
                (reason,),
            )
            repeating = "(SELECT id FROM files WHERE duplicate_of = ? AND state = 'duplicate')"
            database.execute(
                f"UPDATE thumbnails SET size = NULL, sha256 = NULL, md5 = NULL WHERE file IN {repeating}", (entry.id,)
            )
            database.execute(
                "UPDATE files SET state = 'spooled', duplicate_of = NULL, copy = NULL, reported = 0, attempts = 0,"
                " next_try = 0 WHERE duplicate_of = ? AND state = 'duplicate'",
                (entry.id,),
            )

    def mark_removed(self, entry: SpoolEntry, at: str) -> None:
        """The file was removed from the card, after the store confirmed it once more."""
        self._move(entry, (FileState.CONFIRMED, FileState.DUPLICATE), "removed_at = ?", (at,))

    def mark_reported(self, entries: list[SpoolEntry]) -> None:
        """The events about the ends of these were printed; until then they are printed again at the next start."""
        with self._transaction() as database:
            database.executemany("UPDATE files SET reported = 1 WHERE id = ?", [(entry.id,) for entry in entries])

    def save_skipped(self, counts: str) -> None:
        """Store the files that the last scan skipped, as JSON, for `uncia gateway status`."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES ('left', ?)", (counts,))

    # Transactions.

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A transaction that is on disk when it ends. Raises `SpoolFull`; nothing is changed then."""
        return self._transaction()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            if self._database.in_transaction:
                yield self._database  # part of an outer one
                return
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname in _DISK_ERRORS:
                    raise SpoolFull(
                        f"the disk of {self.path} is full or failing: free some space; nothing is lost"
                    ) from error
                raise

    def _move(self, entry: SpoolEntry, before: tuple[FileState, ...], change: str, values: tuple[Any, ...]) -> None:
        """One transition. `change` is SQL; a row that is in none of the states `before` is a programming error."""
        placeholders = ", ".join("?" for _ in before)
        with self._transaction() as database:
            moved = database.execute(
                f"UPDATE files SET {change} WHERE id = ? AND state IN ({placeholders})", (*values, entry.id, *before)
            ).rowcount
            if moved != 1:
                raise AssertionError(f"file {entry.id} is not {' or '.join(before)}")

    def _resume(self) -> None:
        with self._transaction() as database:
            database.execute("UPDATE files SET state = 'spooled', next_try = 0 WHERE state = 'uploading'")
            database.execute("UPDATE files SET next_try = 0 WHERE state IN ('found', 'waiting')")
            database.execute("UPDATE files SET next_try = 0 WHERE partial IS NOT NULL AND state = 'confirmed'")

    def _check_destination(self, destination: str, same_store: bool) -> None:
        with self._transaction() as database:
            before = database.execute("SELECT value FROM facts WHERE name = 'destination'").fetchone()
            if before is not None and before["value"] != destination and not same_store:
                raise SpoolError(
                    f"{self.path} belongs to {before['value']}, and this is {destination}: give another file with "
                    "--spool, or add --same-store when it is the same store under a new address"
                )
            database.execute("INSERT OR REPLACE INTO facts VALUES ('destination', ?)", (destination,))


_Identity = tuple[str, str, bytes, int, int]
"""Station, camera, path, size, modification time: equal for all editions of a file."""


def _add(database: sqlite3.Connection, identity: _Identity, ctime_ns: int) -> bool:
    """Add or update the row of a file that was found. True where it has to be read."""
    known = database.execute(
        "SELECT id, state, edition, ctime_ns FROM files WHERE station = ? AND camera = ? AND source = ? AND size = ?"
        " AND mtime_ns = ? ORDER BY edition DESC LIMIT 1",
        identity,
    ).fetchone()
    if known is None:
        _insert(database, identity, 0)
        return True
    state = FileState(known["state"])
    if state is FileState.GONE:
        # Under a new id: among the contents of one path, the highest id is the one that was found last.
        database.execute("DELETE FROM files WHERE id = ?", (known["id"],))
        _insert(database, identity, known["edition"])
        return True
    # A file that was not read yet is read as it is then. One that was read is read again even before it is stored: its
    # copy has the earlier content, and no later scan of this run would return the file.
    if state is FileState.FOUND or not ctime_ns or known["ctime_ns"] == ctime_ns:
        return False
    if known["ctime_ns"] is None:
        # A first version of Uncia stored the file without its change time.
        database.execute("UPDATE files SET ctime_ns = ? WHERE id = ?", (ctime_ns, known["id"]))
        return False
    _insert(database, identity, known["edition"] + 1)
    return True


def _insert(database: sqlite3.Connection, identity: _Identity, edition: int) -> None:
    database.execute(
        "INSERT INTO files (station, camera, source, size, mtime_ns, edition, state)"
        " VALUES (?, ?, ?, ?, ?, ?, 'found')",
        (*identity, edition),
    )
