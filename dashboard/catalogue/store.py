"""Writes folded messages to the database: their rows and the offsets behind them, in one transaction.

Works on SQLite and PostgreSQL with the same statements. Writers take turns: a second worker on one database does no
harm, because whatever it writes is the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, bindparam, delete, select, text, tuple_, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from uncia.dashboard.catalogue import derived, tables
from uncia.dashboard.catalogue.bulk import Conflict, write_rows
from uncia.dashboard.catalogue.changes import Change, LogRecord, PutRow, RemoveRow, Row, SkipMessage, order_of
from uncia.dashboard.catalogue.fold import fold

CheckSkipped = Callable[[int, Sequence[SkipMessage]], None]

__all__ = ["AppliedBatch", "CatalogueStore", "PartitionState"]

_KEYS_PER_QUERY = 500

_PARTS: dict[str, tuple[Table, ...]] = {
    "captures": (tables.detections,),
    "bursts": (tables.burst_frames, tables.observations, tables.burst_flags),
    "individual_sightings": (),
    "recordings": (),
    "sound_calls": (),
}
"""Tables whose rows belong to one of another table, and are replaced together with it; and tables whose rows have a
revision, or of which recomputing needs the rows that were replaced."""

_BY_MODEL = {tables.observations.name, tables.burst_flags.name}
"""Parts with a column `source`: only the model's rows are replaced with the burst."""


@dataclass(frozen=True)
class PartitionState:
    """Up to where a partition was folded."""

    topic_id: str
    generation: int
    next_offset: int


@dataclass(frozen=True)
class AppliedBatch:
    """What became of a batch."""

    folded: int
    skipped: tuple[SkipMessage, ...]


class CatalogueStore:
    """The write side of one database. Not thread-safe: one worker has one store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[tuple[Any, ...]] = set()
        """Rows of tables without versions that are certainly there."""

    def partitions(self) -> dict[tuple[str, int], PartitionState]:
        """The state of each partition, by topic (outside its namespace) and number."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(tables.log_partitions)).mappings().all()
        return {
            (row["topic"], row["partition"]): PartitionState(row["topic_id"], row["generation"], row["next_offset"])
            for row in rows
        }

    def set_partitions(self, states: Mapping[tuple[str, int], PartitionState]) -> None:
        """Store the states of partitions that were not read before, or begin again."""
        rows = [
            {
                "topic": topic,
                "partition": partition,
                "topic_id": state.topic_id,
                "generation": state.generation,
                "next_offset": state.next_offset,
            }
            for (topic, partition), state in states.items()
        ]
        with self._engine.begin() as connection:
            write_rows(connection, tables.log_partitions, rows, Conflict.REPLACE)

    def apply(self, records: Sequence[LogRecord], check: CheckSkipped | None = None) -> AppliedBatch:
        """Fold messages, in the order of each partition, and store the offsets behind them, in one transaction.

        `check` is called with the number of messages and those that cannot be folded, and may raise before anything is
        written.

        Idempotent. A message that the database refuses (a number out of range, an id too long for an index) is skipped
        by itself. Raises SQLAlchemy's `OperationalError` where the database is unavailable or its disk is full; then
        nothing of the batch was written.
        """
        if not records:
            return AppliedBatch(0, ())
        changes = [change for record in records for change in fold(record)]
        if check is not None:
            check(len(records), [change for change in changes if isinstance(change, SkipMessage)])
        try:
            self._write(changes, records)
        except (StatementError, OverflowError, ValueError, TypeError) as error:
            if not _is_about_data(error):
                raise
            if len(records) > 1:
                middle = len(records) // 2
                halves = self.apply(records[:middle]), self.apply(records[middle:])
                return AppliedBatch(
                    sum(half.folded for half in halves), tuple(skip for half in halves for skip in half.skipped)
                )
            changes = [SkipMessage(records[0], "not-storable", _sentence(error))]
            self._write(changes, records)
        skipped = tuple(change for change in changes if isinstance(change, SkipMessage))
        return AppliedBatch(len(records) - len(skipped), skipped)

    def _write(self, changes: Sequence[Change], records: Sequence[LogRecord]) -> None:
        added: set[tuple[Any, ...]] = set()
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE log_partitions IN SHARE ROW EXCLUSIVE MODE"))
            touched = derived.Touched()
            for puts, removal in _until_removals(changes):
                for table, rows in _newest(puts).items():
                    self._put(connection, table, rows, touched, added)
                if removal is not None:
                    _remove(connection, removal, touched)
            derived.recompute(connection, touched)
            skipped = [change.row for change in changes if isinstance(change, SkipMessage)]
            write_rows(connection, tables.skipped_events, skipped, Conflict.IGNORE)
            _advance(connection, records)
        self._known |= added

    def _put(
        self,
        connection: Connection,
        name: str,
        puts: Sequence[PutRow],
        touched: derived.Touched,
        added: set[tuple[Any, ...]],
    ) -> None:
        table = tables.METADATA.tables[name]
        for other in {other for put in puts for other in put.also}:
            brought = {tuple(row.values()): row for put in puts for row in put.also.get(other, ())}
            missing = {key: row for key, row in brought.items() if (other, *key) not in self._known}
            write_rows(connection, tables.METADATA.tables[other], list(missing.values()), Conflict.IGNORE)
            added |= {(other, *key) for key in missing}
        if name not in _PARTS:
            touched.note(name, [put.row for put in puts])
            numbered = {"change": touched.change(connection)} if "change" in table.c else {}
            write_rows(connection, table, [{**put.row, **numbered} for put in puts], Conflict.REPLACE_OLDER)
            return
        held = _held(connection, table, [put.key[0] for put in puts])
        winners = [put for put in puts if put.key[0] not in held or put.order > order_of(name, held[put.key[0]])]
        if not winners:
            return
        keys = [put.key[0] for put in winners]
        replaced = [held[key] for key in keys if key in held]
        for part in _PARTS[name]:
            if replaced:
                _delete_parts(connection, table, part, [key for key in keys if key in held])
        rows = [put.row for put in winners]
        if table is tables.bursts:
            rows = derived.complete_bursts(connection, rows, touched)
        touched.note(name, rows, replaced)
        write_rows(connection, table, rows, Conflict.REPLACE)
        for part in _PARTS[name]:
            write_rows(connection, part, [row for put in winners for row in put.parts.get(part.name, ())])


