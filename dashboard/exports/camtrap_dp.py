"""Camtrap DP 1.0.2 (https://camtrap-dp.tdwg.org): a descriptor, and the tables deployments, media and observations.

Event observations say what a burst shows, by the review that counts, else by the models: they exclude each other and
can be summed. Media observations are the boxes of detectors and reviewers, the content of photographs without a box,
and the models' verdict on reviewed bursts (tag `about:burst`). What the format has no column for is in tags.
"""

import csv
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.camtrap.camtrap_dp import DESCRIPTOR
from uncia.camtrap.sensitivity import strictest
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.exports.media import MediaPaths, media_type
from uncia.dashboard.exports.output import ExportFailed, ExportSummary, Progress, no_progress
from uncia.dashboard.exports.positions import PublicPosition, export_position
from uncia.dashboard.exports.records import Box, BurstRecord, DeploymentRecord, FrameRecord, ObservationRecord, Verdict
from uncia.dashboard.exports.tags import join_tags
from uncia.events import former_word

__all__ = ["CamtrapOptions", "write_camtrap_dp"]

_VERSION_URL = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
_PROFILE = f"{_VERSION_URL}/camtrap-dp-profile.json"

DEPLOYMENT_COLUMNS = (
    *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
    *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight"),
    *("cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType"),
    *("habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
)
MEDIA_COLUMNS = (
    *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName", "fileMediatype"),
    *("exifData", "favorite", "mediaComments"),
)
OBSERVATION_COLUMNS = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior"),
    *("individualID", "individualPositionRadius", "individualPositionAngle", "individualSpeed"),
    *("bboxX", "bboxY", "bboxWidth", "bboxHeight"),
    *("classificationMethod", "classifiedBy", "classificationTimestamp", "classificationProbability"),
    *("observationTags", "observationComments"),
)
_TYPES = {"animal": "animal", "person": "human", "vehicle": "vehicle", "blank": "blank", "nothing": "blank"}
_NAMED = ("animal", "person", "vehicle")
_METHODS = {"motion": "activityDetection", "time-lapse": "timeLapse"}
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")
_RECENT_MEDIA = 100_000
"""Photographs remembered to write none twice: a copy of one is near it in time."""

SOURCE = "Uncia"
"""Title of the source in the descriptor: ids of such a package are ours, and an import keeps them."""

Cells = dict[str, object]


@dataclass(frozen=True)
class CamtrapOptions:
    """Choices of a package."""

    title: str = "Camera-trap observations"
    exact_positions: bool = False
    """Whether the caller may have exact positions."""
    box_score: float = 0.2
    """Boxes with a lower score are left out."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the descriptor that replace ours: contributors, licenses, project, description, ..."""
    created: datetime | None = None
    """Default: now."""


