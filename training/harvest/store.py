"""The state of a harvest: its plan, its queries with their cursors, and every picture with its provenance.

One SQLite file in the harvest's folder. A page of results and the cursor of the next page are written together, so that
a run that was killed continues where it was, and asks for nothing twice.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from uncia.events.values import Box
from uncia.storage.sqlite_file import DatabaseNotUsable, NotUsable, SqliteKind
from uncia.training.harvest import HarvestError
from uncia.training.harvest.licence import Licence
from uncia.training.harvest.query import HarvestPlan, Query, QueryKind
from uncia.training.harvest.record import PictureRecord

__all__ = ["HarvestStore", "OpenQuery", "StoredPicture", "WantedPicture", "harvest_file"]

APPLICATION_ID = 0x556E4876
"""`UnHv`"""

_SCHEMA = """
CREATE TABLE plan (content TEXT NOT NULL);
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, source TEXT NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL, wanted INTEGER NOT NULL,
    taxon TEXT NOT NULL, gbif_key INTEGER,
    cursor TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0, problem TEXT NOT NULL DEFAULT ''
);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY,
    query INTEGER NOT NULL REFERENCES queries (id),
    kind TEXT NOT NULL, label TEXT NOT NULL, target TEXT NOT NULL,
    source TEXT NOT NULL, source_id TEXT NOT NULL, url TEXT NOT NULL, page_url TEXT NOT NULL, author TEXT NOT NULL,
    licence_text TEXT NOT NULL, licence_code TEXT NOT NULL, licence_version TEXT NOT NULL,
    taken TEXT NOT NULL, title TEXT NOT NULL, taxon TEXT NOT NULL, burst TEXT NOT NULL, camera TEXT NOT NULL, box TEXT,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, sha256 TEXT, file TEXT, bytes INTEGER, retrieved TEXT,
    weight REAL NOT NULL DEFAULT 1, doubt TEXT NOT NULL DEFAULT '',
    UNIQUE (source, source_id)
);
CREATE INDEX pictures_by_state ON pictures (state);
CREATE INDEX pictures_by_url ON pictures (url);
CREATE INDEX pictures_by_content ON pictures (sha256);
CREATE TABLE requests (source TEXT NOT NULL, day TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (source, day));
"""
_WORKERS = """
ALTER TABLE pictures ADD COLUMN request TEXT;
CREATE TABLE harvest_id (id TEXT NOT NULL);
CREATE TABLE outcome_offsets (topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition));
"""
"""Downloads by workers: the request that a picture waits for, and how far their outcomes were read."""
_KIND = SqliteKind(APPLICATION_ID, 2, {0: _SCHEMA + _WORKERS, 1: _WORKERS})

_COUNTED = "('planned', 'stored')"


def harvest_file(folder: Path) -> Path:
    """The state file of a harvest."""
    return folder / "harvest.sqlite"


@dataclass(frozen=True)
class OpenQuery:
    """A query that is not finished."""

    id: int
    query: Query
    cursor: str


@dataclass(frozen=True)
class WantedPicture:
    """A picture that was found, accepted and not fetched yet."""

    id: int
    source: str
    url: str


@dataclass(frozen=True)
class StoredPicture:
    """A picture whose file is in the folder."""

    id: int
    kind: QueryKind
    label: str
    target: str
    """The taxon that it was searched for; empty for negatives."""
    record: PictureRecord
    file: Path
    """Relative to the folder."""
    sha256: str
    size: int
    retrieved: str
    weight: float
    doubt: str


class HarvestStore:
    """The state file. Safe from any thread; one process at a time writes (see `harvest_lock`)."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises `HarvestError` where there is no harvest, or the file is not usable."""
        if not create and not path.is_file():
            raise HarvestError(f"{path.parent} has no harvest: make one with `uncia harvest plan {path.parent}`")
        try:
            self._database = _KIND.open(path)
        except DatabaseNotUsable as error:
            causes = {
                NotUsable.OF_ANOTHER_PROGRAM: "it was written by another program",
                NotUsable.NEWER: "a newer version of Uncia wrote it",
            }
            cause = causes.get(error.reason, str(error.detail))
            raise HarvestError(f"{path} cannot be used ({cause}): name another folder") from error
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                # SQLite has ended the transaction itself where the disk is full.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    problem = f"the harvest's state cannot be written ({error}): free some space and run it again"
                    raise HarvestError(problem) from error
                raise

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    # The plan

    def write_plan(self, plan: HarvestPlan, queries: Sequence[Query]) -> None:
        """Write the plan and its queries. Raises `HarvestError` where there is a plan already."""
        with self._transaction() as database:
            if database.execute("SELECT 1 FROM plan").fetchone():
                raise HarvestError(
                    "the folder has a plan already: continue it with `uncia harvest run`, or name another"
                )
            database.execute("INSERT INTO plan VALUES (?)", [json.dumps(asdict(plan))])
            database.executemany(
                "INSERT INTO queries (kind, source, label, text, wanted, taxon, gbif_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(one.kind, one.source, one.label, one.text, one.wanted, one.taxon, one.gbif_key) for one in queries],
            )

    def plan(self) -> HarvestPlan:
        """The plan. Raises `HarvestError` where planning was interrupted."""
        rows = self._rows("SELECT content FROM plan")
        if not rows:
            raise HarvestError("the folder has no plan: make it with `uncia harvest plan`")
        return TypeAdapter(HarvestPlan).validate_json(rows[0]["content"])

    # Searching

    def open_queries(self) -> list[OpenQuery]:
        """The queries that are not finished, in the order of the plan."""
        return [
            OpenQuery(row["id"], _query_of(row), row["cursor"])
            for row in self._rows("SELECT * FROM queries WHERE NOT done ORDER BY id")
        ]

    def found(self, query: Query, query_id: int) -> int:
        """Pictures that were accepted and have not failed: of this source, label and kind; of a word, for the word."""
        if query.kind is QueryKind.RANDOM:
            rows = self._rows(f"SELECT count(*) FROM pictures WHERE query = ? AND state IN {_COUNTED}", [query_id])
        else:
            rows = self._rows(
                f"SELECT count(*) FROM pictures WHERE source = ? AND label = ? AND kind = ? AND state IN {_COUNTED}",
                [query.source, query.label, query.kind],
            )
        return int(rows[0][0])

    def add_page(
        self, query_id: int, records: Sequence[tuple[PictureRecord, str | None]], next_cursor: str | None, wanted: int
    ) -> None:
        """Add the records of a page, each with the reason why it is refused, and the next cursor, at once.

        At most `wanted` records are accepted. A record that the harvest has already is left out; one whose file is at
        the address of another one is refused with `same-address`.
        """
        with self._transaction() as database:
            query = _query_of(database.execute("SELECT * FROM queries WHERE id = ?", [query_id]).fetchone())
            for record, reason in records:
                if database.execute(
                    "SELECT 1 FROM pictures WHERE source = ? AND source_id = ?", [record.source, record.source_id]
                ).fetchone():
                    continue
                if (
                    reason is None
                    and database.execute(
                        f"SELECT 1 FROM pictures WHERE url = ? AND state IN {_COUNTED} AND source != 'local'",
                        [record.url],
                    ).fetchone()
                ):
                    reason = "same-address"
                if reason is None:
                    if wanted <= 0:
                        continue
                    wanted -= 1
                self._insert(database, query_id, query, record, reason)
            database.execute(
                "UPDATE queries SET cursor = coalesce(?, cursor), done = ?, problem = '' WHERE id = ?",
                [next_cursor, next_cursor is None, query_id],
            )

    def _insert(
        self, database: sqlite3.Connection, query_id: int, query: Query, record: PictureRecord, reason: str | None
    ) -> None:
        licence = record.licence
        database.execute(
            "INSERT INTO pictures (query, kind, label, target, source, source_id, url, page_url, author, licence_text,"
            " licence_code, licence_version, taken, title, taxon, burst, camera, box, state, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(query_id, query.kind, query.label, query.taxon, record.source, record.source_id, record.url),
                *(record.page_url, record.author, record.licence_text),
                *((licence.code, licence.version) if licence else ("", "")),
                *(record.taken, record.title, record.taxon, record.burst, record.camera),
                json.dumps(record.box) if record.box else None,
                "planned" if reason is None else "refused",
                reason or "",
            ],
        )

    def finish_query(self, query_id: int) -> None:
        """The query has found enough."""
        with self._transaction() as database:
            database.execute("UPDATE queries SET done = 1, problem = '' WHERE id = ?", [query_id])

    def note_problem(self, query_id: int, problem: str) -> None:
        """Why a query could not continue in this run."""
        with self._transaction() as database:
            database.execute("UPDATE queries SET problem = ? WHERE id = ?", [problem, query_id])

    def count_request(self, source: str, day: str) -> int:
        """Count a request to a source's API, and return how many there were on that day."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO requests VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", [source, day]
            )
            row = database.execute("SELECT count FROM requests WHERE source = ? AND day = ?", [source, day]).fetchone()
            return int(row[0])

    # Fetching

    def wanted_pictures(self) -> list[WantedPicture]:
        """The pictures to fetch, in the order in which they were found."""
        return [
            WantedPicture(row["id"], row["source"], row["url"])
            for row in self._rows("SELECT id, source, url FROM pictures WHERE state = 'planned' ORDER BY id")
        ]

    def mark_stored(self, picture: int, file: Path, sha256: str, size: int, retrieved: str) -> bool:
        """A picture is in the folder. False: an earlier one has the same bytes, and this one is left out.

        Of pictures with the same bytes the one that was found first stays, whichever was fetched first.
        """
        with self._transaction() as database:
            same = database.execute(
                "SELECT id FROM pictures WHERE sha256 = ? AND state = 'stored' AND id != ?", [sha256, picture]
            ).fetchone()
            earlier = same is not None and same["id"] < picture
            if same is not None:
                later, first = (picture, same["id"]) if earlier else (same["id"], picture)
                database.execute(
                    "UPDATE pictures SET state = 'duplicate', reason = 'same-bytes', detail = ?, request = NULL"
                    " WHERE id = ?",
                    [f"of {first}", later],
                )
            if not earlier:
                database.execute(
                    "UPDATE pictures SET state = 'stored', reason = '', detail = '' WHERE id = ?", [picture]
                )
            database.execute(
                "UPDATE pictures SET sha256 = ?, file = ?, bytes = ?, retrieved = ?, request = NULL WHERE id = ?",
                [sha256, file.as_posix(), size, retrieved, picture],
            )
        return not earlier

    def mark(self, picture: int, state: str, reason: str, detail: str = "") -> None:
        """Leave a picture out: state `failed`, `refused` or `duplicate`, with a reason."""
        with self._transaction() as database:
            database.execute(
                "UPDATE pictures SET state = ?, reason = ?, detail = ?, request = NULL WHERE id = ?",
                [state, reason, detail[:500], picture],
            )

    def count_attempt(self, picture: int) -> int:
        """Count a run in which a picture could not be fetched, and return how many there were."""
        with self._transaction() as database:
            database.execute("UPDATE pictures SET attempts = attempts + 1, request = NULL WHERE id = ?", [picture])
            row = database.execute("SELECT attempts FROM pictures WHERE id = ?", [picture]).fetchone()
            return int(row[0])

    # Fetching by workers

    def harvest_id(self) -> str:
        """The id that requests of this harvest have: 32 hexadecimal digits, drawn once."""
        with self._transaction() as database:
            if (row := database.execute("SELECT id FROM harvest_id").fetchone()) is None:
                database.execute("INSERT INTO harvest_id VALUES (?)", [uuid.uuid4().hex])
                row = database.execute("SELECT id FROM harvest_id").fetchone()
            return str(row["id"])

    def open_requests(self, pictures: Iterable[int]) -> dict[int, str]:
        """The id of the request that each of these pictures waits for; one that waits for none gets a new one."""
        with self._transaction() as database:
            found = {}
            for picture in pictures:
                row = database.execute("SELECT request FROM pictures WHERE id = ?", [picture]).fetchone()
                found[picture] = row["request"] or uuid.uuid4().hex
                database.execute("UPDATE pictures SET request = ? WHERE id = ?", [found[picture], picture])
            return found

    def close_request(self, picture: int) -> None:
        """The picture waits for no request any longer; the next run makes another one."""
        with self._transaction() as database:
            database.execute("UPDATE pictures SET request = NULL WHERE id = ?", [picture])

    def outcome_offsets(self) -> dict[tuple[str, int], int]:
        """The next offset to read, by topic and partition; empty before the first run with workers."""
        return {
            (row["topic"], row["partition"]): row["next"]
            for row in self._rows("SELECT topic, partition, next FROM outcome_offsets")
        }

    def write_outcome_offsets(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Everything before these offsets was processed."""
        with self._transaction() as database:
            database.executemany(
                "INSERT INTO outcome_offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                [(*place, offset) for place, offset in offsets.items()],
            )

    def stored_pictures(self) -> list[StoredPicture]:
        """The pictures of the dataset, in the order in which they were found: positives first."""
        return [_stored(row) for row in self._rows("SELECT * FROM pictures WHERE state = 'stored' ORDER BY id")]

    def write_weights(self, weights: Mapping[int, tuple[float, str]]) -> None:
        """The weight of each picture, and why it is below 1."""
        with self._transaction() as database:
            database.executemany(
                "UPDATE pictures SET weight = ?, doubt = ? WHERE id = ?",
                [(weight, doubt, picture) for picture, (weight, doubt) in weights.items()],
            )

    # Status

    def counts(self) -> list[tuple[str, str, str, str, int]]:
        """Source, label, state, reason and number of pictures."""
        return [
            tuple(row)
            for row in self._rows(
                "SELECT source, label, state, reason, count(*) FROM pictures GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
            )
        ]

    def query_counts(self) -> tuple[int, int]:
        """Queries that are finished, and all."""
        row = self._rows("SELECT coalesce(sum(done), 0), count(*) FROM queries")[0]
        return int(row[0]), int(row[1])

    def problems(self) -> list[tuple[str, str, str]]:
        """Source, text and problem of the queries that could not continue."""
        return [
            (row["source"], row["text"], row["problem"])
            for row in self._rows("SELECT source, text, problem FROM queries WHERE problem != '' ORDER BY id")
        ]


def _query_of(row: sqlite3.Row) -> Query:
    return Query(
        QueryKind(row["kind"]),
        row["source"],
        row["label"],
        row["text"],
        row["wanted"],
        row["taxon"],
        row["gbif_key"],
    )


def _stored(row: sqlite3.Row) -> StoredPicture:
    box: Box | None = tuple(json.loads(row["box"])) if row["box"] else None
    record = PictureRecord(
        source=row["source"],
        source_id=row["source_id"],
        url=row["url"],
        page_url=row["page_url"],
        author=row["author"],
        licence_text=row["licence_text"],
        licence=Licence(row["licence_code"], row["licence_version"]) if row["licence_code"] else None,
        taken=row["taken"],
        title=row["title"],
        taxon=row["taxon"],
        burst=row["burst"],
        camera=row["camera"],
        box=box,
    )
    return StoredPicture(
        row["id"],
        QueryKind(row["kind"]),
        row["label"],
        row["target"],
        record,
        Path(row["file"]),
        row["sha256"],
        row["bytes"],
        row["retrieved"],
        row["weight"],
        row["doubt"],
    )
