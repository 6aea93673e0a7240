"""What a spool says of itself, also while a gateway works with it."""

import contextlib
import json
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from uncia.producers.gateway.spool import UNFINISHED, State
from uncia.producers.gateway.spool_file import SpoolError, check


@dataclass(frozen=True)
class Problem:
    """An error that keeps files from being stored, and one of them."""

    error: str
    files: int
    path: str
    camera: str
    state: str
    attempts: int


@dataclass(frozen=True)
class SpoolStatus:
    """Counts and the last errors of one spool."""

    spool: str
    destination: str | None
    counts: dict[str, int]
    remaining: int
    problems: tuple[Problem, ...]
    left: dict[str, int] = field(default_factory=dict)
    """Files of the folder that are no photographs for the stream, by kind, as the last look found them."""
    unreadable: int = 0
    """Folders and photographs that the last look could not read."""


def read_status(path: Path, *, problems: int = 10) -> SpoolStatus:
    """Read a spool without changing it. Raises `SpoolError` when there is none, or it is not one."""
    if not path.exists():
        raise SpoolError(f"there is no spool at {path}: a gateway makes it when it first runs")
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as database:
            check(database, path)
            return _status(database, path, problems)
    except sqlite3.Error as error:
        raise SpoolError(f"cannot read {path}: {error}") from error


def _status(database: sqlite3.Connection, path: Path, problems: int) -> SpoolStatus:
    counts = {state.value: 0 for state in State}
    counts.update(database.execute("SELECT state, count(*) FROM files GROUP BY state").fetchall())
    facts = dict(database.execute("SELECT name, value FROM facts").fetchall())
    looked = json.loads(facts.get("left", "{}"))
    rows = database.execute(
        # SQLite takes the other columns from the row that max() found: the latest one.
        "SELECT last_error, count(*), source, camera, state, attempts, max(next_try) FROM files"
        " WHERE last_error IS NOT NULL AND state NOT IN ('confirmed', 'duplicate', 'superseded')"
        " GROUP BY last_error ORDER BY max(next_try) DESC LIMIT ?",
        (problems,),
    ).fetchall()
    return SpoolStatus(
        spool=str(path),
        destination=facts.get("destination"),
        counts=counts,
        remaining=sum(counts[state] for state in UNFINISHED),
        problems=tuple(
            Problem(error, files, os.fsdecode(source), camera, state, attempts)
            for error, files, source, camera, state, attempts, _ in rows
        ),
        left=looked.get("kinds", {}),
        unreadable=looked.get("unreadable", 0),
    )
