"""Queries on alerts: lists by filters, one with all that is known of it, mutes, and how many are open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, select, true, tuple_

from uncia.dashboard.catalogue.cursors import encode, parse_position
from uncia.dashboard.catalogue.filters import day_conditions
from uncia.dashboard.catalogue.rows import AlertHandling, AlertMute, AlertRevision, AlertRow, OpenAlerts
from uncia.dashboard.catalogue.tables import (
    alert_acknowledgements,
    alert_handlings,
    alert_mutes,
    alert_revisions,
    alerts,
)

__all__ = ["AlertFilter", "AlertPage", "Alerts"]

Stations = Iterable[str] | None

_OPEN_FOR = timedelta(days=30)
"""The worker changes no alert that has not changed for so long: what was not acknowledged until then is not open."""
_MOST_COUNTED = 1000
_MOST_MUTES = 200


@dataclass(frozen=True)
class AlertFilter:
    """What a list of alerts is limited to; a default limits nothing."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    since: date | None = None
    """First day on which it was raised, in UTC."""
    until: date | None = None
    """Last day."""
    acknowledged: bool | None = None


@dataclass(frozen=True)
class AlertPage:
    """A page of a list. `after`: where the next page begins; None: there is none."""

    rows: tuple[AlertRow, ...]
    after: str | None


