"""COCO Camera Traps: images, boxes in pixels, and annotations of a whole burst where a photograph has no box.

The annotations are written to a second file and appended, so that nothing is collected in memory.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.dashboard.exports.media import relative_path
from uncia.dashboard.exports.output import ExportSummary, JsonList, Progress, compact_json, no_progress
from uncia.dashboard.exports.records import Box, BurstRecord, FrameRecord, Verdict

__all__ = ["CocoOptions", "write_coco"]

_FIXED = ("empty", "animal", "person", "vehicle", "unknown")
"""Categories 0 to 4; taxa follow."""


@dataclass(frozen=True)
class CocoOptions:
    """Choices of a dataset."""

    box_score: float = 0.2
    title: str = "Camera-trap observations"
    created: datetime | None = None
    """Default: now."""


def write_coco(
    place: Path,
    bursts: Iterable[BurstRecord],
    taxa: Sequence[str],
    options: CocoOptions = CocoOptions(),
    *,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write the file. `taxa`: every name that a burst can have. Raises `OSError`."""
    summary = ExportSummary()
    created = (options.created or datetime.now(UTC)).astimezone(UTC)
    names = [*_FIXED, *(name for name in taxa if name not in _FIXED)]
    numbers = {name: number for number, name in enumerate(names)}
    head = {
        "info": {
            "version": "1.0",
            "description": options.title,
            "year": created.year,
            "contributor": "Uncia",
            "date_created": created.date().isoformat(),
        },
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    spool = place.with_name(f"{place.name}.annotations")
    with place.open("w", encoding="utf-8") as file, spool.open("w+", encoding="utf-8") as second:
        file.write(compact_json(head)[:-1] + ',\n"images":[\n')
        images, annotations = JsonList(file), JsonList(second)
        for burst in bursts:
            for number, frame in enumerate(burst.frames):
                images.add(_image(burst, frame, number))
                for annotation in _annotations(burst, frame, numbers, options.box_score):
                    annotations.add(annotation)
                    summary.boxes += "bbox" in annotation
            summary.bursts += 1
            summary.photographs += len(burst.frames)
            progress(summary.bursts)
        file.write('\n],\n"annotations":[\n')
        second.seek(0)
        shutil.copyfileobj(second, file)
        file.write("\n]}\n")
    spool.unlink()
    return summary


def _image(burst: BurstRecord, frame: FrameRecord, number: int) -> dict[str, Any]:
    image: dict[str, Any] = {
        "id": frame.image_id,
        "file_name": relative_path(frame),
        "location": burst.camera,
        "datetime": frame.captured_at.replace(microsecond=0).isoformat(" "),
        "seq_id": burst.burst_id,
        "seq_num_frames": burst.frame_count,
        "frame_num": number,
    }
    if frame.width and frame.height:
        image |= {"width": frame.width, "height": frame.height}
    if frame.rejection_reason is not None:
        image["corrupt"] = True
    return image


def _annotations(
    burst: BurstRecord, frame: FrameRecord, numbers: dict[str, int], box_score: float
) -> Iterator[dict[str, Any]]:
    boxes = _boxes(burst, frame, box_score) if frame.width and frame.height else []
    for number, (name, box, score) in enumerate(boxes):
        annotation: dict[str, Any] = {
            "id": f"{frame.image_id}-{number}",
            "image_id": frame.image_id,
            "category_id": numbers.get(name, numbers["unknown"]),
            "bbox": _pixels(box, frame.width or 0, frame.height or 0),
            "sequence_level_annotation": False,
        }
        yield annotation if score is None else {**annotation, "score": score}
    if boxes:
        return
    seen = [each.verdict for each in burst.human_rows] if burst.reviewed and burst.human_rows else [burst.shown]
    for number, verdict in enumerate(seen):
        annotation = {
            "id": f"{frame.image_id}-s{number}",
            "image_id": frame.image_id,
            "category_id": numbers.get(_name(verdict), numbers["unknown"]),
            "sequence_level_annotation": burst.frame_count > 1,
        }
        counted = verdict.count if _name(verdict) != "empty" else None
        yield annotation if counted is None else {**annotation, "count": counted}


def _boxes(burst: BurstRecord, frame: FrameRecord, box_score: float) -> list[tuple[str, Box, float | None]]:
    """Name, box and score. The reviewer's boxes if there are any, else the detector's; a blank burst has none."""
    if burst.shown.category in ("blank", "nothing"):
        return []
    drawn = [
        (_name(each.verdict), box, None)
        for each in burst.human_rows
        for image, box in each.boxes
        if burst.reviewed and image == frame.image_id and box[2] > 0 and box[3] > 0
    ]
    if drawn:
        return [*drawn]
    return [
        (_name(burst.shown) if each.category == burst.shown.category else each.category, each.box, each.score)
        for each in frame.own_boxes(box_score)
    ]


def _name(verdict: Verdict) -> str:
    if verdict.category in ("blank", "nothing"):
        return "empty"
    return verdict.name or "unknown"


def _pixels(box: Box, width: int, height: int) -> list[float]:
    return [round(value * size, 2) for value, size in zip(box, (width, height, width, height), strict=True)]
