"""The contents of a catalogue as plain values, to compare two of them."""

from typing import Any

from sqlalchemy import Engine, delete, select

from uncia.dashboard.catalogue.tables import METADATA, counters, derived_changes, log_partitions

Contents = dict[str, list[tuple[Any, ...]]]


def contents(engine: Engine, with_versions: bool = True) -> Contents:
    """All rows by table, in the order of their keys; without the numbers of changes, and without offsets.

    `with_versions`: a partition that begins again has other versions, and the same rows otherwise.
    """
    found: Contents = {}
    with engine.begin() as connection:
        for name, table in METADATA.tables.items():
            if table in (counters, derived_changes, log_partitions):
                continue
            left_out = {"change"}
            if not with_versions:
                left_out |= {"version", "generation"}
            columns = [column for column in table.columns if column.name not in left_out]
            rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
            found[name] = sorted((tuple(map(_plain, row)) for row in rows), key=repr)
    return found


def empty(engine: Engine) -> None:
    """Remove all rows."""
    with engine.begin() as connection:
        for table in METADATA.tables.values():
            connection.execute(delete(table))


def _plain(value: Any) -> Any:
    """Dictionaries without the order of their keys, which PostgreSQL does not keep."""
    if isinstance(value, dict):
        return tuple(sorted((key, _plain(inner)) for key, inner in value.items()))
    return tuple(map(_plain, value)) if isinstance(value, list) else value
