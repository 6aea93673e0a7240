"""Reads the status of a spool, also while a gateway uses it."""

import contextlib
import json
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from uncia.producers.gateway.spool_database import SpoolError, check_schema
from uncia.producers.gateway.spool_entry import UNFINISHED, FileState


@dataclass(frozen=True)
class SpoolProblem:
    """An error, the number of files that it affects, and the file that failed last."""

    error: str
    files: int
    path: str
    camera: str
    state: str
    attempts: int


@dataclass(frozen=True)
class SpoolStatus:
    """Counts and the last errors of one spool. The field names are keys of `uncia gateway status --json`."""

    spool: str
    destination: str | None
    counts: dict[str, int]
    remaining: int
    problems: tuple[SpoolProblem, ...]
    left: dict[str, int] = field(default_factory=dict)
    """Files that the last scan skipped, by kind."""
    unreadable: int = 0
    """Folders and photographs that the last scan could not read."""
    link_day: str | None = None
    """Behind a thin link: the last UTC day on which bytes were spent."""
    link_bytes: dict[str, int] = field(default_factory=dict)
    """The bytes of that day, by purpose."""


def read_status(path: Path, *, problems: int = 10) -> SpoolStatus:
    """Read a spool without changing it. Raises `SpoolError` when the file does not exist or is not a spool."""
    if not path.exists():
        raise SpoolError(f"there is no spool at {path}: the first run of a gateway creates it")
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as database:
            check_schema(database, path)
            return _status(database, path, problems)
    except sqlite3.Error as error:
        raise SpoolError(f"cannot read {path}: {error}") from error


def _status(database: sqlite3.Connection, path: Path, problems: int) -> SpoolStatus:
    counts = {state.value: 0 for state in FileState}
    counts.update(database.execute("SELECT state, count(*) FROM files GROUP BY state").fetchall())
    facts = dict(database.execute("SELECT name, value FROM facts").fetchall())
    skipped = json.loads(facts.get("left", "{}"))
    link = _link_bytes(database)
    rows = database.execute(
        # SQLite takes the other columns from the row with the maximum: the latest one.
        "SELECT last_error, count(*), source, camera, state, attempts, max(next_try) FROM files"
        " WHERE last_error IS NOT NULL AND state NOT IN ('confirmed', 'duplicate', 'superseded', 'held', 'expired')"
        " GROUP BY last_error ORDER BY max(next_try) DESC LIMIT ?",
        (problems,),
    ).fetchall()
    return SpoolStatus(
        spool=str(path),
        destination=facts.get("destination"),
        counts=counts,
        remaining=sum(counts[state] for state in UNFINISHED),
        problems=tuple(
            SpoolProblem(error, files, os.fsdecode(source), camera, state, attempts)
            for error, files, source, camera, state, attempts, _ in rows
        ),
        left=skipped.get("kinds", {}),
        unreadable=skipped.get("unreadable", 0),
        link_day=max(day for day, _, _ in link) if link else None,
        link_bytes={purpose: count for _, purpose, count in link},
    )


def _link_bytes(database: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """Day, purpose and bytes of the last day; none in the spool of an earlier version."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'link_bytes'").fetchone():
        return []
    return database.execute("SELECT * FROM link_bytes WHERE day = (SELECT max(day) FROM link_bytes)").fetchall()
