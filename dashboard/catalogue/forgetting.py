"""Which photographs a choice of `uncia forget` means, and what was derived from them, by the catalogue."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, or_, select

from uncia.camtrap.hidden_people import PERSON_TAXA
from uncia.dashboard.catalogue.tables import (
    burst_frames,
    bursts,
    cameras,
    captures,
    crops,
    detections,
    explanations,
    observations,
    recordings,
)
from uncia.events import IMAGE_FORGOTTEN, BurstCategory

__all__ = [
    "Choice",
    "Derived",
    "copies_of",
    "derived_of",
    "forgotten_among",
    "known_cameras",
    "photographs_of",
    "still_known",
]

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
    """Those of bursts with a person, and `voices`."""
    expired: Mapping[str, datetime] = field(default_factory=dict)
    """By category of the burst: those that were stored before this time. A burst with a person is one of persons; so is
    a recording of `voices`."""
    uploads: tuple[str, ...] = ()
    """Likewise named as `images`, by the ids of their uploads: sound recordings."""
    voices: frozenset[str] = frozenset()
    """The uploads of sound recordings with a person's voice; a condition of `people` and `expired` alone."""


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
    """The uploads that a choice means and that are not forgotten yet. `threshold`: score from which a person counts.

    An upload that the catalogue has no prediction of has the id and the time of the photograph in its burst.
    """
    conditions: list[ColumnElement[bool]] = []
    if choice.images or choice.uploads:
        frames = select(burst_frames.c.upload_id).where(burst_frames.c.image_id.in_(choice.images))
        by_image = _by_frames(captures.c.image_id.in_(choice.images), captures.c.image_id, frames)
        conditions.append(or_(by_image, captures.c.upload_id.in_(choice.uploads)))
    if choice.camera is not None:
        conditions.append(captures.c.camera == choice.camera)
    if choice.since is not None or choice.until is not None:
        conditions.append(
            _by_frames(
                _within(captures.c.captured_at, choice),
                captures.c.captured_at,
                select(burst_frames.c.upload_id).where(_within(burst_frames.c.captured_at, choice)),
            )
        )
    if not (conditions or choice.people or choice.expired):
        return []
    found = _not_forgotten().where(*conditions)
    rows: dict[str, Mapping[Any, Any]] = {}
    if not (choice.people or choice.expired):
        return _with_image_ids(connection, _rows(connection, found))
    people = _with_person(connection, threshold)
    if choice.people:
        rows |= {row["upload_id"]: row for row in _in_bursts(connection, found, people)}
        lone = _lone_predictions(connection, threshold)
        lone += sorted(choice.voices)
        rows |= {row["upload_id"]: row for row in _among(connection, found, captures.c.upload_id, lone)}
    for category, before in choice.expired.items():
        old = found.where(captures.c.uploaded_at < before)
        of_category = select(bursts.c.burst_id).where(bursts.c.category == category)
        chosen = people if category == _PERSON else set(connection.execute(of_category).scalars()) - people
        in_chosen = _in_bursts(connection, old, chosen)
        others = _named_by_others_alone(connection, [row["upload_id"] for row in in_chosen], chosen)
        rows |= {row["upload_id"]: row for row in in_chosen if row["upload_id"] not in others}
        if category == _PERSON:
            # Such as those of a burst with more photographs than its event lists.
            lone = [*_lone_predictions(connection, threshold), *sorted(choice.voices)]
            rows |= {row["upload_id"]: row for row in _among(connection, old, captures.c.upload_id, lone)}
    return _with_image_ids(connection, [rows[name] for name in sorted(rows)])


def copies_of(connection: Connection, images: Iterable[str], uploads: Collection[str]) -> Rows:
    """Uploads of photographs that are not among `uploads` and not forgotten: the same content under other keys."""
    found = _among(connection, _not_forgotten(), captures.c.image_id, sorted(set(images)))
    return sorted((row for row in found if row["upload_id"] not in uploads), key=lambda row: str(row["key"]))


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


