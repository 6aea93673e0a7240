"""Tables: CSV with a heading and one image per line; commas, semicolons or tabs."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from uncia.camtrap import table_format
from uncia.camtrap.names import is_card_folder
from uncia.camtrap.table_reader import open_table
from uncia.camtrap.vocabulary import CATEGORIES, group_of, is_unknown, normalized_label
from uncia.errors import UnciaError
from uncia.events.values import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import existing_path, intern_name, is_image_file, require_samples

COMPOSITES_FILE = "drawn.json"
"""Written into the folder of rendered composites, next to the table: the recipe, and a description of the source."""
COLUMNS = {
    "path": ("path", "file", "filename", "file name", "filepath", "file path", "image", "picture"),
    "folder": ("relativepath", "relative path", "directory", "folder"),
    "label": ("label", "class", "species", "vernacular name", "common name", "category"),
    "burst": ("burst", "sequence", "sequence id", "seq id", "event", "event id", "eventid"),
    "camera": ("camera", "camera id", "station", "location", "site", "deployment", "deployment id", "deploymentid"),
    "taken": ("taken", "time", "timestamp", "datetime", "date time", "datetimeoriginal", "captured", "capture time"),
    "date": ("date",),
    "deleted": ("deleteflag", "delete flag"),
    "taxon": ("taxon", "scientific name", "scientificname"),
    "group": ("group",),
    "x": ("x", "box x", "bboxx", "bbox x"),
    "y": ("y", "box y", "bboxy", "bbox y"),
    "width": ("width", "box width", "bboxwidth", "bbox width"),
    "height": ("height", "box height", "bboxheight", "bbox height"),
    "weight": ("sample weight",),
}
"""Column names that are recognised, by field. `path` (or `folder` that includes the file name) and `label` are
required. Folder and file name may be two columns, as in Timelapse and camtrapR."""

_RANKS = frozenset({"kingdom", "phylum", "order", "family", "genus"})
_YES = frozenset({"true", "1", "yes", "t"})
_ONLY_A_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")


def read_table(source: Path) -> Dataset:
    """Read a table; paths are relative to its folder. Raises `DataError` with the line that is wrong."""
    samples: list[Sample] = []
    unknown = deleted = 0
    for line, fields in _read_fields(source):
        label = fields.get("label", "")
        if fields.get("deleted", "").lower() in _YES:
            deleted += 1
            continue
        if is_unknown(label):
            unknown += 1
            continue
        try:
            samples.append(_parse_sample(source.parent, label, fields))
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}") from error
    require_samples(len(samples), source, "a heading with `path` and `label` is needed, then one line per image")
    left_out = [(unknown, "of unknown class"), (deleted, "marked for deletion")]
    notes = [f"{count:,} images {reason} left out" for count, reason in left_out if count]
    return Dataset(tuple(samples), "; ".join([_composites_source(source) or f"table {source.name}", *notes]))


def _composites_source(source: Path) -> str:
    """The source that rendered composites state; every report made from them must repeat that they are composites."""
    try:
        return str(json.loads((source.parent / COMPOSITES_FILE).read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_header(path: Path) -> tuple[str, ...]:
    """The column names of a table. Raises `DataError`."""
    try:
        with open_table(path) as table:
            return tuple(table.header)
    except UnciaError as error:
        raise DataError(f"{path}: {error}") from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Stream a table: line number, and cells by column, where cells that mean nothing (`NA`, …) are empty.

    Raises `DataError`, also for a row with more cells than the heading.
    """
    try:
        with open_table(path) as table:
            for row in table:
                if row.surplus:
                    raise DataError(
                        f"{path}, line {row.line}: it has more cells than the heading: is one with a separator in it "
                        "not quoted?"
                    )
                yield row.line, {name: row.text(name) for name in row.cells}
    except DataError:
        raise
    except UnciaError as error:
        raise DataError(f"{path}: {error}") from error


