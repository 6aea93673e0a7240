"""What the topics have said so far, in a SQLite file: each comparison reads only what is new, in flat memory.

Two rows per upload: the 12 bytes of its id, when it was announced, when it was answered, and when we announced it
ourselves; where it was stored, and the hash of what was read. A million take some 250 MB on disk. The file also
remembers how far the topics were read, in the same transaction as what was read there, and how far a comparison had
come. Several processes may use it at once.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError

_VERSION = "2"

_EARLIER_VERSIONS = {"1"}
"""Did not know which content was uploaded: the topics are read anew."""

_TABLES = """
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
CREATE TABLE IF NOT EXISTS rounds(name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
"""

_CACHE_KIB = 16 * 1024
_AT_ONCE = 500
"""Ids in one question."""


_LISTING = """
CREATE TEMP TABLE IF NOT EXISTS listed(id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS twins(id BLOB PRIMARY KEY, heir TEXT NOT NULL, etag TEXT NOT NULL) WITHOUT ROWID;
"""
"""Of one comparison: uploads with copies under other cameras that were listed, and those copies."""

_TABLE_NAMES = ("positions", "uploads", "refused", "withdrawn", "places", "latest", "hashes", "rounds")


@dataclass(frozen=True)
class Place:
    """Where an upload was stored, and as what."""

    path: bytes
    """12 bytes of the hash of bucket and key."""
    camera: str
    key: str
    etag: str
    size: int
    uploaded_at: float
    """When the store took it last, by the store's clock, in seconds since the epoch."""


@dataclass(frozen=True)
class Move:
    """An upload whose object is no longer listed, and the key under which the same content is."""

    id: bytes
    place: Place
    heir: str
    heir_etag: str


@dataclass(frozen=True)
class Known:
    """What is known of one upload. Times in seconds since the epoch, 0 for never."""

    announced: float = 0.0
    answered_at: float = 0.0
    by_us: float = 0.0
    withdrawn: float = 0.0
    """It was said last that the object does not hold this content (any more)."""
    replaced: float = 0.0
    """When the store took the content that was announced as the last one of its key, where that is another; else 0."""

    @property
    def answered(self) -> bool:
        """Answered, and not withdrawn since."""
        return self.answered_at > 0 and self.answered_at >= self.withdrawn


@dataclass(frozen=True)
class Fact:
    """One thing that a message told of an upload: when it was announced, answered, refused or withdrawn."""

    id: bytes
    announced: float = 0.0
    answered: float = 0.0
    refused: float = 0.0
    withdrawn: float = 0.0
    place: Place | None = None
    content: bytes = b""
    """The first 12 bytes of the SHA-256 of what was read."""


class Ledger:
    """The file. `identity` names what it is about; a file about something else is begun anew.

    Raises `UnciaError` when the file cannot be used, or a newer version has written it.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-{_CACHE_KIB}")
            self._open(identity)
            self._db.executescript(_LISTING)
        except (OSError, sqlite3.Error) as error:
            raise UnciaError(f"{path} cannot be used ({error}): remove it, and the topics are read anew") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def forget(self) -> None:
        """Begin anew: what was learnt is not what the topics hold any more."""
        with self._writing():
            self._clear()

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read, by topic and partition."""
        return {(topic, part): following for topic, part, following in self._db.execute("SELECT * FROM positions")}

    def learn(self, facts: Iterable[Fact], positions: Mapping[tuple[str, int], int]) -> None:
        """Facts, and how far the topics were read for them: both or neither. Repetition does no harm."""
        with self._writing():
            for fact in facts:
                if fact.refused or fact.withdrawn:
                    table = "refused" if fact.refused else "withdrawn"
                    self._db.execute(
                        f"INSERT INTO {table} VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET at=max(at, excluded.at)",
                        (fact.id, fact.refused or fact.withdrawn),
                    )
                    continue
                self._identify(fact)
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

    def known(self, ids: Sequence[bytes]) -> dict[bytes, Known]:
        """What is known of these uploads; unknown ones are absent."""
        found: dict[bytes, Known] = {}
        for chunk in _chunks(ids):
            rows = self._db.execute(
                "SELECT uploads.*, withdrawn.at, latest.at FROM uploads "
                "LEFT JOIN withdrawn USING(id) LEFT JOIN places USING(id) "
                "LEFT JOIN latest ON latest.path=places.path AND latest.id<>uploads.id "
                f"WHERE uploads.id IN ({_marks(chunk)})",
                chunk,
            )
            found.update((row[0], Known(row[1], row[2], row[3], row[4] or 0.0, row[5] or 0.0)) for row in rows)
        return found

    def refused(self, ids: Sequence[bytes]) -> dict[bytes, float]:
        """When the newest dead letter about these paths or uploads was written."""
        found: dict[bytes, float] = {}
        for chunk in _chunks(ids):
            found.update(self._db.execute(f"SELECT * FROM refused WHERE id IN ({_marks(chunk)})", chunk))
        return found

    def claim(self, ids: Iterable[bytes], now: float, again_after_s: float) -> set[bytes]:
        """Those that we may announce now: nobody has claimed them for so long. Written down before it is done."""
        with self._writing():
            return {one for one in ids if self._claim(one, now, again_after_s)}

    def round_state(self, name: str) -> str | None:
        """Where a comparison that did not end had come to."""
        row = self._db.execute("SELECT state FROM rounds WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else None

    def keep_round(self, name: str, state: str | None) -> None:
        """Remember it; None when it has ended."""
        if state is None:
            self._db.execute("DELETE FROM rounds WHERE name=?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO rounds VALUES(?, ?)", (name, state))

    def begin_listing(self) -> None:
        """Forget what an earlier comparison has listed."""
        self._db.executescript("DELETE FROM listed; DELETE FROM twins")

    def note_listed(self, ids: Sequence[bytes]) -> None:
        """These uploads' objects stand in the bucket. Remembers those whose content other cameras have had, too."""
        for chunk in _chunks(ids):
            twin = (
                "FROM hashes ours JOIN hashes theirs ON theirs.content=ours.content AND theirs.id<>ours.id "
                "JOIN places mine ON mine.id=ours.id JOIN places other ON other.id=theirs.id "
                f"WHERE ours.id IN ({_marks(chunk)}) AND other.camera<>mine.camera"
            )
            self._db.execute(f"INSERT OR IGNORE INTO listed SELECT mine.id {twin}", chunk)
            self._db.execute(f"INSERT OR IGNORE INTO twins SELECT other.id, mine.key, mine.etag {twin}", chunk)

    def moves(self) -> list[Move]:
        """Answered uploads that were not listed, while another camera's of the same content was."""
        rows = self._db.execute(
            "SELECT places.*, twins.heir, twins.etag, uploads.announced, uploads.answered, uploads.by_us, withdrawn.at "
            "FROM twins JOIN places USING(id) JOIN uploads USING(id) LEFT JOIN withdrawn USING(id) "
            "WHERE id NOT IN (SELECT id FROM listed) ORDER BY places.key"
        )
        return [
            Move(row[0], Place(*row[1:7]), row[7], row[8])
            for row in rows
            if Known(row[9], row[10], row[11], row[12] or 0.0).answered
        ]

    def _identify(self, fact: Fact) -> None:
        if fact.content:
            self._db.execute("INSERT OR REPLACE INTO hashes VALUES(?, ?)", (fact.id, fact.content))
        one = fact.place
        if one is not None:
            self._db.execute(
                "INSERT INTO places VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET at=max(at, excluded.at)",
                (fact.id, one.path, one.camera, one.key, one.etag, one.size, one.uploaded_at),
            )
            # By the store's clock; the versions of an object may be announced in another order. Listings tell whole
            # seconds, so an upload with one, which reconcile announced, comes after the others of its second.
            self._db.execute(
                "INSERT INTO latest VALUES(?, ?, ?) ON CONFLICT(path) DO UPDATE SET id=excluded.id, at=excluded.at "
                "WHERE excluded.at>=at "
                "OR (excluded.at=CAST(excluded.at AS INTEGER) AND excluded.at>=CAST(at AS INTEGER))",
                (one.path, fact.id, one.uploaded_at),
            )

    def _claim(self, one: bytes, now: float, again_after_s: float) -> bool:
        changed = self._db.execute(
            "INSERT INTO uploads VALUES(?, 0, 0, ?) ON CONFLICT(id) DO UPDATE SET by_us=excluded.by_us "
            "WHERE by_us<=? OR by_us>?",
            (one, now, now - again_after_s, now),
        )
        return changed.rowcount == 1

    def _open(self, identity: str) -> None:
        with self._writing():
            for statement in _TABLES.strip().split(";"):
                self._db.execute(statement)
            found = dict(self._db.execute("SELECT name, value FROM meta"))
            earlier = found.get("version") in _EARLIER_VERSIONS
            if not earlier and found.get("version", _VERSION) != _VERSION:
                raise UnciaError(
                    f"{self.path} was written by a newer version of Uncia and is left as it is: upgrade this one, "
                    "or remove the file, and the topics are read anew"
                )
            if earlier or found.get("identity", identity) != identity:
                self._clear()
            told = {"version": _VERSION, "identity": identity}
            if told != found:
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", told.items())

    def _clear(self) -> None:
        for table in _TABLE_NAMES:
            self._db.execute(f"DELETE FROM {table}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(ids), _AT_ONCE):
        yield ids[at : at + _AT_ONCE]


def _marks(ids: Sequence[bytes]) -> str:
    return ",".join("?" * len(ids))
