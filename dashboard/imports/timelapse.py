"""Reads a CSV that Timelapse exported: one row per photograph, with `File`, `RelativePath`, `DateTime` and the data
labels of the template. What people entered there counts as their observation."""

from datetime import UTC, timedelta
from pathlib import Path

from uncia.camtrap.table_reader import Row, open_table
from uncia.camtrap.vocabulary import category_of, is_unknown
from uncia.dashboard.imports.cells import needed_text, optional_number, problem_sentence, whole_number
from uncia.dashboard.imports.items import ImportedMedia, ImportedObservation, ItemSink
from uncia.dashboard.imports.naming import camera_of_folders, derived_id, parse_local_time
from uncia.dashboard.imports.problems import ImportReport
from uncia.errors import UnciaError

__all__ = ["TimelapseReader"]

_SPECIES = ("Species", "species", "ScientificName", "Taxon")
_NAMES = ("CommonName", "Common_name", "Label")
_CATEGORY = ("Category", "category", "ObservationType")
_COUNT = ("Count", "count", "Number", "Count0")
_BY = ("Reviewer", "Analyst", "Observer", "ClassifiedBy")
_COMMENT = ("Comment", "Note0", "Comments", "Notes")


class TimelapseReader:
    """Reads the rows of one CSV."""

    def __init__(
        self,
        source: Path,
        report: ImportReport,
        utc_offset_minutes: int = 0,
        camera: str | None = None,
        origin: str | None = None,
    ) -> None:
        """`camera`: that of all photographs; None: by their folders."""
        self._source, self._report, self._offset, self._camera = source, report, utc_offset_minutes, camera
        self.origin = origin or f"timelapse:{source.stem}"

    def read(self, sink: ItemSink) -> None:
        """Put everything into a sink. Raises `UnciaError` where the table cannot be read at all."""
        try:
            with open_table(self._source) as table:
                for row in table:
                    try:
                        self._row(row, sink)
                    except ValueError as error:
                        self._report.add(self._source.name, row.line, problem_sentence(error))
        except UnciaError as error:
            raise UnciaError(f"{self._source} {error}") from error

    def _row(self, row: Row, sink: ItemSink) -> None:
        if row.surplus:
            raise ValueError("it has more cells than the heading")
        folder, name = row.text("RelativePath").replace("\\", "/").strip("/"), needed_text(row, "File")
        path = f"{folder}/{name}" if folder else name
        camera = self._camera or camera_of_folders(path)
        text = row.text("DateTime") or f"{row.text('Date')} {row.text('Time')}".strip()
        if not text:
            raise ValueError("DateTime is empty")
        media = derived_id("img", self.origin, path)
        taken = parse_local_time(text)
        count = optional_number(row, next((column for column in _COUNT if row.text(column)), "Count"))
        category, taxon, label = _seen(row)
        sink.media(ImportedMedia(media, camera, taken, self._offset, path))
        if category is None and taxon is None and not _first(row, _SPECIES) and not _first(row, _CATEGORY):
            return
        sink.observation(
            ImportedObservation(
                human=_first(row, ("Reviewed",)).lower() != "false",
                category=category,
                media=media,
                taxon=taxon,
                label=label,
                count=whole_number(count) or None if count is not None and category != "blank" else None,
                by=_first(row, _BY) or "Timelapse",
                at=(taken - timedelta(minutes=self._offset)).replace(tzinfo=UTC),
                comment=_first(row, _COMMENT),
            )
        )


def _first(row: Row, columns: tuple[str, ...]) -> str:
    return next((text for column in columns if (text := row.text(column))), "")


def _seen(row: Row) -> tuple[str | None, str | None, str | None]:
    """Category, taxon and label. A species that names a category, such as `human`, is that category."""
    species, label = _first(row, _SPECIES), _first(row, _NAMES)
    stated = _first(row, _CATEGORY)
    named = category_of(species or label or stated) or category_of(stated)
    if named is not None and (named != "animal" or category_of(species or label or stated) is not None):
        category = "blank" if named == "nothing" else named
        return category, None if category_of(species) else species or None, label or None
    if (not species and not label) or is_unknown(species or label):
        return ("animal" if named == "animal" else None), None, None
    # Latin binomials are taxa; other words are names.
    latin = len(species.split()) == 2 and species[:1].isupper() and species.isascii()
    return "animal", species if latin else None, label or species
