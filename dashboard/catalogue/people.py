"""What the catalogue knows of persons in a photograph, by all bursts that contain it."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from uncia.camtrap.hidden_people import PERSON_TAXA, BurstEvidence, PersonBox
from uncia.dashboard.catalogue.tables import burst_frames, bursts, captures, detections, observations
from uncia.events.bursts import BurstCategory

__all__ = ["person_evidence"]

_PERSON = BurstCategory.PERSON.value


def person_evidence(connection: Connection, image_id: str) -> tuple[BurstEvidence, ...]:
    """The evidence of each burst of a photograph, and of the photograph itself.

    The detections of the prediction count beside the boxes of the bursts, which know static objects and second looks:
    those of a photograph whose burst has not arrived, or whose burst holds too many frames to list this one.
    """
    own = select(burst_frames.c.burst_id).where(burst_frames.c.image_id == image_id)
    found = list(connection.execute(select(bursts).where(bursts.c.burst_id.in_(own))).mappings())
    frames: dict[str, list[Mapping[Any, Any]]] = {row["burst_id"]: [] for row in found}
    statement = select(burst_frames).where(burst_frames.c.burst_id.in_(list(frames)))
    for frame in connection.execute(statement).mappings() if frames else ():
        frames[frame["burst_id"]].append(frame)
    reviewed: dict[str, list[Mapping[Any, Any]]] = {}
    seen = select(observations).where(observations.c.burst_id.in_(list(frames)))
    for row in connection.execute(seen).mappings() if frames else ():
        if row["category"] == _PERSON or row["taxon"] in PERSON_TAXA:
            reviewed.setdefault(row["burst_id"], []).append(row)
    evidence = [_of_burst(row, frames[row["burst_id"]], reviewed.get(row["burst_id"], ())) for row in found]
    listed = any(
        frame["image_id"] == image_id and frame["boxes"] is not None for some in frames.values() for frame in some
    )
    return (*evidence, *([] if listed else [_of_prediction(connection, image_id)]))


def _of_burst(
    row: Mapping[Any, Any], frames: Iterable[Mapping[Any, Any]], persons: Iterable[Mapping[Any, Any]]
) -> BurstEvidence:
    frames, persons = list(frames), list(persons)
    says = (
        _PERSON in (row["category"], row["model_category"])
        or not {row["taxon"], row["model_taxon"]}.isdisjoint(PERSON_TAXA)
        or any(frame["category"] == _PERSON for frame in frames)
        # A verdict below its threshold is no statement: `certain` is None in what a reviewer saw.
        or any(person["certain"] is not False for person in persons)
    )
    boxes = [
        PersonBox(frame["image_id"], _box(box["box"]), box.get("score", 1.0), bool(box.get("static")))
        for frame in frames
        for box in frame["boxes"] or ()
        if box["category"] == _PERSON
    ]
    drawn = [
        PersonBox(box["image_id"], _box(box["box"]))
        for person in persons
        if person["source"] == "human"
        for box in person["boxes"] or ()
    ]
    return BurstEvidence(says, (*boxes, *drawn))


def _of_prediction(connection: Connection, image_id: str) -> BurstEvidence:
    uploads = select(captures.c.upload_id).where(captures.c.image_id == image_id)
    statement = select(detections).where(detections.c.upload_id.in_(uploads), detections.c.category == _PERSON)
    return BurstEvidence(
        boxes=tuple(
            PersonBox(image_id, _box([row[name] for name in ("x", "y", "width", "height")]), row["score"])
            for row in connection.execute(statement).mappings()
        )
    )


def _box(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height