def _until_removals(changes: Iterable[Change]) -> Iterator[tuple[list[PutRow], RemoveRow | None]]:
    """The rows to put up to each removal, then the rest: what is put after a removal must not be removed by it."""
    puts: list[PutRow] = []
    for change in changes:
        if isinstance(change, PutRow):
            puts.append(change)
        elif isinstance(change, RemoveRow):
            yield puts, change
            puts = []
    yield puts, None


def _newest(puts: Iterable[PutRow]) -> dict[str, list[PutRow]]:
    """By table, of several rows of one key the one that counts, with what all of them bring along."""
    found: dict[str, dict[tuple[Any, ...], PutRow]] = {}
    for put in puts:
        rows = found.setdefault(put.table, {})
        before = rows.get(put.key)
        if before is not None:
            names = dict.fromkeys((*before.also, *put.also))
            also = {name: (*before.also.get(name, ()), *put.also.get(name, ())) for name in names}
            put = replace(put if put.order >= before.order else before, also=also)
        rows[put.key] = put
    return {table: list(rows.values()) for table, rows in found.items()}


def _held(connection: Connection, table: Table, keys: Sequence[Any]) -> dict[Any, Row]:
    """What deciding and recomputing need of the rows that the table holds, by key."""
    (column,) = table.primary_key.columns
    wanted = [table.c[name] for name in (column.name, "version", *derived.NOTED[table.name])]
    if "revision" in table.c:
        wanted.append(table.c["revision"])
    found: dict[Any, Row] = {}
    for chunk in _chunks(keys):
        for row in connection.execute(select(*wanted).where(column.in_(chunk))).mappings():
            found[row[column.name]] = row
    return found


def _delete_parts(connection: Connection, table: Table, part: Table, keys: Sequence[Any]) -> None:
    (column,) = table.primary_key.columns
    for chunk in _chunks(keys):
        statement = delete(part).where(part.c[column.name].in_(chunk))
        if part.name in _BY_MODEL:
            statement = statement.where(part.c.source == "model")
        connection.execute(statement)


def _remove(connection: Connection, change: RemoveRow, touched: derived.Touched) -> None:
    table = tables.METADATA.tables[change.table]
    key = tuple_(*table.primary_key.columns) == tuple_(*change.key)
    rows = connection.execute(select(table).where(key, table.c.version < change.version)).mappings().all()
    if not rows:
        return
    touched.note(change.table, (), rows)
    connection.execute(delete(table).where(key))
    for part in _PARTS.get(change.table, ()):
        connection.execute(delete(part).where(part.c[table.primary_key.columns[0].name] == change.key[0]))
    if change.table == "bursts":
        connection.execute(delete(tables.burst_revisions).where(tables.burst_revisions.c.burst_id == change.key[0]))


def _advance(connection: Connection, records: Sequence[LogRecord]) -> None:
    """Store the offsets behind these messages; an offset never goes back within a generation."""
    following: dict[tuple[str, int, int], int] = {}
    for record in records:
        key = (record.topic, record.partition, record.generation)
        following[key] = max(following.get(key, 0), record.offset + 1)
    table = tables.log_partitions
    statement = (
        update(table)
        .where(
            and_(
                table.c.topic == bindparam("the_topic"),
                table.c.partition == bindparam("the_partition"),
                table.c.generation == bindparam("the_generation"),
                table.c.next_offset < bindparam("following"),
            )
        )
        .values(next_offset=bindparam("following"))
    )
    connection.execute(
        statement,
        [
            {"the_topic": topic, "the_partition": partition, "the_generation": generation, "following": offset}
            for (topic, partition, generation), offset in following.items()
        ],
    )


def _is_about_data(error: Exception) -> bool:
    """Whether the content of a message caused it, and not the state of the database."""
    if isinstance(error, DBAPIError):
        # 22: data exception; 23: integrity constraint; 54: limit exceeded, such as the size of a key.
        state = getattr(error.orig, "sqlstate", None) or ""
        return isinstance(error, DataError | IntegrityError) or state[:2] in ("22", "23", "54")
    return True


def _sentence(error: Exception) -> str:
    """The database's own words, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]