class Alerts:
    """Queries on one database. Safe from any thread; each method is one transaction.

    Each takes the stations that the caller may see (None: all), and returns nothing of any other.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        chosen: AlertFilter | None = None,
        limit: int = 50,
        after: str | None = None,
        stations: Stations = None,
        now: datetime | None = None,
    ) -> AlertPage:
        """A page of alerts, the last raised first. `after`: the value of the page before. Raises `BadCursor`."""
        statement = _joined().where(*_conditions(chosen or AlertFilter()), *_rights(stations))
        if after is not None:
            statement = statement.where(
                tuple_(alerts.c.raised_at, alerts.c.alert_id) < tuple_(*parse_position(after, utc=True))
            )
        newest = statement.order_by(alerts.c.raised_at.desc(), alerts.c.alert_id.desc()).limit(limit + 1)
        with self._engine.begin() as connection:
            found = connection.execute(newest).mappings().all()
            mutes = _active(connection, now)
        rows = tuple(_alert(row, mutes) for row in found[:limit])
        return AlertPage(rows, _cursor(rows[-1]) if len(found) > limit else None)

    def alert(self, alert_id: str, stations: Stations = None, now: datetime | None = None) -> AlertRow | None:
        """One alert; None where there is none that the caller may see."""
        with self._engine.begin() as connection:
            wanted = _joined().where(alerts.c.alert_id == alert_id, *_rights(stations))
            row = connection.execute(wanted).mappings().first()
            return None if row is None else _alert(row, _active(connection, now))

    def revisions(self, alert_id: str) -> list[AlertRevision]:
        """Those that were read, the newest first."""
        wanted = select(alert_revisions).where(alert_revisions.c.alert_id == alert_id)
        with self._engine.begin() as connection:
            rows = connection.execute(wanted.order_by(alert_revisions.c.revision.desc())).mappings()
            return [AlertRevision.of(row) for row in rows]

    def handlings(self, alert_id: str) -> list[AlertHandling]:
        """Acknowledgements of an alert and their ends, the newest first."""
        wanted = select(alert_handlings).where(alert_handlings.c.alert_id == alert_id)
        with self._engine.begin() as connection:
            rows = connection.execute(wanted.order_by(alert_handlings.c.version.desc())).mappings()
            return [AlertHandling.of(row) for row in rows]

    def has_handling(self, handling_id: str) -> bool:
        """Whether an event has arrived in the catalogue."""
        wanted = select(alert_handlings.c.handling_id).where(alert_handlings.c.handling_id == handling_id)
        with self._engine.begin() as connection:
            return connection.execute(wanted).first() is not None

    def mutes(self, stations: Stations = None, now: datetime | None = None) -> list[AlertMute]:
        """The mutes that are in force and concern the caller: of its stations, or of a rule at all cameras."""
        with self._engine.begin() as connection:
            found = _active(connection, now)
        allowed = None if stations is None else set(stations)
        return [mute for mute in found if allowed is None or not mute.camera or mute.station in allowed]

    def mute(self, rule: str, camera: str) -> AlertMute | None:
        """The last mute of exactly this rule and camera, in force or not."""
        wanted = select(alert_mutes).where(alert_mutes.c.rule == rule, alert_mutes.c.camera == camera)
        with self._engine.begin() as connection:
            row = connection.execute(wanted).mappings().first()
            return None if row is None else AlertMute.of(row)

    def rules(self, stations: Stations = None) -> list[str]:
        """The names of the rules that have raised alerts."""
        wanted = select(alerts.c.rule).where(alerts.c.rule.is_not(None), *_rights(stations)).distinct()
        with self._engine.begin() as connection:
            return sorted(connection.execute(wanted).scalars())

    def standing(self, cause: str, stations: Stations = None) -> list[AlertRow]:
        """The alerts of a cause that are not withdrawn, the last raised first."""
        wanted = _joined().where(
            alerts.c.state != "withdrawn", alerts.c.content["cause"].as_string() == cause, *_rights(stations)
        )
        newest = wanted.order_by(alerts.c.raised_at.desc(), alerts.c.alert_id.desc()).limit(_MOST_COUNTED)
        with self._engine.begin() as connection:
            mutes = _active(connection, None)
            return [_alert(row, mutes) for row in connection.execute(newest).mappings()]

    def open(self, stations: Stations = None, now: datetime | None = None) -> OpenAlerts:
        """The alerts that are not handled yet: of the last 30 days, neither withdrawn nor acknowledged nor muted."""
        now = now or datetime.now(UTC)
        waiting = (
            _joined()
            .where(
                alerts.c.raised_at > now - _OPEN_FOR,
                alerts.c.state != "withdrawn",
                func.coalesce(alert_acknowledgements.c.acknowledged, False).is_(False),
                *_rights(stations),
            )
            .order_by(alerts.c.raised_at.desc(), alerts.c.alert_id.desc())
        )
        with self._engine.begin() as connection:
            mutes = _active(connection, now)
            waiting = waiting.where(*(~_is_muted_by(mute) for mute in mutes)).limit(_MOST_COUNTED)
            inner = waiting.with_only_columns(alerts.c.alert_id, alerts.c.kind).subquery()
            counted = connection.execute(
                select(inner.c.kind, func.count()).select_from(inner).group_by(inner.c.kind)
            ).all()
            newest = connection.execute(waiting.limit(1)).mappings().first()
        counts = {row[0]: row[1] for row in counted}
        return OpenAlerts(sum(counts.values()), counts, _alert(newest, ()) if newest is not None else None)


def _joined() -> Select[Any]:
    acknowledged = alert_acknowledgements.c
    return select(
        alerts,
        acknowledged.acknowledged,
        acknowledged.handling_id,
        acknowledged.account,
        acknowledged.note,
        acknowledged.handled_at,
        acknowledged.alert_revision,
    ).select_from(alerts.outerjoin(alert_acknowledgements, alerts.c.alert_id == acknowledged.alert_id))


def _alert(row: Any, mutes: Sequence[AlertMute]) -> AlertRow:
    content = row["content"]
    return AlertRow.of(
        row,
        severity=row["kind"],
        rule=row["rule"] or content.get("rule", ""),
        acknowledged=bool(row["acknowledged"]),
        revision=content["revision"],
        summary=content["summary"],
        updated_at=datetime.fromisoformat(content["updated_at"]),
        mutes=tuple(mute for mute in mutes if mute.rule in ("", row["rule"]) and mute.camera in ("", row["camera"])),
    )


def _active(connection: Connection, now: datetime | None) -> list[AlertMute]:
    wanted = select(alert_mutes).where(alert_mutes.c.until > (now or datetime.now(UTC)))
    rows = connection.execute(wanted.order_by(alert_mutes.c.until).limit(_MOST_MUTES)).mappings()
    return [AlertMute.of(row) for row in rows]


def _is_muted_by(mute: AlertMute) -> ColumnElement[bool]:
    by_rule = alerts.c.rule == mute.rule if mute.rule else true()
    return and_(by_rule, alerts.c.camera == mute.camera if mute.camera else true())


def _rights(stations: Stations) -> list[ColumnElement[bool]]:
    return [] if stations is None else [alerts.c.station.in_(sorted(set(stations)))]


def _conditions(chosen: AlertFilter) -> list[ColumnElement[bool]]:
    conditions = day_conditions(alerts.c.raised_at, chosen.since, chosen.until, UTC)
    for column, values in (
        (alerts.c.state, chosen.states),
        (alerts.c.kind, chosen.severities),
        (alerts.c.rule, chosen.rules),
        (alerts.c.station, chosen.stations),
        (alerts.c.camera, chosen.cameras),
    ):
        if values:
            conditions.append(column.in_(sorted(set(values))))
    if chosen.acknowledged is not None:
        acknowledged = func.coalesce(alert_acknowledgements.c.acknowledged, False)
        conditions.append(acknowledged.is_(chosen.acknowledged))
    return conditions


def _cursor(row: AlertRow) -> str:
    return encode([row.raised_at.isoformat(), row.alert_id])
