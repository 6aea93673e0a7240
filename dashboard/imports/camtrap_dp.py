"""Reads a package of Camtrap DP 1.0. A package that Uncia wrote keeps its ids; those of others are derived."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from uncia.camtrap.camtrap_dp import CamtrapPackage, parse_timestamp
from uncia.camtrap.names import canonical_camera
from uncia.camtrap.table_reader import Row, open_table
from uncia.dashboard.exports.camtrap_dp import SOURCE
from uncia.dashboard.exports.reading import OVERRIDES
from uncia.dashboard.exports.tags import split_tags
from uncia.dashboard.imports.cells import degrees, needed_text, optional_number, problem_sentence, share, whole_number
from uncia.dashboard.imports.items import Box, ImportedMedia, ImportedObservation, ItemSink
from uncia.dashboard.imports.naming import camera_of_levels, derived_id
from uncia.dashboard.imports.problems import ImportReport
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, FormerSensitivity, Sensitivity, Trigger

__all__ = ["CamtrapDpReader"]

_CATEGORIES = {"animal": "animal", "human": "person", "vehicle": "vehicle", "blank": "blank"}
_METHODS = {"activityDetection": "motion", "timeLapse": "time-lapse"}
_OFFSET_LIMIT = 14 * 60


class CamtrapDpReader:
    """Reads the three tables of a package, one after the other."""

    def __init__(self, source: Path, report: ImportReport, origin: str | None = None) -> None:
        """Read the descriptor. Raises `UnciaError`."""
        self._package, self._report = CamtrapPackage.open(source), report
        content = self._package.content
        sources = content.get("sources")
        self._ours = isinstance(sources, list) and {"title": SOURCE} in sources
        self.origin = origin or f"camtrap-dp:{content.get('id') or content.get('name') or self._package.title}"
        self._labels = self._package.english_names()
        self._ranks = {
            each["scientificName"]: each["taxonRank"]
            for each in content.get("taxonomic") or ()
            if isinstance(each, dict) and "scientificName" in each and "taxonRank" in each
        }
        self._places: dict[str, DeploymentChanged] = {}

    def read(self, sink: ItemSink) -> None:
        """Put everything into a sink. Raises `UnciaError` where a table cannot be read at all."""
        for name, take in (
            ("deployments", self._deployment),
            ("media", self._media),
            ("observations", self._observation),
        ):
            path = self._package.table(name)
            try:
                with open_table(path) as table:
                    for row in table:
                        try:
                            if row.surplus:
                                raise ValueError("it has more cells than the heading")
                            take(row, sink)
                        except ValueError as error:
                            self._report.add(path.name, row.line, problem_sentence(error))
            except UnciaError as error:
                raise UnciaError(f"{path} {error}") from error

    def _deployment(self, row: Row, sink: ItemSink) -> None:
        tags = split_tags(row.cells.get("deploymentTags", "")) if self._ours else {}
        name = needed_text(row, "deploymentID")
        start = _moment(row, "deploymentStart")
        end = None if tags.get("end") == ["open"] else _moment(row, "deploymentEnd")
        if end is not None and end <= start:
            end = None
        offset = start.utcoffset() or timedelta()
        uncertainty = optional_number(row, "coordinateUncertainty")
        event = DeploymentChanged(
            deployment_id=tags.get("deployment", [name])[0],
            camera=self._camera(row, name),
            start=start,
            end=end,
            utc_offset_minutes=int(offset.total_seconds() // 60),
            latitude=degrees(row, "latitude", 90),
            longitude=degrees(row, "longitude", 180),
            coordinate_uncertainty_m=uncertainty or None,
            coordinate_sensitivity=_sensitivity(tags),
            capture_method=Trigger(tags["captureMethod"][0]) if "captureMethod" in tags else None,
            **{column: float(tags[column][0]) for column in OVERRIDES if column in tags},
        )
        if name in self._places:
            raise ValueError(f"the deploymentID {name!r} is taken by a line above")
        self._places[name] = event
        sink.deployment(event)

    def _camera(self, row: Row, deployment: str) -> str:
        station = row.text("locationID") or row.text("locationName")
        camera = row.text("cameraID")
        if self._ours:
            return canonical_camera(f"{station}/{camera}" if camera else station)
        return camera_of_levels(station or deployment, camera or deployment)

    def _place(self, row: Row) -> DeploymentChanged:
        name = needed_text(row, "deploymentID")
        if name not in self._places:
            raise ValueError(f"the deployment {name!r} is not in the table of deployments, or was left out")
        return self._places[name]

    def _media(self, row: Row, sink: ItemSink) -> None:
        place = self._place(row)
        exif = _exif(row.cells.get("exifData", ""))
        taken = _local(_moment(row, "timestamp"), place)
        sink.media(
            ImportedMedia(
                id=self._id("img", needed_text(row, "mediaID")),
                camera=place.camera,
                captured_at=taken,
                utc_offset_minutes=place.utc_offset_minutes,
                path=(_text(exif.get("objectKey")) if self._ours else None) or needed_text(row, "filePath"),
                trigger=_METHODS.get(row.text("captureMethod"), "unknown"),
                width=_positive(exif.get("ImageWidth")),
                height=_positive(exif.get("ImageHeight")),
                make=_text(exif.get("Make")),
                model=_text(exif.get("Model")),
                serial=_text(exif.get("SerialNumber")),
                comment=row.text("mediaComments"),
            )
        )

    def _observation(self, row: Row, sink: ItemSink) -> None:
        place = self._place(row)
        tags = split_tags(row.cells.get("observationTags", "")) if self._ours else {}
        media, event, kind = row.text("mediaID"), row.text("eventID"), row.text("observationType")
        level = row.text("observationLevel") or ("media" if media else "event")
        if level == "media" and not media:
            raise ValueError("the observation is one of media, and mediaID is empty")
        name = row.text("scientificName") or None
        count = optional_number(row, "count")
        burst = None
        if event or level == "event":
            burst = self._id(
                "bst", event or needed_text(row, "observationID"), "" if self._ours else place.deployment_id
            )
        sink.observation(
            ImportedObservation(
                human=row.text("classificationMethod") == "human",
                category=_CATEGORIES.get(kind),
                burst=burst,
                media=self._id("img", media) if level == "media" else None,
                camera=place.camera,
                started_at=_local(_moment(row, "eventStart"), place),
                ended_at=_local(_moment(row, "eventEnd"), place),
                utc_offset_minutes=place.utc_offset_minutes,
                about_burst=tags.get("about") == ["burst"],
                classified=kind != "unclassified",
                taxon=name,
                label=tags.get("label", [None if self._ours else self._labels.get(name or "")])[0],
                rank=tags.get("rank", [None if self._ours else self._ranks.get(name or "")])[0],
                count=None if not count else whole_number(count),
                probability=share(row, "classificationProbability"),
                by=row.text("classifiedBy"),
                at=_moment(row, "classificationTimestamp").astimezone(UTC)
                if row.text("classificationTimestamp")
                else None,
                box=_box(row),
                tags=tags,
                ours=self._ours,
                comment=row.text("observationComments"),
            )
        )

    def _id(self, prefix: str, name: str, *more: str) -> str:
        return name if self._ours else derived_id(prefix, self.origin, name, *more)


def _sensitivity(tags: Mapping[str, list[str]]) -> Sensitivity:
    """The level of a deployment by its tags; without any, the most secret one. Raises `ValueError` for another word."""
    if stated := tags.get("coordinateSensitivity"):
        return Sensitivity(stated[0])
    return FormerSensitivity(tags["sensitivity"][0]).level if "sensitivity" in tags else Sensitivity.EXTREME


def _moment(row: Row, column: str) -> datetime:
    """A timestamp. The format demands an offset; without one it is taken as UTC."""
    moment = parse_timestamp(needed_text(row, column))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local(moment: datetime, place: DeploymentChanged) -> datetime:
    """The time by the clock of the camera."""
    zone = timezone(timedelta(minutes=place.utc_offset_minutes))
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("the time is in no year of the calendar") from None


def _box(row: Row) -> Box | None:
    values = [share(row, f"bbox{name}") for name in ("X", "Y", "Width", "Height")]
    if all(value is None for value in values):
        return None
    x, y, width, height = values
    if x is None or y is None or not width or not height:
        raise ValueError("the box is incomplete, or has no area")
    return x, y, width, height


def _exif(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
