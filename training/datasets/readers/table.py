"""A table: one picture per line, CSV with a heading; commas, semicolons or tabs."""

import contextlib
import csv
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from uncia.camtrap import tables
from uncia.camtrap.names import is_cards_own
from uncia.errors import UnciaError
from uncia.events.images import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.vocabulary import (
    existing_path,
    group_of,
    intern_name,
    is_image_file,
    is_unknown_label,
    normalize_label,
    require_samples,
)

COMPOSITES_FILE = "drawn.json"
"""Lies beside the table of a data set that was drawn, with the recipe and what it is in words."""
GROUPS = ("animal", "person", "vehicle", "nothing")
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
}
"""What is read, and what its column may be called. `path` (or `folder`, with the file's name in it) and `label` must be
there. A file's folder and name may stand in two columns, as Timelapse and camtrapR have them."""

_RANKS = frozenset({"kingdom", "phylum", "order", "family", "genus"})
_YES = frozenset({"true", "1", "yes", "t"})


def read_table(source: Path) -> Dataset:
    """Paths count from the table's folder. Raises `DataError` with the line that is wrong."""
    pictures: list[Sample] = []
    unknown = deleted = 0
    for line, row in _rows(source):
        label = row.get("label", "")
        if row.get("deleted", "").lower() in _YES:
            deleted += 1
            continue
        if is_unknown_label(label):
            unknown += 1
            continue
        try:
            pictures.append(_picture(source.parent, label, row))
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}") from error
    require_samples(len(pictures), source, "a heading with `path` and `label`, then a line per picture")
    told = [_told_beside(source) or f"table {source.name}"]
    left_out = [(unknown, "of unknown class"), (deleted, "marked for deletion")]
    return Dataset(
        tuple(pictures), "; ".join([*told, *(f"{count:,} pictures {why} left out" for count, why in left_out if count)])
    )


