"""Photographs of reviewed bursts with their labels, to train models on: a table, boxes in COCO, and copies.

The copies have no metadata, because datasets are passed on; what training needs of it is in the table.

What a reviewer says of a burst holds for the burst, not for each of its photographs: the animal may have left the
picture. So a photograph is labelled only where there is a box in it, or where it is all that the burst has.
"""

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncia.dashboard.exports.media import FetchPhotograph
from uncia.dashboard.exports.output import ExportSummary, Progress, compact_json, no_progress
from uncia.dashboard.exports.records import Box, BurstRecord, FrameRecord, ObservationRecord
from uncia.errors import PermanentError
from uncia.imaging.metadata_removal import MetadataNotRemovable, without_metadata
from uncia.storage.durable import write_durably

__all__ = ["BOXES_FILE", "TABLE_FILE", "LabelledFrame", "label_burst", "write_reviewed"]

TABLE_FILE = "pictures.csv"
BOXES_FILE = "boxes.json"
BLANK = "blank"

_BOX_SCORE = 0.2
"""Boxes of the detector with a lower score do not say that the animal is in the photograph."""
_HEADING = ("path", "label", "taxon", "group", "camera", "burst", "taken", "x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A photograph and what is in it. `boxes` empty: where it is, is not known, or there is nothing."""

    frame: FrameRecord
    label: str
    taxon: str
    group: str
    boxes: tuple[Box, ...] = ()


def label_burst(
    burst: BurstRecord, *, named_only: bool = False, with_people: bool = False
) -> tuple[list[LabelledFrame], str]:
    """The photographs of a reviewed burst that have a label; else the reason why there are none.

    With `named_only`, an animal without a taxon is no label: a class `animal` among species would be wrong.
    """
    rows = burst.human_rows
    if not burst.reviewed or not rows:
        return [], "bursts without a review"
    if any(row.verdict.category is None for row in rows):
        return [], "bursts of which the reviewer cannot tell what they show"
    if burst.shows_person and not with_people:
        return [], "bursts that may show a person or vehicle"
    readable = [frame for frame in burst.frames if frame.rejection_reason is None]
    if all(row.verdict.category in ("blank", "nothing") for row in rows):
        return [LabelledFrame(frame, BLANK, "", "nothing") for frame in readable], ""
    seen = [row for row in rows if row.verdict.category not in ("blank", "nothing")]
    if named_only and any(row.verdict.name == "animal" for row in seen):
        return [], "bursts of an animal without a taxon"
    drawn = [each for row in seen for each in _drawn(row, readable)]
    if drawn:
        return drawn, ""
    if len({row.verdict.name for row in seen}) > 1:
        return [], "bursts of several taxa without boxes"
    found = _detected(seen[0], readable) or _only_frame(seen[0], readable)
    return found, "" if found else "bursts without a box in any photograph"


def _drawn(row: ObservationRecord, readable: list[FrameRecord]) -> Iterator[LabelledFrame]:
    """The photographs in which the reviewer drew or accepted boxes of this observation."""
    for frame in readable:
        boxes = tuple(box for image, box in row.boxes if image == frame.image_id and box[2] > 0 and box[3] > 0)
        if boxes:
            yield _labelled(row, frame, boxes)


def _detected(row: ObservationRecord, readable: list[FrameRecord]) -> list[LabelledFrame]:
    """The photographs in which the detector has a box of this category."""
    found = [
        (frame, tuple(each.box for each in frame.own_boxes(_BOX_SCORE) if each.category == row.verdict.category))
        for frame in readable
    ]
    return [_labelled(row, frame, boxes) for frame, boxes in found if boxes]


def _only_frame(row: ObservationRecord, readable: list[FrameRecord]) -> list[LabelledFrame]:
    return [_labelled(row, frame, ()) for frame in readable] if len(readable) == 1 else []


def _labelled(row: ObservationRecord, frame: FrameRecord, boxes: tuple[Box, ...]) -> LabelledFrame:
    return LabelledFrame(frame, row.verdict.name, row.verdict.taxon or "", row.verdict.category or "", boxes)


def write_reviewed(
    folder: Path,
    bursts: Iterable[BurstRecord],
    fetch: FetchPhotograph,
    *,
    named_only: bool = False,
    with_people: bool = False,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write the labels into `folder`, and copy the photographs that are not there yet.

    Run again, it fetches only what is new, and copies that no label refers to any more are deleted. Raises `OSError`,
    and the errors of the store where it is down.
    """
    summary = ExportSummary()
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    kept: set[str] = set()
    rows: list[tuple[BurstRecord, LabelledFrame, str]] = []
    for burst in bursts:
        labelled, reason = label_burst(burst, named_only=named_only, with_people=with_people)
        if reason:
            summary.left_out[reason] += 1
        here = [(each, _copy(each.frame, media, fetch, summary)) for each in labelled]
        rows += [(burst, each, name) for each, name in here if name]
        kept.update(name for _, name in here if name)
        summary.bursts += any(name for _, name in here)
        progress(summary.bursts)
    summary.photographs = len(kept)
    for old in media.iterdir():
        if old.name not in kept:
            old.unlink()
    _write_table(folder / TABLE_FILE, rows)
    write_durably(folder / BOXES_FILE, compact_json(_coco(rows)))
    summary.boxes = sum(len(each.boxes) for _, each, _ in rows)
    return summary


def _copy(frame: FrameRecord, media: Path, fetch: FetchPhotograph, summary: ExportSummary) -> str:
    """The name of the copy; empty where there is none, which is counted."""
    name = f"{frame.upload_id}.jpg"
    if (media / name).exists():
        return name
    try:
        content = without_metadata(fetch(frame))
    except MetadataNotRemovable:
        summary.left_out["photographs whose metadata cannot be removed"] += 1
        return ""
    except PermanentError:
        summary.left_out["photographs that are gone from the store"] += 1
        return ""
    # Not durable: a copy that a power cut damaged is found by the training, and deleting it fetches it again.
    partial = media / f".{name}"
    partial.write_bytes(content)
    partial.replace(media / name)
    return name


def _write_table(path: Path, rows: list[tuple[BurstRecord, LabelledFrame, str]]) -> None:
    partial = path.with_name(f".{path.name}")
    with partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_HEADING)
        for burst, each, name in rows:
            largest = max(each.boxes, key=lambda box: box[2] * box[3], default=("", "", "", ""))
            at = each.frame.captured_at.isoformat(" ", "seconds")
            table.writerow(
                [f"media/{name}", each.label, each.taxon, each.group, burst.camera, burst.burst_id, at, *largest]
            )
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _coco(rows: list[tuple[BurstRecord, LabelledFrame, str]]) -> dict[str, Any]:
    """Every box of every photograph. A photograph of an animal without a box is neither an example nor a blank."""
    labels = {label: number for number, label in enumerate(sorted({each.label for _, each, _ in rows}))}
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for burst, each, name in rows:
        frame = each.frame
        # Boxes are shares of the photograph; where its size is not known, they are shares of a square of this size.
        width, height = frame.width or 10_000, frame.height or 10_000
        images[name] = {
            "id": name,
            "file_name": f"media/{name}",
            "location": burst.camera,
            "seq_id": burst.burst_id,
            "datetime": frame.captured_at.isoformat(" ", "seconds"),
            "width": width,
            "height": height,
        }
        for x, y, w, h in each.boxes or [(None,) * 4]:
            entry = {"id": len(annotations), "image_id": name, "category_id": labels[each.label]}
            if x is not None and y is not None and w is not None and h is not None:
                entry["bbox"] = [x * width, y * height, w * width, h * height]
            annotations.append(entry)
    return {
        "info": {"version": "1.0", "description": "Reviewed bursts"},
        "images": list(images.values()),
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
    }
