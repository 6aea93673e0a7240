"""Writes many rows by one statement.

SQLAlchemy prepares the parameters of every row anew, which took two thirds of the time of a fold (3 rows per event).
Here the statement is compiled once per table, and its parameters are converted by the types of the columns.

SQLite takes the rows one by one. PostgreSQL gets them as one JSON document, which it expands to rows: one statement per
row, even in psycopg's pipeline, took four times the CPU time here and half as much again in the server; arrays for
`unnest` took as long here as the statements.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Date,
    DateTime,
    Dialect,
    LargeBinary,
    Table,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.tables import UtcDateTime

__all__ = ["Conflict", "write_rows"]


class Conflict(Enum):
    """What happens to a row whose key the table holds."""

    ERROR = "error"
    IGNORE = "ignore"
    REPLACE = "replace"
    REPLACE_OLDER = "replace-older"
    """Replaced where its `version` is lower."""
    ADD = "add"
    """The columns that are no keys are added to those of the table."""


_ROWS_PER_DOCUMENT = 1000
"""A row of a burst's frame has about 1 KB."""


def write_rows(connection: Connection, table: Table, rows: Sequence[Row], conflict: Conflict = Conflict.ERROR) -> None:
    """Write rows. Columns that a row lacks become NULL.

    Keys must differ where rows of the table are replaced or added to: PostgreSQL refuses to change a row twice.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        documents = _compiled_for_documents(table, conflict, connection.dialect)
        for start in range(0, len(rows), _ROWS_PER_DOCUMENT):
            document = documents.document(rows[start : start + _ROWS_PER_DOCUMENT])
            connection.exec_driver_sql(documents.sql, {_DOCUMENT: document})
        return
    statement = _compiled(table, conflict, connection.dialect)
    connection.exec_driver_sql(statement.sql, [statement.parameters(row) for row in rows])


_Convert = Callable[[Any], Any]
_DOCUMENT = "new_rows"


@dataclass(frozen=True)
class _Statement:
    """A statement for one row."""

    sql: str
    names: tuple[str, ...]
    """Columns in the order of the parameters."""
    converted: tuple[tuple[int, _Convert], ...]
    """Positions of columns whose values the driver does not take as they are."""

    def parameters(self, row: Row) -> tuple[Any, ...]:
        values = list(map(row.get, self.names))
        for at, convert in self.converted:
            if values[at] is not None:
                values[at] = convert(values[at])
        return tuple(values)


@dataclass(frozen=True)
class _DocumentStatement:
    """A statement for many rows in one JSON document."""

    sql: str
    names: frozenset[str]
    converted: tuple[tuple[str, _Convert], ...]
    """Columns whose values JSON does not hold as they are."""

    def document(self, rows: Iterable[Row]) -> str:
        # Whatever a document lacks becomes NULL: about a third of the values.
        objects = [
            {name: value for name, value in row.items() if value is not None and name in self.names} for row in rows
        ]
        for one in objects:
            for name, convert in self.converted:
                if name in one:
                    one[name] = convert(one[name])
        return json.dumps(objects, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)
def _compiled(table: Table, conflict: Conflict, dialect: Dialect) -> _Statement:
    statement = _with_conflict(sqlite.insert(table), table, conflict)
    compiled = statement.compile(dialect=dialect, column_keys=[column.name for column in table.columns])
    assert compiled.positiontup is not None
    converts = [_sqlite_converter(table.c[name].type, dialect) for name in compiled.positiontup]
    converted = tuple((at, convert) for at, convert in enumerate(converts) if convert is not None)
    return _Statement(str(compiled), tuple(compiled.positiontup), converted)


@lru_cache(maxsize=256)
def _compiled_for_documents(table: Table, conflict: Conflict, dialect: Dialect) -> _DocumentStatement:
    names = [each.name for each in table.columns]
    new = (
        func.json_to_recordset(bindparam(_DOCUMENT, type_=postgresql.JSON))
        .table_valued(*(column(each.name, each.type) for each in table.columns))
        .render_derived(name="new", with_types=True)
    )
    insert = postgresql.insert(table).from_select(names, select(*(new.c[name] for name in names)))
    sql = str(_with_conflict(insert, table, conflict).compile(dialect=dialect))
    converts = [(each.name, _json_converter(each.type)) for each in table.columns]
    return _DocumentStatement(
        sql, frozenset(names), tuple((name, convert) for name, convert in converts if convert is not None)
    )


def _with_conflict(statement: Any, table: Table, conflict: Conflict) -> Any:
    if conflict is Conflict.ERROR:
        return statement
    if conflict is Conflict.IGNORE:
        return statement.on_conflict_do_nothing()
    added = conflict is Conflict.ADD
    keys = set(table.primary_key.columns)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={
            column.name: statement.excluded[column.name] + column if added else statement.excluded[column.name]
            for column in table.columns
            if column not in keys
        },
        where=statement.excluded["version"] > table.c.version if conflict is Conflict.REPLACE_OLDER else None,
    )


def _sqlite_converter(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """How a value other than None is converted for the driver."""
    # As SQLAlchemy stores them, in a third of its time: a burst has ten times.
    if isinstance(kind, UtcDateTime):
        return _utc_text
    if isinstance(kind, DateTime):
        return _text_of
    if isinstance(kind, Boolean):
        return None
    convert: _Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _json_converter(kind: TypeEngine[Any]) -> _Convert | None:
    """How a value other than None is converted for a document."""
    if isinstance(kind, UtcDateTime):
        return lambda value: f"{_utc_text(value)}Z"
    if isinstance(kind, DateTime):
        return _text_of
    if isinstance(kind, Date):
        return date.isoformat
    if isinstance(kind, LargeBinary):
        return lambda value: rf"\x{value.hex()}"
    return None


def _text_of(value: datetime) -> str:
    return value.isoformat(" ", "microseconds")


def _utc_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no UTC offset")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
