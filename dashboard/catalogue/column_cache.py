"""Keeps the columns of all bursts in memory, up to date with the database, for the counts of pages.

Built in a thread when the dashboard starts: about ten seconds for a million bursts. Until then, and whenever the
columns are further behind than a request should wait for, `current` yields None, and the caller counts in the database,
with the same result. Each use first reads what has changed since the one before.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from uncia.dashboard.catalogue.background import BackgroundThread
from uncia.dashboard.catalogue.burst_columns import READ_COLUMNS, BurstColumns
from uncia.dashboard.catalogue.tables import burst_flags, bursts, counters, derived_changes

__all__ = ["ColumnCache"]

log = structlog.get_logger(__name__)

_INTERVAL_S = 1.0
_MOST_IN_REQUEST = 3000
"""Changed bursts that a request reads: about 50 ms."""
_PAGE = 5000
_PAUSE_S = 0.005
"""Between pages, so that building does not keep requests from the interpreter."""
_KEYS_PER_QUERY = 500

_COLUMNS = [bursts.c[name] for name in READ_COLUMNS]


@dataclass(frozen=True)
class _Position:
    """The state of a database: when it was created, and its last change."""

    created: int
    change: int


@dataclass(frozen=True)
class _Delta:
    """Bursts that changed, and the state that they belong to."""

    position: _Position
    rows: Sequence[Sequence[Any]]
    flags: dict[str, frozenset[str]]
    removed: Sequence[str]


class ColumnCache:
    """The columns of one database. Thread-safe; `start` starts the thread that builds and advances them."""

    def __init__(self, engine: Engine, *, interval_s: float = _INTERVAL_S) -> None:
        self._engine = engine
        self._thread = BackgroundThread("burst-columns", self._step, interval_s)
        self.start, self.stop = self._thread.start, self._thread.stop
        self._lock = threading.Lock()
        self._columns: BurstColumns | None = None
        self._position = _Position(0, 0)

    @contextmanager
    def current(self) -> Iterator[BurstColumns | None]:
        """The columns as the database is now, for the length of the context; None: count in the database."""
        if self._columns is None:
            yield None
            return
        with self._lock:
            yield self._columns if self._catch_up(_MOST_IN_REQUEST) else None

    def build(self) -> None:
        """Read all bursts. Raises SQLAlchemy's `DBAPIError`."""
        columns, began = BurstColumns(), time.monotonic()
        with self._engine.begin() as connection:
            # First: what changes while the bursts are read is read again.
            position = _position(connection)
            flags = _flag_sets(connection.execute(select(burst_flags.c.burst_id, burst_flags.c.flag)))
            streamed = connection.execution_options(yield_per=_PAGE).execute(select(*_COLUMNS))
            for page in streamed.partitions():
                columns.put(page, flags)
                if self._thread.stopping.wait(_PAUSE_S):
                    return
        with self._lock:
            self._columns, self._position = columns, position
        log.info("burst_columns_built", bursts=len(columns), seconds=round(time.monotonic() - began, 2))

    def _step(self) -> None:
        if self._columns is None:
            self.build()
        else:
            self._advance()

    def _advance(self) -> None:
        """Read what changed, without holding up requests meanwhile."""
        before = self._position
        with self._engine.begin() as connection:
            delta = _read_delta(connection, before, None)
        with self._lock:
            # A request may have read the same changes, and later ones.
            if self._position == before:
                self._apply(delta)

    def _catch_up(self, most: int) -> bool:
        """Whether the columns are now those of the database. The lock is held."""
        try:
            with self._engine.begin() as connection:
                delta = _read_delta(connection, self._position, most)
        except DBAPIError:
            return False
        if delta is None:
            return False
        self._apply(delta)
        return self._columns is not None

    def _apply(self, delta: _Delta | None) -> None:
        if delta is None or self._columns is None:
            return
        if delta.position.created != self._position.created:
            # Another catalogue: `uncia catalogue rebuild`.
            self._columns = None
            return
        self._columns.put(delta.rows, delta.flags)
        self._columns.remove(delta.removed)
        self._position = delta.position


def _position(connection: Connection) -> _Position:
    values = {row.name: row.value for row in connection.execute(select(counters.c.name, counters.c.value))}
    return _Position(values.get("created", 0), values.get("change", 0))


def _read_delta(connection: Connection, since: _Position, most: int | None) -> _Delta | None:
    """What changed; None: more than `most` bursts.

    The state is read before the rows: those of transactions in between are read twice, and none is missed.
    """
    now = _position(connection)
    if now == since or now.created != since.created:
        return _Delta(now, (), {}, ())
    changed = select(*_COLUMNS).where(bursts.c.change > since.change)
    derived = (
        select(derived_changes.c.burst_id, *_COLUMNS)
        .join_from(derived_changes, bursts, derived_changes.c.burst_id == bursts.c.burst_id, isouter=True)
        .where(derived_changes.c.change > since.change)
    )
    if most is not None:
        changed, derived = changed.limit(most + 1), derived.limit(most + 1)
    rows = connection.execute(changed).all()
    others = connection.execute(derived).all()
    if most is not None and len(rows) + len(others) > most:
        return None
    found = {row[0]: row for row in rows} | {row[0]: row[1:] for row in others if row[1] is not None}
    ids = list(found)
    flags: dict[str, frozenset[str]] = {}
    for start in range(0, len(ids), _KEYS_PER_QUERY):
        own = burst_flags.c.burst_id.in_(ids[start : start + _KEYS_PER_QUERY])
        flags |= _flag_sets(connection.execute(select(burst_flags.c.burst_id, burst_flags.c.flag).where(own)))
    return _Delta(now, list(found.values()), flags, [row[0] for row in others if row[1] is None])


def _flag_sets(pairs: Any) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for burst, flag in pairs:
        found.setdefault(burst, set()).add(flag)
    return {burst: frozenset(flags) for burst, flags in found.items()}
