"""Keeps what was imported, since no topic holds it: a rebuild of the catalogue folds it again.

The table is a source of the catalogue, as the topics are, and not one of its tables: `clear` and the migrations leave
it alone. It holds the events that the import made, so that a newer version folds them again by its own code.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import BigInteger, Column, Engine, LargeBinary, MetaData, Table, Text, func, inspect, select, tuple_
from sqlalchemy.exc import DBAPIError

from uncia.dashboard.catalogue.bulk import Conflict, write_rows
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import DatabaseDown, describe
from uncia.dashboard.catalogue.store import CatalogueStore

__all__ = ["count_imported", "drop_imported", "fold_imported", "keep_imported"]

_BATCH = 500
_METADATA = MetaData()

imported_events = Table(
    "imported_events",
    _METADATA,
    Column("topic", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""One row per thing that an import tells of. `version`: the offset of its record, which rises with the time of the
imported file; `body`: the event's JSON, compressed."""


def keep_imported(engine: Engine, records: Sequence[tuple[str, LogRecord]]) -> None:
    """Keep records, each with the id of the burst, photograph, review or deployment that it tells of.

    Of two records of one thing, that of the newer file is kept. Raises SQLAlchemy's `DBAPIError`.
    """
    rows = {
        (record.topic, subject): {
            "topic": record.topic,
            "subject": subject,
            "version": record.offset,
            "timestamp_ms": record.timestamp_ms,
            "body": zlib.compress(record.value or b""),
        }
        for subject, record in records
    }
    with engine.begin() as connection:
        _METADATA.create_all(connection)
        write_rows(connection, imported_events, list(rows.values()), Conflict.REPLACE_OLDER)


def count_imported(engine: Engine) -> int:
    """The number of events that are kept. Raises `DatabaseDown`."""
    try:
        if not inspect(engine).has_table(imported_events.name):
            return 0
        with engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(imported_events)).scalar_one()
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error


def drop_imported(engine: Engine) -> None:
    """Forget all imports. Their rows stay until the catalogue is cleared. Raises `DatabaseDown`."""
    try:
        with engine.begin() as connection:
            _METADATA.drop_all(connection)
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error


def fold_imported(engine: Engine, progress: Callable[[int, int], None] | None = None) -> int:
    """Fold all that is kept, and return the number of events. Idempotent. Raises `DatabaseDown`."""
    total, done, store = count_imported(engine), 0, CatalogueStore(engine)
    try:
        for batch in _batches(engine) if total else ():
            store.apply(batch)
            done += len(batch)
            if progress is not None:
                progress(done, total)
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error
    return done


def _batches(engine: Engine) -> Iterator[list[LogRecord]]:
    """Pages by key: between two of them, nothing is open that would keep the writer from writing."""
    key = tuple_(imported_events.c.topic, imported_events.c.subject)
    ordered = select(imported_events).order_by(imported_events.c.topic, imported_events.c.subject).limit(_BATCH)
    last: tuple[str, str] | None = None
    while True:
        with engine.begin() as connection:
            rows = connection.execute(ordered if last is None else ordered.where(key > last)).all()
        if not rows:
            return
        yield [LogRecord(row.topic, 0, row.version, row.timestamp_ms, None, zlib.decompress(row.body)) for row in rows]
        last = (rows[-1].topic, rows[-1].subject)
