"""Queries on the calls in sound recordings: lists by filters, and one with all that is known of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, false, func, or_, select, tuple_

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.cursors import encode, parse_position
from uncia.dashboard.catalogue.filters import day_conditions
from uncia.dashboard.catalogue.rows import HeardClass, SoundCall, SoundDetail, StoredRecording, StoredSpectrogram
from uncia.dashboard.catalogue.tables import cameras, recordings, sound_calls
from uncia.events import BurstCategory

__all__ = ["SoundFilter", "SoundPage", "Sounds"]

Stations = Iterable[str] | None

_MOST_IN_RECORDING = 200
_CALL_COLUMNS = [sound_calls.c[name] for name in SoundCall.__dataclass_fields__]


@dataclass(frozen=True)
class SoundFilter:
    """What a list of calls is limited to; a default limits nothing."""

    cameras: tuple[str, ...] = ()
    taxon: str | None = None
    """This taxon and everything below it, or the label of calls without a taxon."""
    since: date | None = None
    """First day, by the recorders' clocks."""
    until: date | None = None
    """Last day."""


@dataclass(frozen=True)
class SoundPage:
    """A page of a list. `after`: where the next page begins; None: there is none."""

    rows: tuple[SoundCall, ...]
    after: str | None


class Sounds:
    """Queries on one database. Safe from any thread; each method is one transaction.

    Only calls that count are returned, as `uncia sounds list` lists them. Each method takes the stations that the
    caller may see (None: all), and returns nothing of any other.
    """

    def __init__(self, engine: Engine, taxonomy: Taxonomy | None = None) -> None:
        self._engine = engine
        self._taxonomy = taxonomy or Taxonomy.load()

    def page(
        self,
        chosen: SoundFilter | None = None,
        limit: int = 50,
        after: str | None = None,
        stations: Stations = None,
    ) -> SoundPage:
        """A page of calls, the latest first. `after`: the value of the page before. Raises `BadCursor`."""
        chosen = chosen or SoundFilter()
        place = tuple_(sound_calls.c.started_at, sound_calls.c.call_id)
        beyond = [] if after is None else [place < tuple_(*parse_position(after, utc=False))]
        with self._engine.begin() as connection:
            conditions = self._conditions(connection, chosen, stations)
            wanted = select(*_CALL_COLUMNS).where(*conditions, *beyond)
            newest = wanted.order_by(sound_calls.c.started_at.desc(), sound_calls.c.call_id.desc()).limit(limit + 1)
            found = [SoundCall.of(row) for row in connection.execute(newest).mappings()]
        return SoundPage(tuple(found[:limit]), _cursor(found[limit - 1]) if len(found) > limit else None)

    def count(self, chosen: SoundFilter | None = None, stations: Stations = None) -> int:
        """How many calls a filter allows."""
        with self._engine.begin() as connection:
            conditions = self._conditions(connection, chosen or SoundFilter(), stations)
            counted: int = connection.execute(select(func.count()).where(*conditions)).scalar_one()
            return counted

    def classes(self, stations: Stations = None) -> list[HeardClass]:
        """What was heard, by taxon and label, the most frequent first."""
        with self._engine.begin() as connection:
            return _classes(connection, stations)

    def recorders(self, stations: Stations = None) -> list[str]:
        """The recorders of which a recording was analysed."""
        own = [] if stations is None else [recordings.c.station.in_(sorted(set(stations)))]
        wanted = select(recordings.c.camera).where(recordings.c.counted, *own).distinct()
        with self._engine.begin() as connection:
            return sorted(connection.execute(wanted).scalars())

    def call(self, call_id: str, stations: Stations = None) -> SoundDetail | None:
        """One call; None where there is none that the caller may see."""
        with self._engine.begin() as connection:
            wanted = select(sound_calls).where(sound_calls.c.call_id == call_id, *_rights(stations))
            row = connection.execute(wanted).mappings().first()
            if row is None:
                return None
            own = select(recordings).where(recordings.c.recording_id == row["recording_id"], recordings.c.counted)
            recording = connection.execute(own).mappings().first()
            if recording is None:  # Forgotten since the first query.
                return None
            others = (
                select(*_CALL_COLUMNS)
                .where(sound_calls.c.recording_id == row["recording_id"], sound_calls.c.counted)
                .order_by(sound_calls.c.start_s, sound_calls.c.call_id)
                .limit(_MOST_IN_RECORDING)
            )
            calls = tuple(SoundCall.of(other) for other in connection.execute(others).mappings())
            spectrogram = StoredSpectrogram(**row["spectrogram"]) if row["spectrogram"] else None
            return SoundDetail(
                call=SoundCall.of(row),
                recording=StoredRecording.of(recording),
                calls=calls,
                spectrogram=spectrogram,
                voice=_has_voice(connection, row),
                threshold=row["threshold"],
                rank=row["rank"],
                windows=row["windows"],
                model=row["model"],
                label_set=row["label_set"],
                rule=row["rule"],
                settings=row["settings"],
            )

    def _conditions(self, connection: Connection, chosen: SoundFilter, stations: Stations) -> list[ColumnElement[bool]]:
        conditions = _rights(stations)
        if chosen.cameras:
            wanted = sorted(set(chosen.cameras))
            camera = sound_calls.c.camera
            # One value as an equality: the index then delivers the rows in order.
            conditions.append(camera == wanted[0] if len(wanted) == 1 else camera.in_(wanted))
        if chosen.taxon is not None:
            conditions.append(self._called(connection, chosen.taxon, stations))
        return [*conditions, *day_conditions(sound_calls.c.started_at, chosen.since, chosen.until)]

    def _called(self, connection: Connection, name: str, stations: Stations) -> ColumnElement[bool]:
        heard = _classes(connection, stations)
        taxa = {one.taxon for one in heard if one.taxon}
        below = sorted(taxon for taxon in taxa if taxon == name or name in self._taxonomy.ancestors(taxon))
        if any(one.taxon is None and one.label == name for one in heard):
            labelled = and_(sound_calls.c.taxon.is_(None), sound_calls.c.label == name)
            return or_(labelled, sound_calls.c.taxon.in_(below))
        if not below:
            return false()
        return sound_calls.c.taxon == below[0] if len(below) == 1 else sound_calls.c.taxon.in_(below)