def still_known(
    connection: Connection, images: Iterable[str], uploads: Iterable[str], copies: Iterable[str] = ()
) -> list[str]:
    """What the catalogue still says about photographs, in words; empty: nothing but that they are forgotten.

    `uploads`: all that are forgotten; `copies`: those of them whose content stays under another key.
    """
    wanted, found = sorted(set(images)), []
    known = {row["upload_id"] for row in _among(connection, _not_forgotten(), captures.c.image_id, wanted)}
    known |= {
        row["upload_id"] for row in _among(connection, _not_forgotten(), captures.c.upload_id, sorted(set(uploads)))
    }
    found += [f"capture {name}" for name in sorted(known)]
    frames = select(burst_frames)
    found += [f"frame of {row['burst_id']}" for row in _among(connection, frames, burst_frames.c.image_id, wanted)]
    found += [
        f"frame of {row['burst_id']}"
        for row in _among(connection, frames, burst_frames.c.upload_id, sorted(set(copies)))
    ]
    shown = select(crops).where(crops.c.withdrawn.is_(None))
    found += [f"crop {row['crop_id']}" for row in _among(connection, shown, crops.c.image_id, wanted)]
    drawn = select(explanations).where(explanations.c.heat_map_key.is_not(None))
    found += [
        f"explanation {row['explanation_id']}" for row in _among(connection, drawn, explanations.c.image_id, wanted)
    ]
    # Calls count with a result that does.
    analysed = select(recordings).where(recordings.c.state != "forgotten")
    found += [
        f"recording {row['recording_id']}"
        for row in _among(connection, analysed, recordings.c.upload_id, sorted(set(uploads)))
    ]
    return found


def forgotten_among(connection: Connection, uploads: Iterable[str]) -> set[str]:
    """Those of some uploads that are forgotten already."""
    found = select(captures.c.upload_id).where(captures.c.rejection_reason == IMAGE_FORGOTTEN)
    return {row["upload_id"] for row in _among(connection, found, captures.c.upload_id, sorted(set(uploads)))}


def _with_person(connection: Connection, threshold: float) -> set[str]:
    """The bursts with a person, as `hidden_people` understands it."""
    verdict = select(bursts.c.burst_id).where(
        or_(
            bursts.c.category == _PERSON,
            bursts.c.model_category == _PERSON,
            bursts.c.taxon.in_(PERSON_TAXA),
            bursts.c.model_taxon.in_(PERSON_TAXA),
        )
    )
    seen = select(observations.c.burst_id).where(
        or_(observations.c.category == _PERSON, observations.c.taxon.in_(PERSON_TAXA)),
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


def _not_forgotten() -> Select[Any]:
    return select(captures).where(
        or_(captures.c.rejection_reason.is_(None), captures.c.rejection_reason != IMAGE_FORGOTTEN)
    )


def _within(time: ColumnElement[datetime], choice: Choice) -> ColumnElement[bool]:
    since = [time >= choice.since] if choice.since is not None else []
    return and_(*since, *([time < choice.until] if choice.until is not None else []))


def _by_frames(condition: ColumnElement[bool], column: ColumnElement[Any], frames: Select[Any]) -> ColumnElement[bool]:
    """A condition on a column of the prediction, or on the frames where there is no prediction."""
    return or_(condition, and_(column.is_(None), captures.c.upload_id.in_(frames)))


def _in_bursts(connection: Connection, found: Select[Any], names: Iterable[str]) -> Rows:
    """Uploads of photographs that these bursts list, copies under other keys included."""
    images, uploads = set[str](), set[str]()
    frames = select(burst_frames.c.image_id, burst_frames.c.upload_id, burst_frames.c.burst_id)
    for row in _among(connection, frames, burst_frames.c.burst_id, sorted(names)):
        images.add(row["image_id"])
        uploads.add(row["upload_id"])
    # One without a prediction has no image id: its frame names it by the upload.
    rows = {row["upload_id"]: row for row in _among(connection, found, captures.c.image_id, sorted(images))}
    rows |= {row["upload_id"]: row for row in _among(connection, found, captures.c.upload_id, sorted(uploads))}
    return list(rows.values())


def _named_by_others_alone(connection: Connection, uploads: list[str], names: Collection[str]) -> set[str]:
    """Those of some uploads whose key is in a burst, and in none of these: the rule of that burst applies to them."""
    own, others = set[str](), set[str]()
    frames = select(burst_frames.c.upload_id, burst_frames.c.burst_id)
    for row in _among(connection, frames, burst_frames.c.upload_id, uploads):
        (own if row["burst_id"] in names else others).add(row["upload_id"])
    return others - own


def _with_image_ids(connection: Connection, rows: Rows) -> Rows:
    missing = [row["upload_id"] for row in rows if row["image_id"] is None]
    frames = select(burst_frames.c.upload_id, burst_frames.c.image_id)
    known = {row["upload_id"]: row["image_id"] for row in _among(connection, frames, burst_frames.c.upload_id, missing)}
    return [{**row, "image_id": row["image_id"] or known.get(row["upload_id"])} for row in rows]


def _among(
    connection: Connection, statement: Select[Any], column: Any, values: list[str]
) -> Iterator[Mapping[Any, Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield from _rows(connection, statement.where(column.in_(values[start : start + _AT_ONCE])))


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return list(connection.execute(statement).mappings())
