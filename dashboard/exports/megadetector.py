"""MegaDetector batch results, format 1.6: boxes per photograph, with the taxon of the burst as their classification.

Timelapse reads the same file as its recognition file. One line per photograph.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.dashboard.exports.media import relative_path
from uncia.dashboard.exports.output import ExportSummary, JsonList, Progress, compact_json, no_progress
from uncia.dashboard.exports.records import BurstRecord, FrameRecord

__all__ = ["MegaDetectorOptions", "write_megadetector"]

_CATEGORIES = {"animal": "1", "person": "2", "vehicle": "3"}
_FORMAT_VERSION = "1.6"


@dataclass(frozen=True)
class MegaDetectorOptions:
    """Choices of a file of results."""

    box_score: float = 0.05
    detector: str = "Uncia"
    """Name in the field `detector`."""
    created: datetime | None = None
    """Default: now."""


def write_megadetector(
    place: Path,
    bursts: Iterable[BurstRecord],
    taxa: Sequence[str],
    options: MegaDetectorOptions = MegaDetectorOptions(),
    *,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write the file. `taxa`: every name that a burst can have. Raises `OSError`."""
    summary = ExportSummary()
    numbers = {name: str(number) for number, name in enumerate(taxa, 1)}
    created = (options.created or datetime.now(UTC)).astimezone(UTC)
    head: dict[str, Any] = {
        "info": {
            "format_version": _FORMAT_VERSION,
            "detector": options.detector,
            "classifier": "Uncia",
            "detection_completion_time": f"{created:%Y-%m-%d %H:%M:%S}",
        },
        "detection_categories": {number: name for name, number in _CATEGORIES.items()},
    }
    if numbers:
        head["classification_categories"] = {number: name for name, number in numbers.items()}
    with place.open("w", encoding="utf-8") as file:
        file.write(compact_json(head)[:-1] + ',\n"images":[\n')
        images = JsonList(file)
        for burst in bursts:
            for frame in burst.frames:
                image = _image(burst, frame, numbers, options.box_score)
                images.add(image)
                summary.boxes += len(image["detections"] or ())
            summary.bursts += 1
            summary.photographs += len(burst.frames)
            progress(summary.bursts)
        file.write("\n]}\n")
    return summary


def _image(burst: BurstRecord, frame: FrameRecord, numbers: dict[str, str], box_score: float) -> dict[str, Any]:
    image: dict[str, Any] = {"file": relative_path(frame)}
    if frame.rejection_reason is not None:
        return {**image, "failure": frame.rejection_reason, "detections": None}
    if frame.boxes is None:
        return {**image, "failure": "no detector was installed", "detections": None}
    if frame.width and frame.height:
        image |= {"width": frame.width, "height": frame.height}
    image["datetime"] = frame.captured_at.replace(microsecond=0).isoformat().replace("-", ":").replace("T", " ")
    boxes = sorted(frame.own_boxes(box_score), key=lambda each: -each.score)
    named = numbers.get(burst.shown.taxon or burst.shown.label or "")
    detections: list[dict[str, Any]] = []
    for each in boxes:
        if each.category not in _CATEGORIES:
            continue
        detection: dict[str, Any] = {
            "category": _CATEGORIES[each.category],
            # A float in any case: the validator refuses the integer 1.
            "conf": round(float(each.score), 5),
            "bbox": [round(value, 5) for value in each.box],
        }
        if named is not None and each.category == burst.shown.category:
            confidence = 1.0 if burst.shown.confidence is None else burst.shown.confidence
            detection["classifications"] = [[named, round(float(confidence), 5)]]
        detections.append(detection)
    return {**image, "detections": detections}
