"""Which photographs a choice of `uncia forget` means, and what was derived from them, by the catalogue."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, or_, select

from uncia.camtrap.hidden_people import PERSON_TAXON
from uncia.dashboard.catalogue.tables import (
    burst_frames,
    bursts,
    cameras,
    captures,
    crops,
    detections,
    explanations,
    observations,
)
from uncia.events import IMAGE_FORGOTTEN, BurstCategory

__all__ = ["Choice", "Derived", "derived_of", "known_cameras", "photographs_of", "still_known"]

Rows = list[Mapping[Any, Any]]
_PERSON = BurstCategory.PERSON.value
_AT_ONCE = 500


@dataclass(frozen=True)
class Choice:
    """Photographs that all conditions mean; a choice without any means none."""

    images: tuple[str, ...] = ()
    camera: str | None = None
    since: datetime | None = None
    """By the camera's clock, without an offset."""
    until: datetime | None = None
    """Exclusive."""
    people: bool = False
    """Those of bursts with a person."""
    expired: Mapping[str, datetime] = field(default_factory=dict)
    """By category of the burst: those that were stored before this time. A burst with a person is one of persons."""


@dataclass(frozen=True)
class Derived:
    """What was made of some photographs."""

    bursts: list[tuple[str, str]]
    """Camera and id of each burst that lists one."""
    crops: Rows
    explanations: Rows


def known_cameras(connection: Connection) -> list[str]:
    """The names of all cameras."""
    return list(connection.execute(select(cameras.c.camera).order_by(cameras.c.camera)).scalars())


def photographs_of(connection: Connection, choice: Choice, threshold: float) -> Rows:
    """The uploads that a choice means and that are not forgotten yet. `threshold`: score from which a person counts."""
    conditions: list[ColumnElement[bool]] = []
    # A photograph that is not predicted yet has no capture time, and is in no period.
    taken = captures.c.captured_at
    if choice.images:
        conditions.append(captures.c.image_id.in_(choice.images))
    if choice.camera is not None:
        conditions.append(captures.c.camera == choice.camera)
    if choice.since is not None:
        conditions.append(taken >= choice.since)
    if choice.until is not None:
        conditions.append(taken < choice.until)
    if not (conditions or choice.people or choice.expired):
        return []
    found = select(captures).where(
        or_(captures.c.rejection_reason.is_(None), captures.c.rejection_reason != IMAGE_FORGOTTEN), *conditions
    )
    rows: dict[str, Mapping[Any, Any]] = {}
    if not (choice.people or choice.expired):
        return _rows(connection, found)
    people = _with_person(connection, threshold)
    if choice.people:
        rows |= {row["upload_id"]: row for row in _in_bursts(connection, found, people)}
        lone = _lone_predictions(connection, threshold)
        rows |= {row["upload_id"]: row for row in _among(connection, found, captures.c.upload_id, lone)}
    for category, before in choice.expired.items():
        old = found.where(captures.c.uploaded_at < before)
        of_category = select(bursts.c.burst_id).where(bursts.c.category == category)
        chosen = people if category == _PERSON else set(connection.execute(of_category).scalars()) - people
        rows |= {row["upload_id"]: row for row in _in_bursts(connection, old, chosen)}
    return [rows[name] for name in sorted(rows)]


def derived_of(connection: Connection, images: Iterable[str]) -> Derived:
    """The bursts, crops and explanations of photographs."""
    wanted = sorted(set(images))
    listed = select(bursts.c.camera, bursts.c.burst_id).where(
        bursts.c.burst_id == burst_frames.c.burst_id  # One row for each frame; the set has each burst once.
    )
    found = {(row["camera"], row["burst_id"]) for row in _among(connection, listed, burst_frames.c.image_id, wanted)}
    return Derived(
        sorted(found),
        list(_among(connection, select(crops), crops.c.image_id, wanted)),
        list(_among(connection, select(explanations), explanations.c.image_id, wanted)),
    )


def still_known(connection: Connection, images: Iterable[str]) -> list[str]:
    """What the catalogue still says about photographs, in words; empty: nothing but that they are forgotten."""
    wanted, found = sorted(set(images)), []
    known = select(captures).where(
        or_(captures.c.rejection_reason.is_(None), captures.c.rejection_reason != IMAGE_FORGOTTEN)
    )
    found += [f"capture {row['upload_id']}" for row in _among(connection, known, captures.c.image_id, wanted)]
    frames = select(burst_frames)
    found += [f"frame of {row['burst_id']}" for row in _among(connection, frames, burst_frames.c.image_id, wanted)]
    shown = select(crops).where(crops.c.withdrawn.is_(None))
    found += [f"crop {row['crop_id']}" for row in _among(connection, shown, crops.c.image_id, wanted)]
    drawn = select(explanations).where(explanations.c.heat_map_key.is_not(None))
    found += [
        f"explanation {row['explanation_id']}" for row in _among(connection, drawn, explanations.c.image_id, wanted)
    ]
    return found


def _with_person(connection: Connection, threshold: float) -> set[str]:
    """The bursts with a person, as `hidden_people` understands it."""
    verdict = select(bursts.c.burst_id).where(
        or_(
            bursts.c.category == _PERSON,
            bursts.c.model_category == _PERSON,
            bursts.c.taxon == PERSON_TAXON,
            bursts.c.model_taxon == PERSON_TAXON,
        )
    )
    seen = select(observations.c.burst_id).where(
        or_(observations.c.category == _PERSON, observations.c.taxon == PERSON_TAXON),
        or_(observations.c.certain.is_(None), observations.c.certain),
    )
    frames = select(burst_frames.c.burst_id).where(burst_frames.c.category == _PERSON)
    found = {name for statement in (verdict, seen, frames) for name in connection.execute(statement).scalars()}
    boxed = select(burst_frames.c.burst_id, burst_frames.c.boxes).where(
        cast(burst_frames.c.boxes, String).like(f'%"{_PERSON}"%')
    )
    for row in connection.execute(boxed):
        if any(
            box["category"] == _PERSON and box.get("score", 1.0) >= threshold and not box.get("static")
            for box in row.boxes or ()
        ):
            found.add(row.burst_id)
    return found


def _lone_predictions(connection: Connection, threshold: float) -> list[str]:
    """Uploads with a detection of a person that no burst lists with boxes."""
    listed = select(burst_frames.c.upload_id).where(cast(burst_frames.c.boxes, String) != "null")
    lone = select(detections.c.upload_id).where(
        and_(
            detections.c.category == _PERSON,
            detections.c.score >= threshold,
            detections.c.upload_id.not_in(listed),
        )
    )
    return sorted(set(connection.execute(lone).scalars()))


def _in_bursts(connection: Connection, found: Select[Any], names: Iterable[str]) -> Iterator[Mapping[Any, Any]]:
    """Uploads of photographs that these bursts list, copies under other keys included."""
    listed: set[str] = set()
    frames = select(burst_frames.c.image_id, burst_frames.c.burst_id)
    for row in _among(connection, frames, burst_frames.c.burst_id, sorted(names)):
        listed.add(row["image_id"])
    yield from _among(connection, found, captures.c.image_id, sorted(listed))


def _among(
    connection: Connection, statement: Select[Any], column: Any, values: list[str]
) -> Iterator[Mapping[Any, Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield from _rows(connection, statement.where(column.in_(values[start : start + _AT_ONCE])))


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return list(connection.execute(statement).mappings())
