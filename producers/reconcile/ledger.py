"""Facts from the topics in a SQLite file, so that a comparison reads only new messages and uses constant memory.

An upload has two rows. One contains 12 bytes of its id and the times at which it was announced, predicted, and
announced by reconcile; the other contains its path and the hash of its content. A million uploads take some 250 MB on
disk. The file also holds the offsets up to which the topics were read, in the same transaction as the facts read there,
and the progress of a comparison. Several processes may use it at once.

SQL by hand, without an ORM: one comparison writes up to a million rows, and the statements with their conflict rules
are the logic.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError

_VERSION = "2"

_EARLIER_VERSIONS = {"1"}
"""Versions of the file without the content of uploads; they are cleared and the topics are read again."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions(topic TEXT, part INTEGER, next INTEGER, PRIMARY KEY(topic, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads(
    id BLOB PRIMARY KEY, announced REAL NOT NULL, answered INTEGER NOT NULL, by_us REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused(id BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawn(id BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places(
    id BLOB PRIMARY KEY, path BLOB NOT NULL, camera TEXT NOT NULL, key TEXT NOT NULL,
    etag TEXT NOT NULL, size INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest(path BLOB PRIMARY KEY, id BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hashes(id BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hashes_content ON hashes(content);
CREATE TABLE IF NOT EXISTS removed(id BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rounds(name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
"""

_CACHE_KIB = 16 * 1024
_IDS_PER_QUERY = 500
"""Maximum number of ids in one query."""


_TEMP_SCHEMA = """
CREATE TEMP TABLE IF NOT EXISTS listed(id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS twins(id BLOB PRIMARY KEY, heir TEXT NOT NULL, etag TEXT NOT NULL) WITHOUT ROWID;
"""
"""Tables of one comparison: all listed uploads, and uploads of other cameras with the content of a listed one."""

_TABLE_NAMES = ("positions", "uploads", "refused", "withdrawn", "places", "latest", "hashes", "rounds")
"""What comes from the topics. `removed` is what a person decided, and is kept."""


@dataclass(frozen=True)
class UploadLocation:
    """Where an upload was stored, and its properties."""

    path: bytes
    """12 bytes of the hash of bucket and key."""
    camera: str
    key: str
    etag: str
    size: int
    uploaded_at: float
    """When it was stored last, by the store's clock, in seconds since the epoch."""


@dataclass(frozen=True)
class MovedUpload:
    """An upload whose object is no longer listed, and the key under which the same content is stored."""

    id: bytes
    location: UploadLocation
    new_key: str
    new_etag: str


@dataclass(frozen=True)
class VanishedUpload:
    """A predicted upload whose content was not listed under any key."""

    id: bytes
    location: UploadLocation


@dataclass(frozen=True)
class UploadRecord:
    """The record of one upload. Times are in seconds since the epoch, 0 for never."""

    announced: float = 0.0
    answered_at: float = 0.0
    by_us: float = 0.0
    withdrawn: float = 0.0
    """When the newest rejection reported that the object does not hold this content (any more)."""
    replaced: float = 0.0
    """When the newest announced content of the key was stored, if it differs from this content; else 0."""

    @property
    def answered(self) -> bool:
        """True when it has a prediction that was not withdrawn later."""
        return self.answered_at > 0 and self.answered_at >= self.withdrawn


@dataclass(frozen=True)
class UploadFact:
    """What one message states about an upload: when it was announced, predicted, refused or withdrawn."""

    id: bytes
    announced: float = 0.0
    answered: float = 0.0
    refused: float = 0.0
    withdrawn: float = 0.0
    location: UploadLocation | None = None
    content: bytes = b""
    """The first 12 bytes of the SHA-256 of its content."""


class Ledger:
    """The SQLite file. `identity` names its topics; a file with facts from other topics is cleared.

    Raises `UnciaError` when the file is unusable or was written by a newer version.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-{_CACHE_KIB}")
            self._open(identity)
            self._db.executescript(_TEMP_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UnciaError(f"{path} cannot be used ({error}): remove it, and the topics are read again") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def clear(self) -> None:
        """Remove all facts and offsets: they are not those of the topics any more."""
        with self._transaction():
            self._clear()

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read, by topic and partition."""
        return {(topic, part): following for topic, part, following in self._db.execute("SELECT * FROM positions")}

    def apply(self, facts: Iterable[UploadFact], positions: Mapping[tuple[str, int], int]) -> None:
        """Store facts and the offsets up to which they were read, in one transaction. Idempotent."""
        with self._transaction():
            for fact in facts:
                if fact.refused or fact.withdrawn:
                    table = "refused" if fact.refused else "withdrawn"
                    self._db.execute(
                        f"INSERT INTO {table} VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET at=max(at, excluded.at)",
                        (fact.id, fact.refused or fact.withdrawn),
                    )
                    continue
                self._add_identity(fact)
                self._db.execute(
                    "INSERT INTO uploads VALUES(?, ?, ?, 0) ON CONFLICT(id) DO UPDATE SET "
                    "announced=max(announced, excluded.announced), answered=max(answered, excluded.answered)",
                    (fact.id, fact.announced, fact.answered),
                )
            self._db.executemany(
                "INSERT INTO positions VALUES(?, ?, ?) "
                "ON CONFLICT(topic, part) DO UPDATE SET next=max(next, excluded.next)",
                [(topic, part, following) for (topic, part), following in positions.items()],
            )

    def records(self, ids: Sequence[bytes]) -> dict[bytes, UploadRecord]:
        """The records of these uploads; unknown ones are absent."""
        found: dict[bytes, UploadRecord] = {}
        for chunk in _chunks(ids):
            rows = self._db.execute(
                "SELECT uploads.*, withdrawn.at, latest.at FROM uploads "
                "LEFT JOIN withdrawn USING(id) LEFT JOIN places USING(id) "
                "LEFT JOIN latest ON latest.path=places.path AND latest.id<>uploads.id "
                f"WHERE uploads.id IN ({_marks(chunk)})",
                chunk,
            )
            found.update((row[0], UploadRecord(row[1], row[2], row[3], row[4] or 0.0, row[5] or 0.0)) for row in rows)
        return found

    def refused(self, ids: Sequence[bytes]) -> dict[bytes, float]:
        """When the newest dead letter about each of these paths or uploads was written."""
        found: dict[bytes, float] = {}
        for chunk in _chunks(ids):
            found.update(self._db.execute(f"SELECT * FROM refused WHERE id IN ({_marks(chunk)})", chunk))
        return found

    def claim(self, ids: Iterable[bytes], now: float, again_after_s: float) -> set[bytes]:
        """Claim these uploads for announcement. Returns those that no process has claimed for `again_after_s` seconds.

        The claims are stored before the caller announces anything.
        """
        with self._transaction():
            return {one for one in ids if self._claim(one, now, again_after_s)}

    def round_state(self, name: str) -> str | None:
        """The stored progress of an interrupted comparison."""
        row = self._db.execute("SELECT state FROM rounds WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else None

    def save_round(self, name: str, state: str | None) -> None:
        """Store the progress of a comparison; None once it is complete."""
        if state is None:
            self._db.execute("DELETE FROM rounds WHERE name=?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO rounds VALUES(?, ?)", (name, state))

    def begin_listing(self) -> None:
        """Clear the listing of an earlier comparison."""
        self._db.executescript("DELETE FROM listed; DELETE FROM twins")

    def add_listed(self, ids: Sequence[bytes]) -> None:
        """Add uploads whose objects are in the bucket."""
        self._db.executemany("INSERT OR IGNORE INTO listed VALUES(?)", [(one,) for one in ids])
        for chunk in _chunks(ids):
            self._db.execute(
                "INSERT OR IGNORE INTO twins SELECT other.id, mine.key, mine.etag "
                "FROM hashes listed_hash JOIN hashes other_hash "
                "ON other_hash.content=listed_hash.content AND other_hash.id<>listed_hash.id "
                "JOIN places mine ON mine.id=listed_hash.id JOIN places other ON other.id=other_hash.id "
                f"WHERE listed_hash.id IN ({_marks(chunk)}) AND other.camera<>mine.camera",
                chunk,
            )

    def moves(self) -> list[MovedUpload]:
        """Predicted uploads that were not listed, while an upload of another camera with the same content was."""
        rows = self._db.execute(
            "SELECT places.*, twins.heir, twins.etag, uploads.announced, uploads.answered, uploads.by_us, withdrawn.at "
            "FROM twins JOIN places USING(id) JOIN uploads USING(id) LEFT JOIN withdrawn USING(id) "
            "WHERE id NOT IN (SELECT id FROM listed) ORDER BY places.key"
        )
        return [
            MovedUpload(row[0], UploadLocation(*row[1:7]), row[7], row[8])
            for row in rows
            if UploadRecord(row[9], row[10], row[11], row[12] or 0.0).answered
        ]

    def vanished(self) -> Iterator[VanishedUpload]:
        """Predicted uploads that were not listed, and whose content was not listed under another key either.

        Each is the newest upload under its key. Those that `accept_removal` names are left out until they are uploaded
        again. Call it after a listing of the whole bucket only.
        """
        rows = self._db.execute(
            "SELECT places.*, uploads.announced, uploads.answered, uploads.by_us, withdrawn.at "
            "FROM places JOIN latest ON latest.path=places.path AND latest.id=places.id "
            "JOIN uploads ON uploads.id=places.id LEFT JOIN withdrawn ON withdrawn.id=places.id "
            "LEFT JOIN removed ON removed.id=places.id "
            "WHERE NOT EXISTS (SELECT 1 FROM listed WHERE listed.id=places.id) "
            "AND (removed.at IS NULL OR removed.at<places.at) "
            "AND NOT EXISTS (SELECT 1 FROM hashes mine JOIN hashes same ON same.content=mine.content "
            "JOIN listed ON listed.id=same.id WHERE mine.id=places.id) ORDER BY places.key"
        )
        for row in rows.fetchall():
            if UploadRecord(row[7], row[8], row[9], row[10] or 0.0).answered:
                yield VanishedUpload(row[0], UploadLocation(*row[1:7]))

    def copies(self, upload: bytes) -> list[tuple[str, str]]:
        """Key and ETag of the other uploads with the same content."""
        return self._db.execute(
            "SELECT places.key, places.etag FROM hashes mine JOIN hashes same "
            "ON same.content=mine.content AND same.id<>mine.id JOIN places ON places.id=same.id WHERE mine.id=?",
            (upload,),
        ).fetchall()

    def accept_removal(self, uploads: Iterable[VanishedUpload]) -> None:
        """Record that these were removed on purpose."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO removed VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET at=max(at, excluded.at)",
                [(one.id, one.location.uploaded_at) for one in uploads],
            )

    def _add_identity(self, fact: UploadFact) -> None:
        if fact.content:
            self._db.execute("INSERT OR REPLACE INTO hashes VALUES(?, ?)", (fact.id, fact.content))
        location = fact.location
        if location is not None:
            self._db.execute(
                "INSERT INTO places VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET at=max(at, excluded.at)",
                (
                    fact.id,
                    location.path,
                    location.camera,
                    location.key,
                    location.etag,
                    location.size,
                    location.uploaded_at,
                ),
            )
            # By the store's clock; the versions of an object may be announced in another order. Listings have whole
            # seconds: an upload with such a time, which reconcile announced, comes after the others of that second.
            self._db.execute(
                "INSERT INTO latest VALUES(?, ?, ?) ON CONFLICT(path) DO UPDATE SET id=excluded.id, at=excluded.at "
                "WHERE excluded.at>=at "
                "OR (excluded.at=CAST(excluded.at AS INTEGER) AND excluded.at>=CAST(at AS INTEGER))",
                (location.path, fact.id, location.uploaded_at),
            )

    def _claim(self, one: bytes, now: float, again_after_s: float) -> bool:
        changed = self._db.execute(
            "INSERT INTO uploads VALUES(?, 0, 0, ?) ON CONFLICT(id) DO UPDATE SET by_us=excluded.by_us "
            "WHERE by_us<=? OR by_us>?",
            (one, now, now - again_after_s, now),
        )
        return changed.rowcount == 1

    def _open(self, identity: str) -> None:
        with self._transaction():
            for statement in _SCHEMA.strip().split(";"):
                self._db.execute(statement)
            found = dict(self._db.execute("SELECT name, value FROM meta"))
            earlier = found.get("version") in _EARLIER_VERSIONS
            if not earlier and found.get("version", _VERSION) != _VERSION:
                raise UnciaError(
                    f"{self.path} was written by a newer version of Uncia and was not changed: upgrade this one, "
                    "or remove the file, and the topics are read again"
                )
            if earlier or found.get("identity", identity) != identity:
                self._clear()
            expected = {"version": _VERSION, "identity": identity}
            if expected != found:
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", expected.items())

    def _clear(self) -> None:
        for table in _TABLE_NAMES:
            self._db.execute(f"DELETE FROM {table}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(ids), _IDS_PER_QUERY):
        yield ids[at : at + _IDS_PER_QUERY]


def _marks(ids: Sequence[bytes]) -> str:
    return ",".join("?" * len(ids))
