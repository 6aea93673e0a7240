"""Renders the contact sheet: every burst with its verdict, frames and times, and the rejected files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncia.dashboard.contact_sheet.results import ResultSet
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.rendering import render_page
from uncia.dashboard.page_parts.thumbnails import LoadCrop, LoadThumbnail, Thumbnail
from uncia.dashboard.page_parts.verdict_text import (
    describe_burst,
    describe_frame,
    describe_status,
    describe_taxon,
    verdict_taxon,
)
from uncia.events import BurstCategory, BurstFrame, BurstResolved, CropPublished, FrameBox
from uncia.events.values import Box

FRAMES_SHOWN = 24
_BURSTS_SHOWN = 150
BOX_SCORE_SHOWN = 0.4
"""Detections of a lower score are evidence for the burst, and would hide the picture."""


@dataclass(frozen=True)
class ContactSheetBox:
    """A box over a picture. Lengths are in per cent of the picture."""

    left: float
    top: float
    width: float
    height: float
    kind: str
    """`verdict` (where its class scored best), or the category of a detection; `static` is added to the latter."""
    title: str


@dataclass(frozen=True)
class ContactSheetFrame:
    """One frame of a burst as the page shows it."""

    picture: str | None
    missing: str
    """The reason why there is no picture."""
    caption: str
    note: str
    deciding: bool
    boxes: tuple[ContactSheetBox, ...]


@dataclass(frozen=True)
class ContactSheetBurst:
    """One burst as the page shows it."""

    anchor: str
    verdict: str
    tone: str
    score: str
    explanation: str
    camera: str
    when: str
    facts: tuple[str, ...]
    others: tuple[str, ...]
    frames: tuple[ContactSheetFrame, ...]
    hidden: int
    """Frames that are not shown."""
    crop: str | None = None
    """The best crop as a data URL."""


def _no_crop(crop: CropPublished) -> Thumbnail:
    return Thumbnail(None, "not loaded")


def render(
    results: ResultSet,
    load: LoadThumbnail,
    *,
    title: str,
    summary: dict[str, Any],
    load_crop: LoadCrop = _no_crop,
) -> str:
    """The page as HTML. `summary` is shown at the top, in its order."""
    bursts = results.current_bursts()
    return render_page(
        Path(__file__).parent,
        title=title,
        summary=summary,
        bursts=[burst_view(burst, results, load, load_crop) for burst in bursts[:_BURSTS_SHOWN]],
        bursts_left_out=max(0, len(bursts) - _BURSTS_SHOWN),
        rejected=sorted(results.rejected.values(), key=lambda file: file.key),
        dead=results.dead,
        unreadable=results.unreadable,
        box_score=BOX_SCORE_SHOWN,
    )


def burst_view(
    burst: BurstResolved, results: ResultSet, load: LoadThumbnail, load_crop: LoadCrop = _no_crop
) -> ContactSheetBurst:
    """Lay out one burst with at most `FRAMES_SHOWN` pictures: deciding frames, and others at even distances."""
    shown = _select_frames(burst.frames)
    verdict = burst.verdict
    if burst.category is not None:
        name, tone, score = describe_burst(burst), _tone(burst), ""
        taxon = verdict_taxon(burst)
        explanation = taxon.taxon if taxon else ""
    elif verdict is None:
        name, tone, score, explanation = "Nothing could be read", "unread", "", "no frame of this burst is readable"
    elif verdict.focus:
        name, tone, score = verdict.label, "focus", f"{verdict.score:.2f}"
        explanation = f"score {verdict.score:.3f}, threshold {verdict.threshold or 0:.3f} ({verdict.taxon})"
    else:
        name, tone, score = verdict.label, "certain" if verdict.certain else "uncertain", f"{verdict.score:.2f}"
        explanation = ", ".join(part for part in (verdict.taxon, verdict.group, tone) if part)
    return ContactSheetBurst(
        anchor=burst.burst_id,
        verdict=name,
        tone=tone,
        score=score,
        explanation=explanation,
        camera=burst.camera,
        when=_time_span(burst),
        facts=_facts(burst, results),
        others=_others(burst),
        frames=tuple(_frame_view(burst.camera, frame, load) for frame in shown),
        hidden=burst.frame_count - len(shown),
        crop=_crop(burst, results, load_crop),
    )


def _tone(burst: BurstResolved) -> str:
    """The colour of a burst with a category: gold for a focus taxon, blue where the taxon is uncertain."""
    if burst.category is BurstCategory.BLANK:
        return "blank"
    taxon = verdict_taxon(burst)
    if taxon is None or (taxon.certain and not taxon.focus):
        return "certain"
    return "focus" if taxon.focus else "unsure"


def _others(burst: BurstResolved) -> tuple[str, ...]:
    if burst.category is None:
        return tuple(f"{other.label} {other.score:.2f}" for other in burst.taxa[1:4])
    if burst.category is BurstCategory.BLANK:
        return ()
    return tuple(describe_taxon(other) for other in burst.taxa[1:4] if other.group == burst.category.value)


def _crop(burst: BurstResolved, results: ResultSet, load: LoadCrop) -> str | None:
    crop = results.published_crop(burst)
    return load(crop).url if crop else None


def _select_frames(frames: tuple[BurstFrame, ...]) -> list[BurstFrame]:
    if len(frames) <= FRAMES_SHOWN:
        return list(frames)
    step = len(frames) / FRAMES_SHOWN
    even = {int(index * step) for index in range(FRAMES_SHOWN)}
    deciding = [index for index, frame in enumerate(frames) if frame.deciding][: FRAMES_SHOWN // 2]
    chosen = set(deciding) | set(sorted(even - set(deciding))[: FRAMES_SHOWN - len(deciding)])
    return [frames[index] for index in sorted(chosen)]


def _time_span(burst: BurstResolved) -> str:
    seconds = (burst.ended_at - burst.started_at).total_seconds()
    return f"{burst.started_at:%d %b %Y %H:%M:%S}" + (f" + {seconds:.0f} s" if seconds else "")


def _facts(burst: BurstResolved, results: ResultSet) -> tuple[str, ...]:
    count = f"{burst.frame_count} frame{'' if burst.frame_count == 1 else 's'}"
    if burst.expected_frames:
        count = f"{burst.frame_count} of {burst.expected_frames} frames"
    delays = [results.seconds[frame.upload_id] for frame in burst.frames if frame.upload_id in results.seconds]
    facts = [
        count,
        f"{burst.unreadable} unreadable" if burst.unreadable else "",
        str(burst.trigger) if burst.trigger != "unknown" else "",
        f"{describe_status(burst)}, revision {burst.revision}",
        f"predicted within {max(delays):.1f} s" if delays else "",
        "crops withheld: a person is in the burst, or the detector knows no persons" if burst.crops_withheld else "",
        f"rule {burst.rule}",
    ]
    return tuple(fact for fact in facts if fact)


def _frame_view(camera: str, frame: BurstFrame, load: LoadThumbnail) -> ContactSheetFrame:
    note = describe_frame(frame)
    if frame.rejection is not None:
        note = frame.rejection.reason
    elif frame.score is not None and not note:
        note = f"{frame.score:.2f}"
    thumbnail = _thumbnail(camera, frame, load)
    return ContactSheetFrame(
        picture=thumbnail.url,
        missing=thumbnail.missing,
        caption=f"{frame.captured_at:%H:%M:%S}" + (f" · {frame.sequence}" if frame.sequence else ""),
        note=note,
        deciding=frame.deciding,
        boxes=_boxes(frame),
    )


def _shown_boxes(boxes: Sequence[FrameBox], *, blank: bool) -> list[FrameBox]:
    """The boxes from `BOX_SCORE_SHOWN` on; the best one where there is none, except in a blank frame."""
    sure = [found for found in boxes if found.score >= BOX_SCORE_SHOWN]
    return sure or ([] if blank else list(boxes[:1]))


def _boxes(frame: BurstFrame) -> tuple[ContactSheetBox, ...]:
    """The detections; in a frame that no detector looked at, where the verdict's class scored best."""
    if frame.boxes is not None:
        return tuple(
            _percentages(
                found.box,
                found.category.value + (" static" if found.static else ""),
                f"{found.category.value}, score {found.score:.2f}" + (", static" if found.static else ""),
            )
            for found in _shown_boxes(frame.boxes, blank=frame.category is BurstCategory.BLANK)
        )
    return (_percentages(frame.box, "verdict", "the verdict's class"),) if frame.box is not None else ()


def _percentages(box: Box, kind: str, title: str) -> ContactSheetBox:
    left, top, width, height = (round(100 * share, 2) for share in box)
    return ContactSheetBox(left, top, width, height, kind, title)


def _thumbnail(camera: str, frame: BurstFrame, load: LoadThumbnail) -> Thumbnail:
    """Rejected frames are not opened: hostile bytes reach no decoder a second time."""
    if frame.rejection is not None:
        return Thumbnail(None, frame.rejection.reason)
    return load(AssessedContent.of_frame(camera, frame))