def _told_beside(source: Path) -> str:
    """What a drawn data set says of itself: that it is drawn must stand in every report made from it."""
    try:
        return str(json.loads((source.parent / COMPOSITES_FILE).read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_header(path: Path) -> tuple[str, ...]:
    """The names of a table's columns. Raises `DataError`."""
    with _opened(path) as (reader, _):
        return tuple(name.strip() for name in reader.fieldnames or ())


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the line by its heading's names; cells that mean nothing (`uncia.camtrap.tables.MISSING`) are
    empty. Raises `DataError`."""
    with _opened(path) as (reader, skipped):
        names = [name.strip() for name in reader.fieldnames or ()]
        twice = {name for name in names if name and names.count(name) > 1}
        if twice:
            raise DataError(f"{path} has the column {', '.join(sorted(twice))} more than once")
        reader.fieldnames = names
        for row in reader:
            if None in row:
                raise DataError(
                    f"{path}, line {reader.line_num + skipped}: it has more cells than the heading: is one with a "
                    "separator in it not quoted?"
                )
            yield reader.line_num + skipped, {name: tables.cell(row[name]) for name in names if name}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple["csv.DictReader[str]", int]]:
    """A reader from the heading on, and the lines before it."""
    try:
        with path.open("rb") as raw:
            encoding = tables.encoding_of(raw.read(4096))
        with path.open(encoding=encoding, newline="") as file:
            form = tables.form_of(file.readline(_LONGEST_LINE), file.readline(_LONGEST_LINE))
            file.seek(0)
            for _ in range(form.skipped):
                file.readline()
            yield csv.DictReader(file, delimiter=form.separator, restval=""), form.skipped
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {tables.not_utf_8(_line_of(path))}") from error
    except csv.Error as error:
        raise DataError(f"{path} is no table: {error}") from error
    except DataError:
        raise
    except UnciaError as error:
        raise DataError(f"{path}: {error}") from error


_LONGEST_LINE = 1 << 20


def _line_of(path: Path) -> int:
    """The first line that is not UTF-8."""
    with path.open("rb") as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    columns: dict[str, str] | None = None
    ranked = False
    for line, row in read_rows(path):
        if columns is None:
            columns = _columns(path, row)
            ranked = bool(_RANKS & {normalize_label(name) for name in row})
        found = {ours: row[theirs] for ours, theirs in columns.items()}
        if ranked:
            found |= _of_ranks(row, found)
        yield line, found


def _columns(path: Path, row: dict[str, str]) -> dict[str, str]:
    """Our name to theirs. Beside an order or a family, `class` is a rank and no class of pictures."""
    ranked = bool(_RANKS & {normalize_label(name) for name in row})
    found = {}
    for ours, names in COLUMNS.items():
        theirs = [
            name for name in row if normalize_label(name) in names and not (ranked and normalize_label(name) == "class")
        ]
        if theirs:
            found[ours] = min(theirs, key=lambda name: names.index(normalize_label(name)))
    if ranked:
        common = [name for name in row if normalize_label(name) in ("common name", "vernacular name")]
        found["label"] = common[0] if common else found.get("label", "")
        if not found["label"]:
            del found["label"]
    missing = [name for name in ("path", "label") if name not in found and not (name == "path" and "folder" in found)]
    if missing:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}: its heading is {', '.join(row)}")
    return found


def _of_ranks(row: dict[str, str], found: dict[str, str]) -> dict[str, str]:
    """Taxon and label where the ranks have columns of their own, `species` then being the second word alone."""
    ranks = {normalize_label(name): text for name, text in row.items()}
    genus, species = ranks.get("genus", ""), ranks.get("species", "")
    taxon = found.get("taxon") or (
        species if " " in species or not genus else f"{genus} {species}".strip().capitalize()
    )
    label = found.get("label", "")
    return {"taxon": taxon, "label": taxon if label in ("", species) else label}


def _picture(folder: Path, label: str, row: dict[str, str]) -> Sample:
    path = _path(folder, row.get("path", ""), row.get("folder", ""))
    group = row.get("group") or group_of(label)
    if group not in GROUPS:
        raise ValueError(f"group {group!r} is none of {', '.join(GROUPS)}")
    return Sample(
        path=existing_path(path),
        label=intern_name(label),
        burst=intern_name(_burst(row)),
        camera=intern_name(row.get("camera", "") or _camera_of(row.get("folder", ""))),
        taken=parse_time(_taken(row)),
        box=_box(row),
        taxon=intern_name(row.get("taxon", "")),
        group=intern_name(group),
    )


def _path(folder: Path, name: str, place: str) -> Path:
    """Name and place joined, unless the place has the name in it already. Raises `ValueError` where there is none."""
    if not name and not is_image_file(Path(_slashed(place))):
        raise ValueError("no path")
    found = folder / place / name
    if ("\\" in place or "\\" in name) and not found.exists():  # on Linux a name may have a backslash in it
        place, name = _slashed(place), _slashed(name)
        found = folder / place / name
    last = Path(place).name
    return folder / place if place and (last == Path(name).name or not name) else found


def _slashed(path: str) -> str:
    return path.replace("\\", "/")


def _camera_of(place: str) -> str:
    """The folders around a picture without those that cameras number themselves: two cameras both have a `100RECNX`."""
    levels = [level for level in _slashed(place).split("/") if level not in ("", ".") and not is_cards_own(level)]
    if levels and is_image_file(Path(levels[-1])):
        levels.pop()
    return "/".join(levels)


def _taken(row: dict[str, str]) -> str:
    """Where date and time have a column each, the two of them."""
    taken, date = row.get("taken", ""), row.get("date", "")
    if date and (not taken or _ONLY_A_TIME.fullmatch(taken)):
        return f"{date} {taken}".strip()
    return taken


_ONLY_A_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")


def _burst(row: dict[str, str]) -> str:
    """Many number the bursts of each camera from 1: the camera belongs to the name."""
    burst, camera = row.get("burst", ""), row.get("camera", "")
    return f"{camera}/{burst}" if burst and not burst.startswith(camera) else burst


def parse_time(text: str) -> datetime | None:
    """The clock as it is written, whatever its offset: a camera has one for all pictures. Raises `ValueError`."""
    if not text:
        return None
    # EXIF's own way of writing dates, which many tables carry over.
    if text[4:5] == ":" and text[7:8] == ":":
        text = text[:10].replace(":", "-") + text[10:]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        pass
    try:
        # Timelapse's own, with the month in English.
        return datetime.strptime(text, "%d-%b-%Y %H:%M:%S")
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: write it as 2026-05-01 06:30:00 (of 05/01 and 01/05 nothing says which is the month)"
        ) from None


def _box(row: dict[str, str]) -> Box | None:
    told = [row.get(name, "") for name in ("x", "y", "width", "height")]
    if not any(told):
        return None
    try:
        x, y, width, height = (tables.number(text, decimal_comma=True) for text in told)
    except ValueError:
        raise ValueError(f"the box {told} is not four numbers") from None
    return clip_box(x, y, width, height)


def clip_box(x: float, y: float, width: float, height: float) -> Box:
    """A box cut to the picture. Raises `ValueError` where it is not given as shares, or is empty."""
    right, bottom = x + width, y + height
    if not (width > 0 and height > 0 and right <= 1.05 and bottom <= 1.05 and x >= -0.05 and y >= -0.05):
        raise ValueError(f"the box {x:g}, {y:g}, {width:g}, {height:g} is not in shares of the picture (0 to 1)")
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, min(right, 1.0) - x, min(bottom, 1.0) - y
