"""Thumbnails and requests in the spool's file."""

import sqlite3
from dataclasses import dataclass

from uncia.fetch_requests import FetchLine, fetch_id
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_entry import FileState, SpoolEntry
from uncia.producers.gateway.thin.plan import Urgency


@dataclass(frozen=True)
class Thumbnail:
    """What is known of a photograph's thumbnail."""

    file: int
    key: str
    fetch_id: str
    size: int | None
    """None, as `sha256` and `md5`: none was made of the present content yet."""
    sha256: str | None
    md5: str | None
    urgency: Urgency
    held_since: float | None


@dataclass(frozen=True)
class Waiting:
    """A file of which something is to be sent."""

    file: int
    urgency: Urgency
    bytes: int


class ThinRecords:
    """Transitions of files behind a thin link. Each is one transaction; any may raise `SpoolFull`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    # Thumbnails.

    def next_to_prepare(self) -> SpoolEntry | None:
        """A file that was read, and of which it is not decided yet what is sent first."""
        rows = self._spool.rows(
            "SELECT files.id AS id FROM files LEFT JOIN thumbnails ON file = files.id"
            " WHERE files.state IN ('spooled', 'waiting') AND files.sha256 IS NOT NULL"
            " AND (file IS NULL OR (urgency = 0 AND thumbnails.sha256 IS NULL))"
            " ORDER BY files.id LIMIT 1"
        )
        return self._spool.entry(rows[0]["id"]) if rows else None

    def thumbnail(self, file: int) -> Thumbnail | None:
        """What is known of a file's thumbnail."""
        rows = self._spool.rows("SELECT * FROM thumbnails WHERE file = ?", (file,))
        return Thumbnail(**{**dict(rows[0]), "urgency": Urgency(rows[0]["urgency"])}) if rows else None

    def add_thumbnail(self, file: int, key: str, *, size: int, sha256: str, md5: str) -> None:
        """A thumbnail was made; it is sent first."""
        self._put(file, key, (size, sha256, md5), Urgency.THUMBNAIL)

    def add_whole(self, file: int, key: str) -> None:
        """The file is sent whole, without a thumbnail."""
        self._put(file, key, (None, None, None), Urgency.WHOLE)

    def pass_on(self, earlier: SpoolEntry, entry: SpoolEntry) -> None:
        """A later content of the same photograph is stored under the earlier thumbnail's key, and inherits requests."""
        with self._spool.transaction() as database:
            database.execute(
                "UPDATE OR REPLACE thumbnails SET file = ?, size = NULL, sha256 = NULL, md5 = NULL, held_since = NULL,"
                " urgency = CASE urgency WHEN 3 THEN 0 ELSE urgency END WHERE file = ?",
                (entry.id, earlier.id),
            )

    def prepare_again(self, most_thumbnail: int, most_photograph: int) -> None:
        """Decide again what is sent first of files of which it has too many bytes: the budget may have changed."""
        with self._spool.transaction() as database:
            database.execute(
                "UPDATE thumbnails SET size = NULL, sha256 = NULL, md5 = NULL, urgency = 0 WHERE file IN"
                " (SELECT id FROM files WHERE files.state IN ('spooled', 'waiting') AND files.sha256 IS NOT NULL"
                " AND ((urgency = 0 AND thumbnails.size > ?) OR (urgency = 3 AND files.size > ?)))",
                (most_thumbnail, most_photograph),
            )

    def _put(self, file: int, key: str, content: tuple[int | None, str | None, str | None], urgency: Urgency) -> None:
        with self._spool.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO thumbnails (file, key, fetch_id, size, sha256, md5, urgency)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (file, key, fetch_id(key), *content, int(urgency)),
            )

    # Uploads.

    def waiting(self, now: float) -> list[Waiting]:
        """All that may be sent now."""
        rows = self._spool.rows(
            "SELECT files.id, urgency, CASE urgency WHEN 0 THEN thumbnails.size ELSE files.size END AS bytes"
            " FROM files JOIN thumbnails ON file = files.id WHERE files.state IN ('spooled', 'waiting')"
            " AND files.sha256 IS NOT NULL AND next_try <= ? AND (urgency != 0 OR thumbnails.sha256 IS NOT NULL)",
            (now,),
        )
        return [Waiting(row["id"], Urgency(row["urgency"]), row["bytes"]) for row in rows]

    def claim(self, file: int) -> tuple[SpoolEntry, SpoolEntry | None]:
        """The file becomes `uploading`; or `duplicate` of another one with its content, that is stored or held."""
        with self._spool.transaction() as database:
            twin = database.execute(
                "SELECT other.id FROM files AS mine JOIN files AS other ON other.sha256 = mine.sha256"
                " AND other.station = mine.station AND other.camera = mine.camera AND other.id != mine.id"
                " JOIN thumbnails ON thumbnails.file = mine.id"
                " WHERE mine.id = ? AND mine.partial IS NULL AND mine.replaces IS NULL AND other.partial IS NULL"
                # What is held may stand for a thumbnail alone: a whole photograph that is to be sent would wait for it.
                " AND (other.state = 'confirmed' OR (urgency = 0 AND other.state = 'held' AND other.copy IS NOT NULL))"
                " ORDER BY other.state LIMIT 1",
                (file,),
            ).fetchone()
            if twin is not None:
                change = "state = 'duplicate', duplicate_of = ?, last_error = NULL"
                values: tuple[int, ...] = (twin["id"], file)
            else:
                change, values = "state = 'uploading', attempts = attempts + 1", (file,)
            _move(database, file, ("spooled", "waiting"), change, values)
        return self._spool.entry(file), self._spool.entry(twin["id"]) if twin is not None else None

    def mark_held(self, entry: SpoolEntry, now: float) -> None:
        """The store has the thumbnail."""
        with self._spool.transaction() as database:
            _move(
                database,
                entry.id,
                ("uploading",),
                "state = 'held', attempts = 0, next_try = 0, last_error = NULL",
                (entry.id,),
            )
            database.execute("UPDATE thumbnails SET held_since = ? WHERE file = ?", (now, entry.id))
            # A file that was found again, or changed, after it was requested.
            database.execute(
                "UPDATE fetch_requests SET answer = NULL"
                " WHERE answer != 'sent' AND id = (SELECT fetch_id FROM thumbnails WHERE file = ?)",
                (entry.id,),
            )

    def drop_thumbnail(self, entry: SpoolEntry) -> None:
        """The thumbnail is to be made again."""
        with self._spool.transaction() as database:
            _move(database, entry.id, ("uploading",), "state = 'spooled'", (entry.id,))
            database.execute("UPDATE thumbnails SET size = NULL, sha256 = NULL, md5 = NULL WHERE file = ?", (entry.id,))

    def next_expired(self, before: float) -> SpoolEntry | None:
        """A file that is held since a time before this one."""
        rows = self._spool.rows(
            "SELECT files.id FROM files JOIN thumbnails ON file = files.id WHERE files.state = 'held'"
            " AND held_since < ? ORDER BY files.id LIMIT 1",
            (before,),
        )
        return self._spool.entry(rows[0]["id"]) if rows else None

    def hold_anew(self, first: float, last: float, now: float) -> None:
        """What is held since a time from `first` to `last` is held since `now`."""
        with self._spool.transaction() as database:
            database.execute(
                "UPDATE thumbnails SET held_since = ? WHERE held_since BETWEEN ? AND ?", (now, first, last)
            )

    def mark_expired(self, entry: SpoolEntry) -> None:
        """The file is not kept any longer, nor are those that repeat it."""
        with self._spool.transaction() as database:
            _move(database, entry.id, ("held",), "state = 'expired'", (entry.id,))
            database.execute(
                "UPDATE files SET state = 'expired' WHERE duplicate_of = ? AND state = 'duplicate'", (entry.id,)
            )

    # Requests.

    def add_requests(self, lines: tuple[FetchLine, ...], etag: str) -> None:
        """What a list names; those that were answered stay answered."""
        with self._spool.transaction() as database:
            database.executemany(
                "INSERT INTO fetch_requests VALUES (?, ?, NULL) ON CONFLICT (id) DO UPDATE SET by_person = 1,"
                " answer = CASE WHEN by_person THEN answer END WHERE excluded.by_person AND NOT by_person",
                [(line.id, int(line.by_person)) for line in lines],
            )
            database.execute("INSERT OR REPLACE INTO facts VALUES ('fetch-list', ?)", (etag,))

    def list_etag(self) -> str:
        """The ETag of the list of requests as it was read last; empty for none."""
        rows = self._spool.rows("SELECT value FROM facts WHERE name = 'fetch-list'")
        return str(rows[0]["value"]) if rows else ""

    def unanswered(self) -> list[FetchLine]:
        """Requests that were not answered yet."""
        rows = self._spool.rows("SELECT id, by_person FROM fetch_requests WHERE answer IS NULL ORDER BY rowid")
        return [FetchLine(row["id"], bool(row["by_person"])) for row in rows]

    def requested(self, request: FetchLine) -> tuple[SpoolEntry, Thumbnail] | None:
        """The file that a request means, the newest of several contents; None for an unknown one."""
        rows = self._spool.rows(
            "SELECT file FROM thumbnails JOIN files ON files.id = file WHERE fetch_id = ? ORDER BY file DESC LIMIT 1",
            (request.id,),
        )
        if not rows:
            return None
        thumbnail = self.thumbnail(rows[0]["file"])
        assert thumbnail is not None
        return self._spool.entry(thumbnail.file), thumbnail

    def answer(self, request: FetchLine, answer: str, entry: SpoolEntry | None = None) -> None:
        """Store the answer; with a held or waiting `entry`, its whole file is to be sent from now on."""
        with self._spool.transaction() as database:
            if entry is not None:
                urgency = Urgency.PERSON if request.by_person else Urgency.RULE
                states = (FileState.HELD.value, FileState.SPOOLED.value, FileState.WAITING.value)
                _move(database, entry.id, states, "state = 'spooled', next_try = 0", (entry.id,))
                database.execute("UPDATE thumbnails SET urgency = ? WHERE file = ?", (int(urgency), entry.id))
            database.execute("UPDATE fetch_requests SET answer = ? WHERE id = ?", (answer, request.id))


def _move(
    database: sqlite3.Connection, file: int, before: tuple[str, ...], change: str, values: tuple[int, ...]
) -> None:
    """One transition; a row that is in none of the states `before` is a programming error."""
    states = ", ".join(f"'{state}'" for state in before)
    moved = database.execute(f"UPDATE files SET {change} WHERE id = ? AND state IN ({states})", values).rowcount
    if moved != 1:
        raise AssertionError(f"file {file} is not {' or '.join(before)}")