def _rights(stations: Stations) -> list[ColumnElement[bool]]:
    own = [] if stations is None else [sound_calls.c.station.in_(sorted(set(stations)))]
    return [sound_calls.c.counted, *own]


def _classes(connection: Connection, stations: Stations) -> list[HeardClass]:
    counted = func.count().label("calls")
    names = (sound_calls.c.taxon, sound_calls.c.label)
    conditions: list[ColumnElement[bool]] = [sound_calls.c.counted]
    if stations is not None:
        own = select(cameras.c.camera).where(cameras.c.station.in_(sorted(set(stations))))
        # By recorder, which the index holds: the station would have to be read from each row.
        conditions.append(sound_calls.c.camera.in_(own))
    wanted = select(*names, counted).where(*conditions).group_by(*names)
    found = [HeardClass.of(row) for row in connection.execute(wanted).mappings()]
    return sorted(found, key=lambda one: (-one.calls, one.label, one.taxon or ""))


def _has_voice(connection: Connection, row: Any) -> bool:
    """Whether any model version heard a person in the part of the recording that a call covers."""
    overlapping = select(sound_calls.c.call_id).where(
        sound_calls.c.recording_id == row["recording_id"],
        sound_calls.c.category == BurstCategory.PERSON.value,
        sound_calls.c.withdrawn.is_(None),
        sound_calls.c.start_s < row["end_s"],
        sound_calls.c.end_s > row["start_s"],
    )
    return connection.execute(overlapping.limit(1)).first() is not None


def _cursor(row: SoundCall) -> str:
    return encode([row.started_at.isoformat(), row.call_id])
