"""A table: one picture per line, CSV with a heading; commas, semicolons or tabs."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from triton_models.data import DataError
from triton_models.data.pictures import DataSet, Picture
from triton_models.data.readers.words import group_of, need_pictures, plain, same, tells_nothing
from uncia.events.images import Box

DRAWN = "drawn.json"
"""Lies beside the table of a data set that was drawn, with the recipe and what it is in words."""
GROUPS = ("animal", "person", "vehicle", "nothing")
COLUMNS = {
    "path": ("path", "file", "filename", "file name", "filepath", "file path", "image", "picture", "relativepath"),
    "label": ("label", "class", "species", "vernacular name", "common name", "category"),
    "burst": ("burst", "sequence", "sequence id", "seq id", "event", "event id", "eventid"),
    "camera": ("camera", "camera id", "station", "location", "site", "deployment", "deployment id", "deploymentid"),
    "taken": ("taken", "time", "timestamp", "datetime", "date time", "captured", "capture time"),
    "taxon": ("taxon", "scientific name", "scientificname"),
    "group": ("group",),
    "x": ("x", "box x", "bboxx", "bbox x"),
    "y": ("y", "box y", "bboxy", "bbox y"),
    "width": ("width", "box width", "bboxwidth", "bbox width"),
    "height": ("height", "box height", "bboxheight", "bbox height"),
}
"""What is read, and what its column may be called. `path` and `label` must be there."""


def read_table(source: Path) -> DataSet:
    """Paths count from the table's folder. Raises `DataError` with the line that is wrong."""
    pictures: list[Picture] = []
    unknown = 0
    for line, row in _rows(source):
        label = row.get("label", "")
        if tells_nothing(label):
            unknown += 1
            continue
        try:
            pictures.append(_picture(source.parent, label, row))
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}") from error
    need_pictures(len(pictures), source, "a heading with `path` and `label`, then a line per picture")
    told = _told_beside(source) or f"table {source.name}"
    return DataSet(tuple(pictures), f"{told}; {unknown:,} pictures of unknown class left out" if unknown else told)


def _told_beside(source: Path) -> str:
    """What a drawn data set says of itself: that it is drawn must stand in every report made from it."""
    try:
        return str(json.loads((source.parent / DRAWN).read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the line by its heading's names. Raises `DataError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=heading.count), restval="")
            for row in reader:
                yield reader.line_num, {name: (row[name] or "").strip() for name in reader.fieldnames or () if name}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no table in UTF-8: {error}") from error


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    columns: dict[str, str] | None = None
    for line, row in rows_of(path):
        if columns is None:
            columns = _columns(path, row)
        yield line, {ours: row[theirs] for ours, theirs in columns.items()}


def _columns(path: Path, row: dict[str, str]) -> dict[str, str]:
    found = {}
    for ours, names in COLUMNS.items():
        theirs = [name for name in row if plain(name) in names]
        if theirs:
            found[ours] = min(theirs, key=lambda name: names.index(plain(name)))
    missing = [name for name in ("path", "label") if name not in found]
    if missing:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}: its heading is {', '.join(row)}")
    return found


def _picture(folder: Path, label: str, row: dict[str, str]) -> Picture:
    if not row["path"]:
        raise ValueError("no path")
    group = row.get("group") or group_of(label)
    if group not in GROUPS:
        raise ValueError(f"group {group!r} is none of {', '.join(GROUPS)}")
    return Picture(
        path=folder / row["path"],
        label=same(label),
        burst=same(_burst(row)),
        camera=same(row.get("camera", "")),
        taken=time_of(row.get("taken", "")),
        box=_box(row),
        taxon=same(row.get("taxon", "")),
        group=same(group),
    )


def _burst(row: dict[str, str]) -> str:
    """Many number the bursts of each camera from 1: the camera belongs to the name."""
    burst, camera = row.get("burst", ""), row.get("camera", "")
    return f"{camera}/{burst}" if burst and not burst.startswith(camera) else burst


def time_of(text: str) -> datetime | None:
    """The clock as it is written, whatever its offset: a camera has one for all pictures. Raises `ValueError`."""
    if not text:
        return None
    # EXIF's own way of writing dates, which many tables carry over.
    if text[4:5] == ":" and text[7:8] == ":":
        text = text[:10].replace(":", "-") + text[10:]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write it as 2026-05-01 06:30:00") from None


def _box(row: dict[str, str]) -> Box | None:
    told = [row.get(name, "") for name in ("x", "y", "width", "height")]
    if not any(told):
        return None
    try:
        x, y, width, height = map(float, told)
    except ValueError:
        raise ValueError(f"the box {told} is not four numbers") from None
    return checked_box(x, y, width, height)


def checked_box(x: float, y: float, width: float, height: float) -> Box:
    """A box cut to the picture. Raises `ValueError` where it is not given as shares, or is empty."""
    right, bottom = x + width, y + height
    if not (width > 0 and height > 0 and right <= 1.05 and bottom <= 1.05 and x >= -0.05 and y >= -0.05):
        raise ValueError(f"the box {x:g}, {y:g}, {width:g}, {height:g} is not in shares of the picture (0 to 1)")
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, min(right, 1.0) - x, min(bottom, 1.0) - y
