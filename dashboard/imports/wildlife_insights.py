"""Reads a download of Wildlife Insights: `images.csv`, and `deployments.csv` next to it.

Its times have no offset: they are by the cameras' clocks, whose offset the caller states.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, timedelta, timezone
from pathlib import Path

from uncia.camtrap.table_reader import Row, open_table
from uncia.camtrap.vocabulary import category_of, is_unknown
from uncia.dashboard.imports.cells import degrees, needed_text, optional_number, problem_sentence, whole_number
from uncia.dashboard.imports.items import ImportedMedia, ImportedObservation, ItemSink
from uncia.dashboard.imports.naming import camera_of_levels, derived_id, parse_local_time
from uncia.dashboard.imports.problems import ImportReport
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged

__all__ = ["WildlifeInsightsReader"]

IMAGES, DEPLOYMENTS = "images.csv", "deployments.csv"
_YES = frozenset({"1", "true", "t", "yes"})
_MACHINE = "computer vision"


class WildlifeInsightsReader:
    """Reads the deployments, then the images: one row per image and species."""

    def __init__(
        self, images: Path, report: ImportReport, utc_offset_minutes: int = 0, origin: str | None = None
    ) -> None:
        """`images`: the table of images."""
        self._images, self._report, self._offset = images, report, utc_offset_minutes
        self.origin = origin or f"wildlife-insights:{images.parent.name}"
        self._cameras: dict[str, str] = {}
        self._last = ""

    def read(self, sink: ItemSink) -> None:
        """Put everything into a sink. Raises `UnciaError` where a table cannot be read at all."""
        places = self._images.with_name(DEPLOYMENTS)
        if places.is_file():
            self._table(places, lambda row: self._deployment(row, sink))
        self._table(self._images, lambda row: self._image(row, sink))

    def _table(self, path: Path, take: Callable[[Row], None]) -> None:
        try:
            with open_table(path) as table:
                for row in table:
                    try:
                        if row.surplus:
                            raise ValueError("it has more cells than the heading")
                        take(row)
                    except ValueError as error:
                        self._report.add(path.name, row.line, problem_sentence(error))
        except UnciaError as error:
            raise UnciaError(f"{path} {error}") from error

    def _deployment(self, row: Row, sink: ItemSink) -> None:
        name = needed_text(row, "deployment_id")
        camera = camera_of_levels(row.text("placename") or name, row.text("camera_id") or name)
        self._cameras[name] = camera
        zone = timezone(timedelta(minutes=self._offset))
        start = parse_local_time(needed_text(row, "start_date")).replace(tzinfo=zone)
        end = parse_local_time(row.text("end_date")).replace(tzinfo=zone) if row.text("end_date") else None
        sink.deployment(
            DeploymentChanged(
                deployment_id=name,
                camera=camera,
                start=start,
                end=end if end is not None and end > start else None,
                utc_offset_minutes=self._offset,
                latitude=degrees(row, "latitude", 90),
                longitude=degrees(row, "longitude", 180),
            )
        )

    def _image(self, row: Row, sink: ItemSink) -> None:
        name, deployment = needed_text(row, "image_id"), needed_text(row, "deployment_id")
        camera = self._cameras.get(deployment) or camera_of_levels(deployment)
        media = derived_id("img", self.origin, deployment, name)
        if media != self._last:
            path = row.text("location").partition("://")[2] or f"{deployment}/{row.text('filename') or name}"
            taken = parse_local_time(needed_text(row, "timestamp"))
            with suppress(ValueError):  # the rows of one image need not follow each other
                sink.media(ImportedMedia(media, camera, taken, self._offset, path))
            self._last = media
        by = row.text("identified_by")
        count, confidence = optional_number(row, "number_of_objects"), optional_number(row, "cv_confidence")
        category, taxon, label, rank = _identification(row)
        sink.observation(
            ImportedObservation(
                human=by.lower() != _MACHINE and bool(by),
                category=category,
                media=media,
                camera=camera,
                taxon=taxon,
                label=label,
                rank=rank,
                count=whole_number(count) or None if count is not None and category != "blank" else None,
                probability=confidence if confidence is not None and 0 <= confidence <= 1 else None,
                by=by,
                at=parse_local_time(row.text("timestamp")).replace(tzinfo=UTC) - timedelta(minutes=self._offset),
                comment=row.text("uncertainty"),
            )
        )


def _identification(row: Row) -> tuple[str | None, str | None, str | None, str | None]:
    """Category, taxon, label and rank."""
    label = row.text("common_name")
    if row.text("is_blank").lower() in _YES or label.lower() == "blank":
        return "blank", None, None, None
    genus, species = row.text("genus"), row.text("species")
    if genus.lower() == "homo" or label.lower().startswith("human"):
        return "person", None, label or None, None
    if genus:
        taxon = f"{genus} {species}".strip().capitalize()
        return "animal", taxon, label or taxon, "species" if species else "genus"
    for rank in ("family", "order", "class"):
        if name := row.text(rank):
            return "animal", name.capitalize(), label or name, rank
    if not label or is_unknown(label):
        return None, None, None, None
    category = category_of(label)
    return ("blank" if category == "nothing" else category or "animal"), None, label, None
