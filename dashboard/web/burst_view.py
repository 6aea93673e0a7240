"""A burst as the pages and their JSON twins show it: catalogue rows as models, with words and picture addresses."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import BurstRow, Frame
from uncia.dashboard.web.strings import TEXT, text
from uncia.dashboard.web.templating import percent

__all__ = ["BoxView", "BurstView", "FrameView", "burst_view", "frame_view", "newest_day"]


class BoxView(BaseModel):
    """One detection; position and size are shares of the photograph."""

    category: str
    score: float
    x: float
    y: float
    width: float
    height: float
    static: bool = False
    """The same box was found in many bursts of this camera: it counts as background."""


class FrameView(BaseModel):
    """One frame of a burst."""

    image_id: str
    captured_at: datetime
    category: str | None
    deciding: bool
    rejected: str | None
    """Why it could not be read; None: it could."""
    boxes: list[BoxView]
    thumb: str
    """Address of a small picture."""
    view: str
    """Address of a large one."""


class BurstView(BaseModel):
    """One burst, by its newest revision and the review that counts."""

    burst_id: str
    revision: int
    status: str
    station: str
    camera: str
    started_at: datetime
    """By the camera's clock, which has no UTC offset."""
    ended_at: datetime
    updated_at: datetime
    category: str | None
    taxon: str | None
    label: str | None
    rank: str | None
    count: int | None
    confidence: float | None
    """Calibrated probability of the verdict, where there is a calibration."""
    certain: bool
    focus: bool
    reviewed: bool
    reviewer: str | None
    marks: list[str]
    """What reviewers have marked it with, `favourite` for example."""
    frame_count: int
    verdict: str
    """The verdict in words."""
    evidence: str
    """How sure it is, in words."""
    superseded_by: str | None
    cover: int | None
    """Index of the frame that represents the burst."""
    frames: list[FrameView]
    href: str


def burst_view(row: BurstRow) -> BurstView:
    """The view of a row."""
    cover = row.cover
    frames = [frame_view(frame) for frame in row.frames]
    return BurstView(
        burst_id=row.burst_id,
        revision=row.revision,
        status=row.status,
        station=row.station,
        camera=row.camera,
        started_at=row.started_at,
        ended_at=row.ended_at,
        updated_at=row.updated_at,
        category=row.category,
        taxon=row.taxon,
        label=row.label,
        rank=row.rank,
        count=row.count,
        confidence=row.confidence,
        certain=row.certain,
        focus=row.focus,
        reviewed=row.reviewed,
        reviewer=row.reviewer,
        marks=list(row.marks),
        frame_count=row.frame_count,
        verdict=verdict_words(row),
        evidence=evidence_words(row),
        superseded_by=row.superseded_by,
        cover=None if cover is None else next(at for at, frame in enumerate(row.frames) if frame is cover),
        frames=frames,
        href=f"/bursts/{row.burst_id}",
    )


def frame_view(frame: Frame) -> FrameView:
    """The view of a frame."""
    return FrameView(
        image_id=frame.image_id,
        captured_at=frame.captured_at,
        category=frame.category,
        deciding=frame.deciding,
        rejected=frame.rejection_reason,
        boxes=[box_view(box) for box in frame.boxes or ()],
        thumb=f"/pictures/{frame.image_id}/thumb.jpg",
        view=f"/pictures/{frame.image_id}/view.jpg",
    )


def box_view(box: dict[str, Any]) -> BoxView:
    """The view of a box of the catalogue."""
    x, y, width, height = box["box"]
    return BoxView(
        category=box["category"],
        score=box.get("score", 1.0),
        x=x,
        y=y,
        width=width,
        height=height,
        static=bool(box.get("static")),
    )


def newest_day() -> date:
    """The day that has begun in the easternmost time zone: what was captured later is of a clock that is ahead."""
    return (datetime.now(UTC) + timedelta(hours=14)).date()


def verdict_words(row: BurstRow) -> str:
    """What the burst shows: `snow leopard`, `2 × mammal?`, `blank`, `person`."""
    if row.status == "superseded":
        return TEXT["verdict.superseded"] if row.superseded_by else TEXT["verdict.withdrawn"]
    if row.category is None and row.taxon is None:
        return TEXT["verdict.unknown"] if row.reviewed else TEXT["verdict.unread"]
    name = row.category or ""
    if row.category not in ("blank", "person", "vehicle") and row.taxon is not None:
        name = row.label or row.taxon
        if not (row.certain or row.reviewed):
            name = text("verdict.uncertain", name=name)
    elif row.category is not None:
        name = TEXT[f"category.{row.category}"]
    return text("verdict.counted", count=row.count, name=name) if row.count and row.count > 1 else name


def evidence_words(row: BurstRow) -> str:
    """How sure the verdict is."""
    if row.reviewed:
        return text("evidence.reviewed", reviewer=row.reviewer or "?")
    if row.category in ("animal", "blank") and row.animal_probability is not None:
        share = row.animal_probability if row.category == "animal" else 1 - row.animal_probability
        return f"{TEXT[f'category.{row.category}']} {percent(share)}"
    if row.confidence is not None:
        return text("evidence.score", score=f"{row.confidence:.2f}")
    return ""