def _read_fields(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number, and cells by the field names of `COLUMNS`."""
    columns: dict[str, str] | None = None
    ranked = False
    for line, row in read_rows(path):
        if columns is None:
            columns = _match_columns(path, row)
            ranked = _has_ranks(row)
        fields = {field: row[column] for field, column in columns.items()}
        if ranked:
            fields |= _taxon_from_ranks(row, fields)
        yield line, fields


def _has_ranks(row: dict[str, str]) -> bool:
    return bool(_RANKS & {normalized_label(name) for name in row})


def _match_columns(path: Path, row: dict[str, str]) -> dict[str, str]:
    """Column by field. In a table with taxonomic ranks, `class` is a rank and not the class of an image."""
    ranked = _has_ranks(row)
    found = {}
    for field, names in COLUMNS.items():
        columns = [name for name in row if normalized_label(name) in names]
        columns = [name for name in columns if not (ranked and normalized_label(name) == "class")]
        if columns:
            found[field] = min(columns, key=lambda name: names.index(normalized_label(name)))
    if ranked:
        common = [name for name in row if normalized_label(name) in ("common name", "vernacular name")]
        found["label"] = common[0] if common else found.get("label", "")
        if not found["label"]:
            del found["label"]
    missing = [name for name in ("path", "label") if name not in found and not (name == "path" and "folder" in found)]
    if missing:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}: its heading is {', '.join(row)}")
    return found


def _taxon_from_ranks(row: dict[str, str], fields: dict[str, str]) -> dict[str, str]:
    """Taxon and label of a table with a column per rank, in which `species` is the specific epithet alone."""
    ranks = {normalized_label(name): text for name, text in row.items()}
    genus, species = ranks.get("genus", ""), ranks.get("species", "")
    taxon = fields.get("taxon") or (
        species if " " in species or not genus else f"{genus} {species}".strip().capitalize()
    )
    label = fields.get("label", "")
    return {"taxon": taxon, "label": taxon if label in ("", species) else label}


def _parse_sample(folder: Path, label: str, fields: dict[str, str]) -> Sample:
    path = _resolve_path(folder, fields.get("path", ""), fields.get("folder", ""))
    group = fields.get("group") or group_of(label)
    if group not in CATEGORIES:
        raise ValueError(f"group {group!r} is none of {', '.join(CATEGORIES)}")
    return Sample(
        path=existing_path(path),
        label=intern_name(label),
        burst=intern_name(_burst_id(fields)),
        camera=intern_name(fields.get("camera", "") or _camera_from_folder(fields.get("folder", ""))),
        taken=parse_time(_time_text(fields)),
        box=_parse_box(fields),
        taxon=intern_name(fields.get("taxon", "")),
        group=intern_name(group),
        weight=_parse_weight(fields.get("weight", "")),
    )


def _resolve_path(folder: Path, name: str, directory: str) -> Path:
    """Directory and name joined, unless the directory already ends in the name. Raises `ValueError` without a path."""
    if not name and not is_image_file(Path(_with_slashes(directory))):
        raise ValueError("no path")
    found = folder / directory / name
    if ("\\" in directory or "\\" in name) and not found.exists():  # on Linux a name may contain a backslash
        directory, name = _with_slashes(directory), _with_slashes(name)
        found = folder / directory / name
    last = Path(directory).name
    return folder / directory if directory and (last == Path(name).name or not name) else found


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/")


def _camera_from_folder(directory: str) -> str:
    """The folders of an image without those that cameras number themselves: two cameras both write `100RECNX`."""
    levels = [level for level in _with_slashes(directory).split("/") if level not in ("", ".")]
    levels = [level for level in levels if not is_card_folder(level)]
    if levels and is_image_file(Path(levels[-1])):
        levels.pop()
    return "/".join(levels)


def _time_text(fields: dict[str, str]) -> str:
    """The timestamp; date and time joined where they are two columns."""
    taken, date = fields.get("taken", ""), fields.get("date", "")
    if date and (not taken or _ONLY_A_TIME.fullmatch(taken)):
        return f"{date} {taken}".strip()
    return taken


def _burst_id(fields: dict[str, str]) -> str:
    """Burst numbers often start at 1 for each camera, so the camera is part of the id."""
    burst, camera = fields.get("burst", ""), fields.get("camera", "")
    return f"{camera}/{burst}" if burst and not burst.startswith(camera) else burst


def parse_time(text: str) -> datetime | None:
    """Local time as written; an offset is dropped, since one camera has one clock. None for an empty cell.

    Reads ISO 8601, EXIF's `2026:05:01 06:30:00` and Timelapse's `01-May-2026 06:30:00`. Raises `ValueError`.
    """
    if not text:
        return None
    # Many tables copy EXIF's date format.
    if text[4:5] == ":" and text[7:8] == ":":
        text = text[:10].replace(":", "-") + text[10:]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        pass
    try:
        # Timelapse's own format, with the English name of the month.
        return datetime.strptime(text, "%d-%b-%Y %H:%M:%S")
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time: write it as 2026-05-01 06:30:00 (01/05 and 05/01 do not show which is the month)"
        ) from None


def _parse_box(fields: dict[str, str]) -> Box | None:
    cells = [fields.get(name, "") for name in ("x", "y", "width", "height")]
    if not any(cells):
        return None
    try:
        x, y, width, height = (table_format.parse_number(text, decimal_comma=True) for text in cells)
    except ValueError:
        raise ValueError(f"the box {cells} is not four numbers") from None
    return clip_box(x, y, width, height)


def _parse_weight(text: str) -> float:
    if not text:
        return 1.0
    try:
        weight = table_format.parse_number(text, decimal_comma=True)
    except ValueError:
        raise ValueError(f"the weight {text!r} is not a number") from None
    if not 0 < weight <= 1:
        raise ValueError(f"the weight {text} is not above 0 and at most 1")
    return weight


def clip_box(x: float, y: float, width: float, height: float) -> Box:
    """A box in shares of the image, clipped to it. Raises `ValueError` where it is empty or not in shares (0 to 1)."""
    right, bottom = x + width, y + height
    if not (width > 0 and height > 0 and right <= 1.05 and bottom <= 1.05 and x >= -0.05 and y >= -0.05):
        raise ValueError(f"the box {x:g}, {y:g}, {width:g}, {height:g} is not in shares of the image (0 to 1)")
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, min(right, 1.0) - x, min(bottom, 1.0) - y


def box_area(box: Box | None) -> float:
    """Area as a share of the image; 0 without a box."""
    return box[2] * box[3] if box else 0.0