def write_camtrap_dp(
    folder: Path,
    bursts: Iterable[BurstRecord],
    deployments: Sequence[DeploymentRecord],
    options: CamtrapOptions,
    *,
    media: MediaPaths | None = None,
    taxonomy: Taxonomy | None = None,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write a package into an empty folder. Raises `OSError`, and `ExportFailed` where there is no deployment.

    Bursts without a deployment are left out, since the format has no place for them, and counted.
    """
    if not deployments:
        raise ExportFailed(
            "Camtrap DP needs deployments, and there is none that the filter allows: `uncia deployments load` loads "
            "them; the formats `csv` and `megadetector` need none"
        )
    summary, seen = ExportSummary(), _Seen()
    paths = media or MediaPaths()
    with (
        (folder / "media.csv").open("w", encoding="utf-8", newline="") as media_file,
        (folder / "observations.csv").open("w", encoding="utf-8", newline="") as observation_file,
    ):
        media_rows = _writer(media_file, MEDIA_COLUMNS)
        observation_rows = _writer(observation_file, OBSERVATION_COLUMNS)
        for burst in bursts:
            if burst.deployment is None:
                summary.left_out["bursts without a deployment"] += 1
                continue
            frames = [frame for frame in burst.frames if seen.new(frame.image_id)]
            if len(frames) < len(burst.frames):
                summary.left_out["photographs that another burst has, too"] += len(burst.frames) - len(frames)
            media_rows.writerows(_media_cells(burst, burst.deployment, frame, paths) for frame in frames)
            for cells in _observation_cells(burst, burst.deployment, frames, options.box_score):
                summary.boxes += "bboxX" in cells
                observation_rows.writerow(cells)
            paths.copy(burst, folder, summary)
            seen.note(burst)
            summary.bursts += 1
            summary.photographs += len(frames)
            progress(summary.bursts)
    places = [(each, export_position(each, exact=options.exact_positions)) for each in deployments]
    with (folder / "deployments.csv").open("w", encoding="utf-8", newline="") as file:
        rows = _writer(file, DEPLOYMENT_COLUMNS)
        rows.writerows(_deployment_cells(each, place, seen.models.get(each.unique_id)) for each, place in places)
    descriptor = _descriptor(places, seen, options, taxonomy or Taxonomy.load())
    (folder / DESCRIPTOR).write_text(json.dumps(descriptor, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return summary


class _Seen:
    """What the descriptor and the deployments need to know of the bursts."""

    def __init__(self) -> None:
        self.models: dict[str, str] = {}
        self.taxa: dict[str, Verdict] = {}
        self.triggers: set[str] = set()
        self._media: OrderedDict[str, None] = OrderedDict()

    def new(self, image_id: str) -> bool:
        """Whether this photograph was not written before."""
        if image_id in self._media:
            return False
        self._media[image_id] = None
        if len(self._media) > _RECENT_MEDIA:
            self._media.popitem(last=False)
        return True

    def note(self, burst: BurstRecord) -> None:
        """Note the taxa, the trigger and the model of the camera."""
        for verdict in (burst.shown, burst.model, *(each.verdict for each in burst.human_rows)):
            if verdict.taxon:
                self.taxa.setdefault(verdict.taxon, verdict)
        self.triggers.add(burst.trigger)
        named = next((frame for frame in burst.frames if frame.model), None)
        if named is not None and burst.deployment is not None:
            self.models[burst.deployment.unique_id] = "-".join(filter(None, (named.make, named.model)))


def _writer(file: Any, columns: Sequence[str]) -> "csv.DictWriter[str]":
    """Writes a table and its heading. Text that a spreadsheet would run as a formula is not changed: programs read
    these tables, and ids must stay what they are."""
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    return writer


def _media_cells(burst: BurstRecord, deployment: DeploymentRecord, frame: FrameRecord, paths: MediaPaths) -> Cells:
    path = paths.path(burst, frame)
    exif = {
        "Make": frame.make,
        "Model": frame.model,
        "SerialNumber": frame.serial,
        "ImageWidth": frame.width,
        "ImageHeight": frame.height,
        "objectKey": frame.key if path != frame.key else None,
    }
    known = {name: value for name, value in exif.items() if value is not None}
    rejected = f"{frame.rejection_reason}: {frame.rejection_message or ''}".rstrip(": ")
    return {
        "mediaID": frame.image_id,
        "deploymentID": deployment.unique_id,
        "captureMethod": _METHODS.get(burst.trigger, ""),
        "timestamp": _iso(deployment.moment(frame.captured_at)),
        "filePath": path,
        "filePublic": _bool(paths.base_url is not None and not burst.shows_person),
        "fileName": frame.key.rpartition("/")[2],
        "fileMediatype": media_type(frame.key),
        "exifData": json.dumps(known, ensure_ascii=False) if known else "",
        "favorite": _bool(True) if "favourite" in burst.marks and frame is burst.cover else "",
        "mediaComments": _line(rejected) if frame.rejection_reason else "",
    }


def _observation_cells(
    burst: BurstRecord, deployment: DeploymentRecord, frames: Sequence[FrameRecord], box_score: float
) -> Iterator[Cells]:
    common: Cells = {"deploymentID": deployment.unique_id, "eventID": burst.burst_id}
    event = {
        **common,
        "observationLevel": "event",
        "eventStart": _iso(deployment.moment(burst.started_at)),
        "eventEnd": _iso(deployment.moment(burst.ended_at)),
    }
    about: list[tuple[str, object]] = [
        ("status", burst.status),
        ("trigger", None if burst.trigger in _METHODS or burst.trigger == "unknown" else burst.trigger),
        *(("flag", flag) for flag in burst.flags),
        *(("mark", mark) for mark in burst.marks),
    ]
    if burst.reviewed and burst.human_rows:
        for each in burst.human_rows:
            extra = about if each is burst.human_rows[0] else []
            yield {**event, **_human_cells(each), "observationID": f"{burst.burst_id}-h{each.number}"} | _tagged(
                [*_verdict_tags(each.verdict), *extra]
            )
    else:
        yield {**event, **_machine_cells(burst), "observationID": f"{burst.burst_id}-m"} | _tagged(
            [*_machine_tags(burst), *about]
        )
        for each in burst.observations:
            if each.source == "model" and each.number > 0 and each.certain and each.verdict.category in _NAMED:
                yield {**event, **_other_cells(each), "observationID": f"{burst.burst_id}-m{each.number}"} | _tagged(
                    _other_tags(each)
                )
    on_media = {**common, "observationLevel": "media"}
    cover = next((frame for frame in frames if frame is burst.cover), next(iter(frames), None))
    if burst.reviewed and burst.human_rows and cover is not None and burst.model.category is not None:
        own = {**on_media, **_at(deployment, cover), **_machine_cells(burst)}
        yield {**own, "observationID": f"{burst.burst_id}-m"} | _tagged([("about", "burst"), *_machine_tags(burst)])
    for frame in frames:
        own = {**on_media, **_at(deployment, frame)}
        yield from _frame_cells(own, frame, box_score)
    by_id = {frame.image_id: frame for frame in frames}
    for each in burst.human_rows if burst.reviewed else ():
        for number, (image, box) in enumerate(each.boxes):
            if image in by_id and box[2] > 0 and box[3] > 0:
                own = {**on_media, **_at(deployment, by_id[image]), **_human_cells(each), **_box_cells(box), "count": 1}
                yield {**own, "observationID": f"{image}-h{each.number}-{number}"} | _tagged(
                    _verdict_tags(each.verdict)
                )


def _frame_cells(own: Cells, frame: FrameRecord, box_score: float) -> Iterator[Cells]:
    """The boxes of a photograph, or one row that says what it shows."""
    machine: Cells = {"classificationMethod": "machine", "classifiedBy": _line(frame.detector or "")}
    if frame.predicted_at is not None:
        machine["classificationTimestamp"] = _utc(frame.predicted_at)
    kind: list[tuple[str, object]] = [
        ("frame", frame.category),
        ("deciding", True if frame.deciding else None),
        ("rejected", frame.rejection_reason),
    ]
    boxes = frame.own_boxes(box_score)
    for number, each in enumerate(boxes):
        yield {
            **own,
            **machine,
            **_box_cells(each.box),
            "observationID": f"{frame.image_id}-{number}",
            "observationType": _TYPES.get(each.category, "unknown"),
            "classificationProbability": each.score,
        } | _tagged(kind if number == 0 else [])
    if not boxes:
        unread = frame.boxes is None
        yield {
            **own,
            **({} if unread else machine),
            "observationID": f"{frame.image_id}-0",
            "observationType": "unclassified" if unread else _TYPES.get(frame.category or "blank", "unknown"),
        } | _tagged(kind)


def _machine_cells(burst: BurstRecord) -> Cells:
    row = burst.verdict_row
    if burst.model.category is None:
        return {"observationType": "unclassified"}
    return {
        **_what(burst.model),
        "classificationMethod": "machine",
        "classifiedBy": _line((row.observed_by if row else None) or ""),
        "classificationTimestamp": _utc(row.observed_at) if row and row.observed_at else "",
        "classificationProbability": "" if burst.model.confidence is None else burst.model.confidence,
    }


def _other_cells(each: ObservationRecord) -> Cells:
    """A further taxon that the models are certain of."""
    confidence = each.score if each.verdict.confidence is None else each.verdict.confidence
    return {
        **_what(each.verdict),
        "classificationMethod": "machine",
        "classifiedBy": _line(each.observed_by or ""),
        "classificationTimestamp": _utc(each.observed_at) if each.observed_at else "",
        "classificationProbability": "" if confidence is None else confidence,
    }


def _other_tags(each: ObservationRecord) -> list[tuple[str, object]]:
    calibrated = each.verdict.confidence is not None
    return [
        *_verdict_tags(each.verdict),
        ("score", each.score if calibrated and each.score != each.verdict.confidence else None),
        ("calibrated", True if calibrated else None),
        ("certain", True),
    ]


def _machine_tags(burst: BurstRecord) -> list[tuple[str, object]]:
    row = burst.verdict_row
    named = row is not None and (burst.model.taxon or burst.model.label) is not None
    return [
        *_verdict_tags(burst.model),
        ("animalProbability", burst.animal_probability),
        ("score", row.score if named and row and row.score != burst.model.confidence else None),
        ("calibrated", True if named and row and row.verdict.confidence is not None else None),
        ("certain", burst.certain if named else None),
    ]


def _human_cells(each: ObservationRecord) -> Cells:
    return {
        **(_what(each.verdict) if each.verdict.category else {"observationType": "unknown"}),
        "classificationMethod": "human",
        "classifiedBy": _line(each.observed_by or ""),
        "classificationTimestamp": _utc(each.observed_at) if each.observed_at else "",
    }


def _what(verdict: Verdict) -> Cells:
    kind = _TYPES.get(verdict.category or "", "unknown")
    counted = verdict.count is not None and verdict.count >= 1 and kind != "blank"
    return {
        "observationType": kind,
        "scientificName": _line(verdict.taxon or ""),
        "count": verdict.count if counted else "",
    }


def _verdict_tags(verdict: Verdict) -> list[tuple[str, object]]:
    return [("label", verdict.label or None), ("rank", verdict.rank or None)]


def _tagged(tags: Iterable[tuple[str, object]]) -> Cells:
    return {"observationTags": join_tags(tags)}


def _at(deployment: DeploymentRecord, frame: FrameRecord) -> Cells:
    time = _iso(deployment.moment(frame.captured_at))
    return {"mediaID": frame.image_id, "eventStart": time, "eventEnd": time}


def _box_cells(box: Box) -> Cells:
    x, y = min(max(box[0], 0.0), 1.0), min(max(box[1], 0.0), 1.0)
    return {"bboxX": x, "bboxY": y, "bboxWidth": min(box[2], 1.0), "bboxHeight": min(box[3], 1.0)}


def _deployment_cells(deployment: DeploymentRecord, place: PublicPosition, model: str | None) -> Cells:
    start, end = _period(deployment)
    level = deployment.sensitivity
    if place.precision is not None:
        level = strictest((level, deployment.taxa_sensitivity))
    return {
        "deploymentID": deployment.unique_id,
        "locationID": deployment.station,
        "locationName": deployment.station,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "coordinateUncertainty": "" if place.uncertainty_m is None else place.uncertainty_m,
        "deploymentStart": _iso(start),
        "deploymentEnd": _iso(end),
        "cameraID": deployment.camera.partition("/")[2],
        "cameraModel": _line(model or ""),
        "timestampIssues": "" if deployment.clock_suspect is None else _bool(deployment.clock_suspect),
        "deploymentTags": join_tags(
            [
                ("coordinateSensitivity", level.value),
                # For versions of Uncia that know the words of before only.
                ("sensitivity", former_word(level).value),
                ("captureMethod", deployment.capture_method),
                ("activeDays", deployment.active_days),
                ("end", "open" if deployment.ends_at is None else None),
                ("deployment", deployment.deployment_id if deployment.shared_id else None),
                *sorted(deployment.overrides.items()),
            ]
        ),
    }


def _period(deployment: DeploymentRecord) -> tuple[datetime, datetime]:
    """Start and end by the camera's clock. The period of a camera that still runs ends with its last photograph."""
    start = deployment.starts_at.astimezone(deployment.zone)
    if deployment.ends_at is not None:
        return start, deployment.ends_at.astimezone(deployment.zone)
    last = deployment.moment(deployment.last_capture) if deployment.last_capture else start
    return start, max(start, last)


def _descriptor(
    places: Sequence[tuple[DeploymentRecord, PublicPosition]],
    seen: _Seen,
    options: CamtrapOptions,
    taxonomy: Taxonomy,
) -> dict[str, Any]:
    periods = [_period(each) for each, _ in places]
    precisions = [place.precision for _, place in places if place.precision is not None]
    created = (options.created or datetime.now(UTC)).astimezone(UTC)
    project = {
        "title": options.title,
        "samplingDesign": "opportunistic",
        "captureMethod": sorted({_METHODS.get(trigger, "activityDetection") for trigger in seen.triggers})
        or ["activityDetection"],
        "individualAnimals": False,
        "observationLevel": ["event", "media"],
    }
    given = {name: value for name, value in options.metadata.items() if name not in ("resources", "profile")}
    project |= given.pop("project", {})
    return {
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{_VERSION_URL}/{name}-table-schema.json",
            }
            for name in ("deployments", "media", "observations")
        ],
        "profile": _PROFILE,
        "name": re.sub(r"[^a-z0-9]+", "-", options.title.lower()).strip("-") or "camera-trap-observations",
        "created": _utc(created),
        "title": options.title,
        "description": "Observations of camera traps, by models and reviewers, exported from Uncia.",
        "contributors": [{"title": "Uncia", "role": "contributor"}],
        "sources": [{"title": SOURCE}],
        "project": project,
        **({"coordinatePrecision": max(precisions)} if precisions else {}),
        "spatial": _extent([place for _, place in places]),
        "temporal": {
            "start": min(start for start, _ in periods).date().isoformat(),
            "end": max(end for _, end in periods).date().isoformat(),
        },
        "taxonomic": [_taxon(verdict, taxonomy) for _, verdict in sorted(seen.taxa.items())],
        **given,
    }


def _extent(places: Sequence[PublicPosition]) -> dict[str, Any]:
    west, east = min(each.longitude for each in places), max(each.longitude for each in places)
    south, north = min(each.latitude for each in places), max(each.latitude for each in places)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _taxon(verdict: Verdict, taxonomy: Taxonomy) -> dict[str, Any]:
    name = verdict.taxon or ""
    rank = verdict.rank or taxonomy.rank(name)
    above = {taxonomy.rank(each): each for each in taxonomy.ancestors(name)}
    return {
        "scientificName": name,
        **({"taxonRank": rank} if rank in _RANKS else {}),
        **{each: above[each] for each in _RANKS[:6] if each in above},
        **({"vernacularNames": {"eng": verdict.label}} if verdict.label else {}),
    }


def _iso(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()


def _utc(moment: datetime) -> str:
    return _iso(moment.astimezone(UTC)).replace("+00:00", "Z")


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _line(text: str) -> str:
    """Text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() or c == " " else " " for c in text).split())
