"""The read side of the catalogue: what the pages, the API and the exports ask.

Every query takes the stations that the caller may see (None: all), and returns nothing of any other.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, literal, select, tuple_

from uncia.camtrap.hidden_people import BurstEvidence
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.burst_reviews import reviews_of
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.column_cache import ColumnCache
from uncia.dashboard.catalogue.column_counts import column_facets, column_ranges
from uncia.dashboard.catalogue.cursors import INVALID, BadCursor, decode, encode
from uncia.dashboard.catalogue.facets import count_by_facet, count_flags, count_groups, facets_of
from uncia.dashboard.catalogue.filters import (
    BurstFilter,
    BurstOrder,
    Scope,
    all_conditions,
    read_scope,
    rights,
    sampled,
)
from uncia.dashboard.catalogue.look_alikes import LookAlikePage, with_embeddings
from uncia.dashboard.catalogue.nearby_deployments import NearbyDeployments, nearby_deployments
from uncia.dashboard.catalogue.people import person_evidence
from uncia.dashboard.catalogue.rows import (
    AlertChange,
    BurstChange,
    BurstDetail,
    BurstPage,
    BurstRow,
    CameraDay,
    CameraHealth,
    Crop,
    Explanation,
    Facets,
    FetchRequest,
    Frame,
    FrameDetail,
    Neighbours,
    Observation,
    Photograph,
    Rejection,
    ReportedQuantity,
    Review,
    Revision,
    StoredCrop,
    StoredExplanation,
)
from uncia.dashboard.catalogue.tables import (
    alert_acknowledgements,
    alert_mutes,
    alerts,
    burst_flags,
    burst_frames,
    burst_revisions,
    bursts,
    camera_clocks,
    camera_days,
    camera_status,
    cameras,
    captures,
    counters,
    crops,
    deployments,
    explanation_requests,
    explanations,
    fetch_requests,
    observations,
    static_objects,
    taxa,
)
from uncia.fetch_requests import fetch_id, thumbnail_key
from uncia.storage.object_keys import is_thumbnail_key

__all__ = ["Catalogue"]

Stations = Iterable[str] | None
_Stored = TypeVar("_Stored", Photograph, StoredCrop, StoredExplanation)

_ORDER = {
    BurstOrder.NEWEST: (bursts.c.started_at, True),
    BurstOrder.OLDEST: (bursts.c.started_at, False),
    BurstOrder.UPDATED: (bursts.c.updated_at, True),
    BurstOrder.UNCERTAIN: (bursts.c.uncertainty, True),
}
_BURST_COLUMNS = [bursts.c[name] for name in BurstRow.__dataclass_fields__ if name in bursts.c]
_CHANGES = (bursts.c.change, alerts.c.change, alert_acknowledgements.c.change, alert_mutes.c.change)
_FRAME_COLUMNS = [burst_frames.c[name] for name in Frame.__dataclass_fields__]


class Catalogue:
    """Queries on one database. Safe from any thread; each method is one transaction.

    With `columns`, facets are counted in memory as soon as these are there; the result is the same.
    """

    def __init__(self, engine: Engine, taxonomy: Taxonomy | None = None, columns: ColumnCache | None = None) -> None:
        self._engine = engine
        self._taxonomy = taxonomy or Taxonomy.load()
        self._columns = columns

    def bursts(
        self,
        chosen: BurstFilter | None = None,
        order: BurstOrder = BurstOrder.NEWEST,
        limit: int = 50,
        after: str | None = None,
        stations: Stations = None,
    ) -> BurstPage:
        """A page of bursts. `after`: the value of the page before. Raises `BadCursor`.

        Pages follow each other without a jump: a burst that arrives meanwhile moves none to another page.
        """
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            return _burst_page(connection, chosen or BurstFilter(), scope, order, limit, after)

    def sample(
        self, chosen: BurstFilter | None = None, start: str = "", limit: int = 50, stations: Stations = None
    ) -> tuple[BurstRow, ...]:
        """Up to `limit` bursts of a filter in the order of their ids, from `start` on; the first id follows the last.

        Ids are digests, which depend neither on the time nor on the verdict: from a random start, these bursts are a
        random sample of all.
        """
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = sampled(chosen or BurstFilter(), scope, _BURST_COLUMNS)
            rows = connection.execute(statement.where(bursts.c.burst_id >= start).limit(limit)).mappings().all()
            if len(rows) < limit:
                rest = statement.where(bursts.c.burst_id < start).limit(limit - len(rows))
                rows = [*rows, *connection.execute(rest).mappings()]
            return _with_frames(connection, rows)

    def look_alikes(
        self,
        chosen: BurstFilter | None = None,
        order: BurstOrder = BurstOrder.NEWEST,
        limit: int = 50,
        after: str | None = None,
        stations: Stations = None,
    ) -> LookAlikePage:
        """The same page as `bursts`, with the embeddings and crops of its bursts. Raises `BadCursor`."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            page = _burst_page(connection, chosen or BurstFilter(), scope, order, limit, after)
            return LookAlikePage(with_embeddings(connection, page.rows), page.after)

    def deployments_near(self, camera: str, time: datetime) -> NearbyDeployments:
        """The deployments of a camera and of those around it at a time of its clock. With exact positions: secret."""
        with self._engine.begin() as connection:
            return nearby_deployments(connection, camera, time)

    def facets(self, chosen: BurstFilter | None = None, stations: Stations = None) -> Facets:
        """Counts of bursts by the value of each filter; each facet disregards its own filter."""
        chosen = chosen or BurstFilter()
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            labels = {row.taxon: row.label for row in connection.execute(select(taxa).order_by(taxa.c.label.desc()))}
        with nullcontext() if self._columns is None else self._columns.current() as columns:
            if columns is not None:
                counts, flags = column_facets(columns, chosen, scope)
                return facets_of(counts, chosen, scope, labels, flags, column_ranges(columns, chosen, scope))
        with self._engine.begin() as connection:
            counts = count_by_facet(count_groups(connection, chosen, scope), chosen, scope)
            flags = count_flags(connection, chosen, scope)
        return facets_of(counts, chosen, scope, labels, flags)

    def burst(self, burst_id: str, stations: Stations = None) -> BurstDetail | None:
        """Everything about a burst; None where there is none that the caller may see."""
        with self._engine.begin() as connection:
            found = select(bursts).where(bursts.c.burst_id == burst_id, *rights(self._scope(connection, stations)))
            row = connection.execute(found).mappings().first()
            return None if row is None else _detail(connection, row)

    def neighbours(self, burst_id: str, chosen: BurstFilter | None = None, stations: Stations = None) -> Neighbours:
        """The bursts of the same camera before and after a burst, among those that a filter allows."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            found = select(bursts.c.camera, bursts.c.started_at).where(bursts.c.burst_id == burst_id, *rights(scope))
            here = connection.execute(found).first()
            if here is None:
                return Neighbours(None, None)
            place = tuple_(bursts.c.started_at, bursts.c.burst_id)
            this = tuple_(here.started_at, burst_id)
            own = select(*_BURST_COLUMNS).where(
                bursts.c.camera == here.camera, *all_conditions(chosen or BurstFilter(), scope)
            )
            before = connection.execute(_sorted(own.where(place < this), bursts.c.started_at, True).limit(1))
            after = connection.execute(_sorted(own.where(place > this), bursts.c.started_at, False).limit(1))
            one, other = before.mappings().all(), after.mappings().all()
            return Neighbours(
                next(iter(_with_frames(connection, one)), None), next(iter(_with_frames(connection, other)), None)
            )

    def newest_change(self) -> int:
        """The number of the last change; 0 in an empty catalogue."""
        with self._engine.begin() as connection:
            numbers = [connection.execute(select(func.max(column))).scalar() for column in _CHANGES]
            return max((number for number in numbers if number), default=0)

    def changes(self, after: int, limit: int = 100, stations: Stations = None) -> list[BurstChange]:
        """Bursts that changed after the change `after`, in order of their last change.

        Changes of one number are never torn apart, so that there can be a few more than `limit`. Numbers rise with
        every transaction, and survive restarts and rebuilds: who reads those after the last one misses none.
        """
        with self._engine.begin() as connection:
            own = rights(self._scope(connection, stations))
            return _burst_changes(connection, after, limit, None, own)

    def all_changes(self, after: int, limit: int = 100) -> list[BurstChange | AlertChange]:
        """Changes of bursts and of alerts together, in order, for all stations; otherwise as `changes`."""
        with self._engine.begin() as connection:
            # Read first: what is committed meanwhile has higher numbers, and is for the next call as a whole.
            newest = select(counters.c.value).where(counters.c.name == "change")
            last: int = connection.execute(newest).scalar() or 0
            found: list[BurstChange | AlertChange] = [*_burst_changes(connection, after, limit, last)]
            if len(found) >= limit:
                last = found[-1].number
            for column, name in (
                (alerts.c.change, alerts.c.alert_id),
                (alert_acknowledgements.c.change, alert_acknowledgements.c.alert_id),
                (alert_mutes.c.change, literal("")),
            ):
                wanted = select(column, name).where(column > after, column <= last)
                found += [AlertChange(number, alert_id) for number, alert_id in connection.execute(wanted).all()]
        # Bursts last: a stream of bursts alone gets the position with the last change of each number.
        return sorted(dict.fromkeys(found), key=lambda change: (change.number, isinstance(change, BurstChange)))

    def bursts_of(self, burst_ids: Sequence[str], stations: Stations = None) -> dict[str, BurstRow]:
        """Bursts by their ids, without those that the caller may not see."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            wanted = select(*_BURST_COLUMNS).where(bursts.c.burst_id.in_(sorted(set(burst_ids))), *rights(scope))
            found = _with_frames(connection, connection.execute(wanted).mappings().all())
            return {row.burst_id: row for row in found}

    def camera_health(self, days: int = 14, today: date | None = None, stations: Stations = None) -> list[CameraHealth]:
        """The condition of every camera, by name, with its activity in the last `days` days up to `today`.

        Default: the day that has begun in the easternmost time zone.
        """
        until = today or (datetime.now(UTC) + timedelta(hours=14)).date()
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            return _camera_health(connection, scope, until - timedelta(days=days - 1), until)

    def camera_days(
        self, camera: str, since: date | None = None, until: date | None = None, stations: Stations = None
    ) -> list[CameraDay]:
        """What a camera captured by day; days without a photograph have no row."""
        with self._engine.begin() as connection:
            if camera not in self._scope(connection, stations).stations:
                return []
            statement = select(camera_days).where(camera_days.c.camera == camera).order_by(camera_days.c.day)
            if since is not None:
                statement = statement.where(camera_days.c.day >= since)
            if until is not None:
                statement = statement.where(camera_days.c.day <= until)
            return [CameraDay.of(row) for row in connection.execute(statement).mappings()]

    def rejections(self, limit: int = 50, stations: Stations = None) -> list[Rejection]:
        """The photographs that were rejected last."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = select(captures).where(captures.c.state == "rejected")
            if scope.restricted:
                statement = statement.where(captures.c.camera.in_(sorted(scope.stations)))
            newest = statement.order_by(captures.c.uploaded_at.desc(), captures.c.upload_id).limit(limit)
            return [Rejection.of(row) for row in connection.execute(newest).mappings()]

    def cameras(self, stations: Stations = None) -> dict[str, str]:
        """Station by camera."""
        with self._engine.begin() as connection:
            return dict(sorted(self._scope(connection, stations).stations.items()))

    def photograph(self, image_id: str, stations: Stations = None) -> Photograph | None:
        """Where a photograph is stored; None where there is none that the caller may see."""
        found = select(captures).where(captures.c.image_id == image_id).order_by(captures.c.uploaded_at.desc())
        return self._first(found, Photograph, stations)

    def person_evidence(self, image_id: str) -> tuple[BurstEvidence, ...]:
        """What is known of persons in a photograph, by each burst that contains it."""
        with self._engine.begin() as connection:
            return person_evidence(connection, image_id)

    def crop(self, crop_id: str, stations: Stations = None) -> StoredCrop | None:
        """Where a crop is stored; None where it was withdrawn, or there is none that the caller may see."""
        return self._first(
            select(crops).where(crops.c.crop_id == crop_id, crops.c.withdrawn.is_(None)), StoredCrop, stations
        )

    def explanation(self, explanation_id: str, stations: Stations = None) -> StoredExplanation | None:
        """Where an explanation is stored; None where there is none that the caller may see."""
        found = select(explanations).where(explanations.c.explanation_id == explanation_id)
        return self._first(found, StoredExplanation, stations)

    def _first(self, statement: Select[Any], kind: type[_Stored], stations: Stations) -> _Stored | None:
        with self._engine.begin() as connection:
            row = connection.execute(statement.limit(1)).mappings().first()
        if row is None or (stations is not None and row["station"] not in set(stations)):
            return None
        return kind.of(row)

    def _scope(self, connection: Connection, stations: Stations) -> Scope:
        return read_scope(connection, self._taxonomy, stations)


def _burst_changes(
    connection: Connection, after: int, limit: int, last: int | None = None, own: Sequence[ColumnElement[bool]] = ()
) -> list[BurstChange]:
    within = [bursts.c.change > after, *own] if last is None else [bursts.c.change > after, bursts.c.change <= last]
    wanted = select(bursts.c.change, bursts.c.burst_id).order_by(bursts.c.change, bursts.c.burst_id)
    rows = connection.execute(wanted.where(*within).limit(limit)).all()
    if len(rows) == limit:
        same = connection.execute(wanted.where(bursts.c.change == rows[-1].change, *own)).all()
        rows = [*(row for row in rows if row.change < same[0].change), *same]
    return [BurstChange(row.change, row.burst_id) for row in rows]


def _burst_page(
    connection: Connection, chosen: BurstFilter, scope: Scope, order: BurstOrder, limit: int, after: str | None
) -> BurstPage:
    column, descending = _ORDER[order]
    statement = select(*_BURST_COLUMNS).where(*all_conditions(chosen, scope))
    if after is not None:
        statement = statement.where(_beyond(order, after))
    rows = connection.execute(_sorted(statement, column, descending).limit(limit + 1)).mappings().all()
    more = len(rows) > limit
    return BurstPage(_with_frames(connection, rows[:limit]), _cursor(order, rows[limit - 1]) if more else None)


def _sorted(statement: Select[Any], column: Any, descending: bool) -> Select[Any]:
    if descending:
        return statement.order_by(column.desc(), bursts.c.burst_id.desc())
    return statement.order_by(column, bursts.c.burst_id)


def _cursor(order: BurstOrder, row: Any) -> str:
    value = row[_ORDER[order][0].name]
    return encode([order.value, value.isoformat() if isinstance(value, datetime) else value, row["burst_id"]])


def _beyond(order: BurstOrder, after: str) -> Any:
    column, descending = _ORDER[order]
    try:
        name, value, burst_id = decode(after)
        if name != order.value or not isinstance(burst_id, str):
            raise ValueError(name)
        limit = float(value) if order is BurstOrder.UNCERTAIN else datetime.fromisoformat(value)
        if order is BurstOrder.UPDATED and limit.tzinfo is None:  # type: ignore[union-attr]
            raise ValueError(value)
    except INVALID as error:
        raise BadCursor from error
    place, this = tuple_(column, bursts.c.burst_id), tuple_(limit, burst_id)
    return place < this if descending else place > this


def _with_frames(connection: Connection, rows: Sequence[Any]) -> tuple[BurstRow, ...]:
    statement = (
        select(burst_frames.c.burst_id, *_FRAME_COLUMNS)
        .where(burst_frames.c.burst_id.in_([row["burst_id"] for row in rows]))
        .order_by(burst_frames.c.burst_id, burst_frames.c.number)
    )
    frames: dict[str, list[Frame]] = {}
    for frame in connection.execute(statement).mappings() if rows else ():
        frames.setdefault(frame["burst_id"], []).append(Frame.of(frame))
    marked = (
        select(burst_flags.c.burst_id, burst_flags.c.flag)
        .where(burst_flags.c.burst_id.in_([row["burst_id"] for row in rows]), burst_flags.c.source == "human")
        .order_by(burst_flags.c.flag)
    )
    marks: dict[str, list[str]] = {}
    for mark in connection.execute(marked) if rows else ():
        marks.setdefault(mark.burst_id, []).append(mark.flag)
    return tuple(
        BurstRow.of(row, frames=tuple(frames.get(row["burst_id"], ())), marks=tuple(marks.get(row["burst_id"], ())))
        for row in rows
    )


def _detail(connection: Connection, row: Any) -> BurstDetail:
    burst_id = row["burst_id"]

    def own(table: Any, *order: Any) -> list[Any]:
        statement = select(table).where(table.c.burst_id == burst_id).order_by(*order)
        return list(connection.execute(statement).mappings())

    photographs = [
        captures.c[name]
        for name in FrameDetail.__dataclass_fields__
        if name not in burst_frames.c and name in captures.c
    ]
    joined = burst_frames.outerjoin(captures, captures.c.upload_id == burst_frames.c.upload_id)
    frames = connection.execute(
        select(burst_frames, *photographs)
        .select_from(joined)
        .where(burst_frames.c.burst_id == burst_id)
        .order_by(burst_frames.c.number)
    ).mappings()
    details = tuple(FrameDetail.of(frame) for frame in frames)
    reviewed = reviews_of(connection, {burst_id: row["event_review_id"]}).get(burst_id, ())
    flags: dict[str, tuple[str, ...]] = {}
    for flag in own(burst_flags, burst_flags.c.flag):
        flags[flag["source"]] = (*flags.get(flag["source"], ()), flag["flag"])
    strip = tuple(Frame(**{name: getattr(frame, name) for name in Frame.__dataclass_fields__}) for frame in details)
    named = [name for name in BurstDetail.__dataclass_fields__ if name in row and name != "frames"]
    return BurstDetail(
        burst=BurstRow.of(row, frames=strip, marks=flags.get("human", ())),
        frames=details,
        flags=flags,
        observations=tuple(
            Observation.of(line) for line in own(observations, observations.c.source, observations.c.number)
        ),
        reviews=tuple(map(Review.of, sorted(reviewed, key=_newest_first))),
        revisions=tuple(Revision.of(line) for line in own(burst_revisions, burst_revisions.c.revision.desc())),
        crops=tuple(Crop.of(line) for line in own(crops, crops.c.score.desc()) if line["withdrawn"] is None),
        explanations=_explanations(connection, [frame.image_id for frame in details]),
        fetches=_fetches(connection, details),
        **{name: row[name] for name in named},
    )


def _newest_first(review: Row) -> tuple[float, str]:
    return -review["reviewed_at"].timestamp(), review["review_id"]


def _explanations(connection: Connection, images: list[str]) -> tuple[Explanation, ...]:
    """Explanations and requests of these photographs, the newest first."""
    requests = select(explanation_requests).where(explanation_requests.c.image_id.in_(images))
    requested = {row["explanation_id"]: row for row in connection.execute(requests).mappings()}
    results = select(explanations).where(explanations.c.image_id.in_(images))
    found = {row["explanation_id"]: row for row in connection.execute(results).mappings()}
    values = [Explanation.of({**requested.get(name, {}), **found.get(name, {})}) for name in {**requested, **found}]
    oldest = datetime(1, 1, 1, tzinfo=UTC)
    return tuple(
        sorted(
            values, key=lambda explanation: explanation.explained_at or explanation.requested_at or oldest, reverse=True
        )
    )


def _fetches(connection: Connection, frames: Sequence[FrameDetail]) -> dict[str, FetchRequest]:
    """The requests of the whole photographs of these frames: of thumbnails, and of photographs that have arrived."""
    keys = {
        frame.image_id: frame.key if is_thumbnail_key(frame.key) else thumbnail_key(frame.key)
        for frame in frames
        if frame.key.count("/") > 1
    }
    ids = {image: fetch_id(key) for image, key in keys.items()}
    found = select(fetch_requests).where(fetch_requests.c.fetch_id.in_(list(ids.values())))
    requested = {row["fetch_id"]: FetchRequest.of(row) for row in connection.execute(found).mappings()}
    return {image: requested[one] for image, one in ids.items() if one in requested}


def _camera_health(connection: Connection, scope: Scope, since: date, until: date) -> list[CameraHealth]:
    known, now = sorted(scope.stations), datetime.now(UTC)
    active: dict[str, Any] = {
        row.camera: row
        for row in connection.execute(
            select(
                camera_days.c.camera,
                func.sum(camera_days.c.captures).label("captures"),
                func.sum(camera_days.c.rejected).label("rejected"),
                func.count().label("days"),
            )
            # By camera, so that SQLite reads the days in the order of the groups: half the time.
            .where(camera_days.c.camera.in_(select(cameras.c.camera)), camera_days.c.day.between(since, until))
            .group_by(camera_days.c.camera)
        )
    }
    unanswered = select(captures.c.camera, func.count()).where(captures.c.state == "uploaded")
    waiting: dict[str, int] = {row[0]: row[1] for row in connection.execute(unanswered.group_by(captures.c.camera))}
    clocks = {row["camera"]: row for row in connection.execute(select(camera_clocks)).mappings()}
    objects = {row["camera"]: row["objects"] for row in connection.execute(select(static_objects)).mappings()}
    reported: dict[str, dict[str, ReportedQuantity]] = {}
    for row in connection.execute(select(camera_status)).mappings():
        reported.setdefault(row["camera"], {})[row["quantity"]] = ReportedQuantity.of(row)
    deployed: dict[str, Any] = {}
    for place in connection.execute(select(deployments).order_by(deployments.c.starts_at)).mappings():
        # One that is planned counts only where there is no earlier one.
        if place["starts_at"] <= now or place["camera"] not in deployed:
            deployed[place["camera"]] = place
    newest = _newest_captures(connection, known)
    return [
        _health_of(camera, scope.stations[camera], newest, active, waiting, clocks, objects, deployed, reported)
        for camera in known
    ]


def _newest_captures(connection: Connection, known: list[str]) -> dict[str, Row]:
    """The photograph of each camera that was stored last: one look into an index per camera."""
    other = captures.alias()
    last = (
        select(other.c.upload_id)
        .where(other.c.camera == cameras.c.camera)
        .order_by(other.c.uploaded_at.desc())
        .limit(1)
        .correlate(cameras)
        .scalar_subquery()
    )
    found: dict[str, Row] = {}
    for start in range(0, len(known), 500):
        own = select(last).where(cameras.c.camera.in_(known[start : start + 500]))
        rows = connection.execute(select(captures).where(captures.c.upload_id.in_(own))).mappings()
        found |= {row["camera"]: row for row in rows}
    return found


def _health_of(
    camera: str,
    station: str,
    newest: dict[str, Row],
    active: dict[str, Any],
    waiting: dict[str, int],
    clocks: dict[str, Any],
    objects: dict[str, Any],
    deployed: dict[str, Any],
    reported: dict[str, dict[str, ReportedQuantity]],
) -> CameraHealth:
    last: Row = newest.get(camera, {})
    days, clock, place = active.get(camera), clocks.get(camera, {}), deployed.get(camera, {})
    return CameraHealth(
        camera=camera,
        station=station,
        last_contact=last.get("uploaded_at"),
        last_capture=last.get("captured_at"),
        temperature_c=last.get("temperature_c"),
        battery_v=last.get("battery_v"),
        make=last.get("make"),
        model=last.get("model"),
        serial=last.get("serial"),
        captures=days.captures if days else 0,
        rejected=days.rejected if days else 0,
        active_days=days.days if days else 0,
        pending=waiting.get(camera, 0),
        clock=clock.get("verdict"),
        clock_reasons=clock.get("reasons") or [],
        clock_offset_s=clock.get("offset_s"),
        static_objects=objects.get(camera) or [],
        deployment_id=place.get("deployment_id"),
        deployed_since=place.get("starts_at"),
        deployed_until=place.get("ends_at"),
        contact_interval_s=place.get("contact_interval_s"),
        reported=reported.get(camera, {}),
    )
