"""A catalogue of many bursts: folded ones are copied to other cameras and days."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from tests.unit.dashboard.catalogue.catalogue_data import FIRST_DAY
from uncia.dashboard.catalogue.bulk import Conflict, write_rows
from uncia.dashboard.catalogue.derived import kinds_of
from uncia.dashboard.catalogue.tables import (
    burst_flags,
    burst_frames,
    burst_months,
    bursts,
    camera_days,
    cameras,
    observations,
)

__all__ = ["CAMERAS", "DAYS", "multiply"]

CAMERAS = 48
"""Cameras of the folded bursts; the copies are of four times as many."""
DAYS = 120
"""Days of the folded bursts; the copies are of two years, up to today."""
_PERIOD_DAYS = 730


def multiply(engine: Engine, wanted: int) -> None:
    """Copy the bursts until there are as many as wanted, with their frames, observations, flags and days of cameras.

    The frames of a copy are the photographs of the original: there are as many rows of photographs and detections as
    were folded.
    """
    with engine.begin() as connection:
        originals = [dict(row) for row in connection.execute(select(bursts)).mappings()]
        days = [dict(row) for row in connection.execute(select(camera_days)).mappings()]
        parts = {
            table: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in (burst_frames, observations, burst_flags)
        }
    to_today = (datetime.now(UTC).date() - FIRST_DAY.date()).days - DAYS
    count, copy = len(originals), 0
    while count < wanted:
        copy += 1
        shift = timedelta(days=to_today - copy * 37 % (_PERIOD_DAYS - DAYS), minutes=copy * 7 % 60)
        own = originals[: wanted - count]
        with engine.begin() as connection:
            _write_copy(connection, own, copy, shift)
            ids = {row["burst_id"] for row in own}
            for table, existing in parts.items():
                copies = [
                    {**row, "burst_id": f"{row['burst_id']}-{copy}"} for row in existing if row["burst_id"] in ids
                ]
                write_rows(connection, table, copies)
        count += len(own)
    with engine.begin() as connection:
        _write_days(connection, days)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What the server does by itself after some minutes.
            connection.execute(text("VACUUM ANALYZE"))
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(bursts)).scalar() == wanted


def _write_copy(connection: Connection, own: list[dict[str, Any]], copy: int, shift: timedelta) -> None:
    rows = [
        {
            **row,
            "burst_id": f"{row['burst_id']}-{copy}",
            "camera": f"{row['camera']}-{copy % 4}",
            "started_at": row["started_at"] + shift,
            "ended_at": row["ended_at"] + shift,
            "minute": 60 * (row["started_at"] + shift).hour + (row["started_at"] + shift).minute,
            "updated_at": row["updated_at"] + shift,
            "change": row["change"] + copy,
        }
        for row in own
    ]
    write_rows(connection, bursts, rows)
    known = [{"camera": row["camera"], "station": row["station"]} for row in rows]
    write_rows(connection, cameras, known, Conflict.IGNORE)
    write_rows(connection, burst_months, _kinds(rows), Conflict.ADD)


def _write_days(connection: Connection, days: list[dict[str, Any]]) -> None:
    """Photographs of each camera on most days of the period, however few bursts there are."""
    one_of = {row["camera"]: row for row in days}
    today = datetime.now(UTC).date()
    for camera, row in one_of.items():
        rows = []
        for copy in range(4):
            for back in range(copy, _PERIOD_DAYS, 1 + copy % 2):
                shift = today - timedelta(days=back) - row["day"]
                moved = {name: row[name] + shift for name in ("day", "first_captured_at", "last_captured_at")}
                uploaded = row["last_uploaded_at"] + shift
                rows.append({**row, **moved, "camera": f"{camera}-{copy}", "last_uploaded_at": uploaded})
        write_rows(connection, camera_days, rows)


def _kinds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `burst_months` for these bursts."""
    names = [column.name for column in burst_months.primary_key.columns]
    counts = sorted(Counter(kinds_of(rows)).items())
    return [{**dict(zip(names, kind, strict=True)), "bursts": count} for kind, count in counts]
