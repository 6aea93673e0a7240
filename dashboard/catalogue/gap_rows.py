"""Recomputes the gaps of bursts around those that a batch touched, in its transaction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Integer,
    Select,
    String,
    bindparam,
    column,
    func,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.gaps import BurstTime, gaps
from uncia.dashboard.catalogue.tables import bursts

__all__ = ["Place", "recompute_gaps"]

_FEW, _PAGE = 5, 200
"""Bursts that are read at first and, where more change, then."""

Place = tuple[datetime, str]
"""Start and id of a burst, the order of the bursts of one camera and subject."""

_Key = tuple[str, str, Place]
"""Camera, subject and a place in the order of their bursts."""


def recompute_gaps(connection: Connection, subjects: Mapping[tuple[str, str], set[Place]]) -> set[str]:
    """Recompute what changes from each place on, by camera and subject, until nothing changes.

    Returns the ids of bursts with another gap. A burst that is replaced in a camera's thousands reads the few around
    it, and not all up to the next one.
    """
    keys = [
        (camera, subject, place) for (camera, subject), places in sorted(subjects.items()) for place in sorted(places)
    ]
    around = _Neighbours(connection, keys)
    changed = [
        row
        for (camera, subject), places in sorted(subjects.items())
        for row in _changed(around, camera, subject, sorted(places))
    ]
    if changed:
        connection.execute(_SET_GAP, changed)
    return {row["the_burst"] for row in changed}


def _changed(around: "_Neighbours", camera: str, subject: str, places: Sequence[Place]) -> Iterator[Row]:
    """The rows of `_SET_GAP` of one camera and subject. `places`: in order."""
    # The next place from which gaps are to be computed.
    following = 0
    while following < len(places):
        previous, rows = around.read((camera, subject, places[following]))
        before = (previous.deployment_id, previous.reached_at) if previous else None
        page, settled = _FEW, False
        while not settled:
            times = [BurstTime(row.burst_id, row.started_at, row.ended_at, row.deployment_id) for row in rows]
            for row, (burst, gap) in zip(rows, gaps(before, times), strict=True):
                here = (burst.started_at, burst.burst_id)
                while following < len(places) and places[following] <= here:
                    following += 1
                before = (burst.deployment_id, gap.reached_at)
                if (row.reached_at, row.gap_s) != (gap.reached_at, gap.gap_s):
                    yield {"the_burst": burst.burst_id, "new_reached": gap.reached_at, "new_gap": gap.gap_s}
                elif here != places[following - 1]:
                    settled = True
                    break
            if settled:
                break
            if len(rows) < page:
                return
            page = _PAGE
            rows = around.read_after((camera, subject, (rows[-1].started_at, rows[-1].burst_id)), page)


class _Neighbours:
    """The bursts around places, as they were before any of their gaps is written.

    PostgreSQL reads those of all places at once: a statement for each place took a third of the time of a batch.
    SQLite, which has no LATERAL and no round trips, reads them one by one, and none that is not needed.
    """

    def __init__(self, connection: Connection, keys: Sequence[_Key]) -> None:
        self._connection = connection
        self._found: dict[_Key, tuple[Any, list[Any]]] | None = None
        if keys and connection.dialect.name == "postgresql":
            self._found = self._read_all(keys)

    def read(self, key: _Key) -> tuple[Any, Sequence[Any]]:
        """The burst before a place (None: there is none), and up to `_FEW` from the place on."""
        if self._found is not None:
            return self._found[key]
        return _split(self._connection.execute(_AROUND, _parameters(key)).all())

    def read_after(self, key: _Key, most: int) -> Sequence[Any]:
        """Up to so many bursts behind a place."""
        return self._connection.execute(_AFTER, {**_parameters(key), "most": most}).all()

    def _read_all(self, keys: Sequence[_Key]) -> dict[_Key, tuple[Any, list[Any]]]:
        document = [{"number": number, **_parameters(key)} for number, key in enumerate(keys)]
        for one in document:
            one["at"] = one["at"].isoformat()
        found: list[list[Any]] = [[] for _ in keys]
        for row in self._connection.execute(_AROUND_ALL, {"places": document}):
            found[row.number].append(row)
        return {key: _split(rows) for key, rows in zip(keys, found, strict=True)}


def _parameters(key: _Key) -> dict[str, Any]:
    camera, subject, (at, burst) = key
    return {"the_camera": camera, "the_subject": subject, "at": at, "id": burst}


def _split(rows: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The burst before, and those from the place on, in order."""
    previous = next((row for row in rows if row.is_before), None)
    from_there = [row for row in rows if not row.is_before]
    # Stable: of one time, they stay in the database's order of ids, which its collation decides.
    return previous, sorted(from_there, key=lambda row: row.started_at)


_POSITION = tuple_(bursts.c.started_at, bursts.c.burst_id)
_COLUMNS = [bursts.c[name] for name in ("burst_id", "started_at", "ended_at", "deployment_id", "reached_at", "gap_s")]
_ONE: Mapping[str, Any] = {
    "the_camera": bindparam("the_camera", type_=String),
    "the_subject": bindparam("the_subject", type_=String),
    "at": bindparam("at", type_=DateTime),
    "id": bindparam("id", type_=String),
}
_EACH = (
    func.json_to_recordset(bindparam("places", type_=JSON))
    .table_valued(column("number", Integer), *(column(name, value.type) for name, value in _ONE.items()))
    .render_derived(name="place", with_types=True)
)


def _own(place: Mapping[str, Any]) -> Select[Any]:
    return select(*_COLUMNS).where(bursts.c.camera == place["the_camera"], bursts.c.subject == place["the_subject"])


def _before(place: Mapping[str, Any]) -> Select[Any]:
    behind = _own(place).where(tuple_(place["at"], place["id"]) > _POSITION)
    return behind.order_by(bursts.c.started_at.desc(), bursts.c.burst_id.desc()).limit(1)


def _from(place: Mapping[str, Any]) -> Select[Any]:
    ahead = _own(place).where(tuple_(place["at"], place["id"]) <= _POSITION)
    return ahead.order_by(bursts.c.started_at, bursts.c.burst_id).limit(_FEW)


def _both(before: Any, ahead: Any, *more: Any) -> Any:
    return union_all(
        select(*more, literal(1).label("is_before"), *before.c),
        select(*more, literal(0).label("is_before"), *ahead.c),
    )


_AROUND = _both(_before(_ONE).subquery(), _from(_ONE).subquery())
_AROUND_ALL = _both(_before(dict(_EACH.c)).lateral(), _from(dict(_EACH.c)).lateral(), _EACH.c.number)
_AFTER = (
    _own(_ONE)
    .where(tuple_(_ONE["at"], _ONE["id"]) < _POSITION)
    .order_by(bursts.c.started_at, bursts.c.burst_id)
    .limit(bindparam("most", type_=Integer))
)
_SET_GAP = (
    update(bursts)
    .where(bursts.c.burst_id == bindparam("the_burst"))
    .values(reached_at=bindparam("new_reached"), gap_s=bindparam("new_gap"))
)
