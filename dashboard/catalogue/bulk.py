"""Writes many rows by one statement.

SQLAlchemy prepares the parameters of every row anew, which took two thirds of the time of a fold (3 rows per event).
Here the statement is compiled once per table, and its parameters are converted by the types of the columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Connection, DateTime, Dialect, Table
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


def write_rows(connection: Connection, table: Table, rows: Sequence[Row], conflict: Conflict = Conflict.ERROR) -> None:
    """Write rows. Columns that a row lacks become NULL."""
    if not rows:
        return
    statement = _compiled(table, conflict, connection.dialect)
    connection.exec_driver_sql(statement.sql, [statement.parameters(row) for row in rows])


_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Statement:
    """A statement for one row."""

    sql: str
    names: tuple[str, ...]
    """Columns in the order of the parameters."""
    converted: tuple[tuple[int, _Convert], ...]
    """Positions of columns whose values the driver does not take as they are."""
    positional: bool

    def parameters(self, row: Row) -> Any:
        values = list(map(row.get, self.names))
        for at, convert in self.converted:
            if values[at] is not None:
                values[at] = convert(values[at])
        return tuple(values) if self.positional else dict(zip(self.names, values, strict=True))


@lru_cache(maxsize=256)
def _compiled(table: Table, conflict: Conflict, dialect: Dialect) -> _Statement:
    insert: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    statement = _with_conflict(insert, table, conflict)
    compiled = statement.compile(dialect=dialect, column_keys=[column.name for column in table.columns])
    names = compiled.positiontup if compiled.positional else [column.name for column in table.columns]
    converts = [_converter(table.c[name].type, dialect) for name in names]
    converted = tuple((at, convert) for at, convert in enumerate(converts) if convert is not None)
    return _Statement(str(compiled), tuple(names), converted, bool(compiled.positional))


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


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """How a value other than None is converted for the driver."""
    if dialect.name == "sqlite":
        # As SQLAlchemy stores them, in a third of its time: a burst has ten times.
        if isinstance(kind, UtcDateTime):
            return _utc_text
        if isinstance(kind, DateTime):
            return _text_of
        if isinstance(kind, Boolean):
            return None
    convert: _Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _text_of(value: datetime) -> str:
    return value.isoformat(" ", "microseconds")


def _utc_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no UTC offset")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
