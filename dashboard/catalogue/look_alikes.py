"""Reads the embedding and the published crop of each burst of a page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from uncia.dashboard.catalogue.rows import BurstRow, Frame
from uncia.dashboard.catalogue.tables import crops, detections

__all__ = ["LookAlike", "LookAlikePage", "with_embeddings"]

_FRAMES = 4
"""Of a burst without a best crop: so many of its frames are searched for a detection."""
_KEYS_PER_QUERY = 500

_BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class LookAlike:
    """A burst with what it is compared by."""

    burst: BurstRow
    embedding: bytes | None
    """Of its best crop, else of its best detection; None where no crop was classified."""
    crop_id: str | None
    """The published crop that shows it; None where the store holds none."""


@dataclass(frozen=True)
class LookAlikePage:
    """A page of bursts to compare. `after`: where the next page begins; None: there is none."""

    bursts: tuple[LookAlike, ...]
    after: str | None


def with_embeddings(connection: Connection, rows: Sequence[BurstRow]) -> tuple[LookAlike, ...]:
    """The bursts in their order. Three queries for a page of 240 bursts."""
    frames = {row.burst_id: _searched(row) for row in rows}
    uploads = [frame.upload_id for found in frames.values() for frame in found]
    vectors: dict[str, list[Mapping[Any, Any]]] = {}
    for chunk in _chunks(uploads):
        statement = select(detections).where(detections.c.upload_id.in_(chunk), detections.c.embedding.is_not(None))
        for box in connection.execute(statement.order_by(detections.c.number)).mappings():
            vectors.setdefault(box["upload_id"], []).append(box)
    published: dict[str, list[Mapping[Any, Any]]] = {}
    for chunk in _chunks([row.burst_id for row in rows]):
        statement = select(crops).where(crops.c.burst_id.in_(chunk), crops.c.withdrawn.is_(None))
        for crop in connection.execute(statement.order_by(crops.c.crop_id)).mappings():
            published.setdefault(crop["burst_id"], []).append(crop)
    return tuple(
        LookAlike(
            row,
            _best(
                row, (box for frame in frames[row.burst_id] for box in vectors.get(frame.upload_id, ())), "embedding"
            ),
            _best(row, (crop for crop in published.get(row.burst_id, ()) if _is_of(row, crop)), "crop_id"),
        )
        for row in rows
    )


def _searched(row: BurstRow) -> list[Frame]:
    """The frame of the best crop; without one, the frames with the best boxes."""
    if row.best_crop is not None:
        return [frame for frame in row.frames if frame.image_id == row.best_crop["image_id"]]
    boxed = [frame for frame in row.frames if frame.boxes]
    return sorted(boxed, key=lambda frame: -max(box["score"] for box in frame.boxes or ()))[:_FRAMES]


def _is_of(row: BurstRow, crop: Mapping[Any, Any]) -> bool:
    return row.best_crop is None or crop["image_id"] == row.best_crop["image_id"]


def _best(row: BurstRow, found: Iterable[Mapping[Any, Any]], column: str) -> Any:
    """The value of the box next to that of the best crop; without one, of the box with the highest score."""

    def badness(one: Mapping[Any, Any]) -> tuple[float, float]:
        away = 0.0
        if row.best_crop is not None:
            away = sum(abs(one[name] - value) for name, value in zip(_BOX, row.best_crop["box"], strict=True))
        return round(away, 6), -one["score"]

    best = min(found, key=badness, default=None)
    return None if best is None else best[column]


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]
