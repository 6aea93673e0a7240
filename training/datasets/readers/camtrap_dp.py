"""Camtrap DP 1.0 (https://camtrap-dp.tdwg.org): media and observations, joined.

Observations of a single medium count where there are some; else those of the event that the medium lies in: the one it
names, where media have an `eventID`, else by deployment and time. Time-lapse media may lie amid an event of motion, and
are no part of it: an event takes the media that were captured as those at its very start and end were. Where a medium
lies in several events still, the shortest counts, and none where several are. Events become bursts: they are wider than
bursts are, so a split stays honest.
"""

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from uncia.camtrap import tables
from uncia.events.images import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.table import clip_box, parse_time, read_rows
from uncia.training.datasets.readers.vocabulary import existing_path, intern_name, require_samples

DESCRIPTION = "datapackage.json"
_GROUPS = {"animal": "animal", "human": "person", "vehicle": "vehicle", "blank": "nothing"}


class _Seen(NamedTuple):
    label: str
    taxon: str
    group: str
    box: Box | None
    event: str


class _Medium(NamedTuple):
    path: Path
    deployment: str
    time: datetime | None
    moment: float | None
    method: str
    event: str


class _Event(NamedTuple):
    begin: float
    end: float
    seen: _Seen


def read_camtrap_dp(source: Path) -> Dataset:
    """`source`: the package's folder, or its datapackage.json. Media that are films, or whose file is a web address,
    are left out and counted, and so are observations nobody classified. Raises `DataError`."""
    description = source if source.is_file() else source / DESCRIPTION
    package = _description(description)
    folder = description.parent
    names = _names(package)
    by_medium, by_event = _observations(folder / _table(package, "observations"), names)
    media, films, elsewhere = _media(folder, folder / _table(package, "media"))
    by_event.learn_methods(media.values())
    pictures: list[Sample] = []
    unsaid = unclear = 0
    for key, medium in media.items():
        seen = by_medium.get(key)
        if not seen:
            found = by_event.of(medium)
            unclear += found is None
            unsaid += found == []
            seen = found or []
        for one in _one_each(seen):
            burst = intern_name(f"{medium.deployment}/{one.event}") if one.event else ""
            pictures.append(
                Sample(medium.path, one.label, burst, medium.deployment, medium.time, one.box, one.taxon, one.group)
            )
    left_out = [
        (unsaid, "without a classification"),
        (unclear, "in several events at once"),
        (films, "that are films"),
        (elsewhere, "that are web addresses"),
    ]
    told = [f"{count:,} media {why}" for count, why in left_out if count]
    require_samples(len(pictures), description, f"left out: {', '.join(told) or 'nothing; the tables are empty'}")
    name = package.get("title") or package.get("name") or folder.name
    return Dataset(tuple(pictures), "; ".join([f"Camtrap DP {name}", *(f"{each} left out" for each in told)]))


def _description(path: Path) -> dict[str, Any]:
    try:
        package = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(package, dict) or not isinstance(package.get("resources"), list):
        raise DataError(f"{path} describes no Camtrap DP package: it has no `resources`")
    return package


def _table(package: dict[str, Any], name: str) -> str:
    for resource in package["resources"]:
        if isinstance(resource, dict) and resource.get("name") == name:
            path = resource.get("path")
            if isinstance(path, list) and len(path) == 1:
                path = path[0]
            if isinstance(path, str) and "://" not in path:
                return path
            raise DataError(f"the table {name} is not one file of the package: fetch it, and name it in {DESCRIPTION}")
    raise DataError(f"{DESCRIPTION} names no table {name}")


def _names(package: dict[str, Any]) -> dict[str, str]:
    """Scientific name to the English one, where the package tells it."""
    return {
        entry["scientificName"]: entry["vernacularNames"]["eng"]
        for entry in package.get("taxonomic") or ()
        if isinstance(entry, dict) and "scientificName" in entry and (entry.get("vernacularNames") or {}).get("eng")
    }


class _Events:
    """What was seen from when to when, by deployment; and what was seen in the events that have an id."""

    def __init__(self) -> None:
        self._by_deployment: dict[str, list[_Event]] = defaultdict(list)
        self._by_id: dict[tuple[str, str], list[_Seen]] = defaultdict(list)
        self._longest: dict[str, float] = defaultdict(float)
        self._methods: dict[tuple[str, float], set[str]] = defaultdict(set)
        self._sorted = False

    def add(self, deployment: str, begin: float | None, end: float | None, seen: _Seen) -> None:
        if seen.event:
            self._by_id[deployment, seen.event].append(seen)
        if begin is not None:
            event = _Event(begin, begin if end is None else end, seen)
            self._by_deployment[deployment].append(event)
            self._longest[deployment] = max(self._longest[deployment], event.end - event.begin)

    def learn_methods(self, media: Iterable[_Medium]) -> None:
        """How the media of each moment were captured."""
        for medium in media:
            if medium.moment is not None:
                self._methods[medium.deployment, medium.moment].add(medium.method)

    def of(self, medium: _Medium) -> list[_Seen] | None:
        """None where several events are as likely."""
        if medium.event and (named := self._by_id.get((medium.deployment, medium.event))):
            return named
        if not self._sorted:
            for events in self._by_deployment.values():
                events.sort(key=lambda event: event[:2])
            self._sorted = True
        events = self._by_deployment.get(medium.deployment, [])
        if medium.moment is None or not events:
            return []
        last = bisect_right(events, medium.moment, key=lambda event: event.begin)
        first = bisect_left(events, medium.moment - self._longest[medium.deployment], key=lambda event: event.begin)
        around = [event for event in events[first:last] if medium.moment <= event.end]
        fits = {event: self._fit(event, medium) for event in around}
        best = min((fit for fit in fits.values() if fit is not None), default=None)
        around = [event for event in around if fits[event] == best and best is not None]
        if len({(event.begin, event.end, event.seen.event) for event in around}) > 1:
            return None
        return [event.seen for event in around]

    def _fit(self, event: _Event, medium: _Medium) -> tuple[bool, float] | None:
        """Less is better: whether the event may be of another `captureMethod`, and its length. None where it is.

        The media at both ends of an event tell how it was captured; several of one moment may differ.
        """
        length = event.end - event.begin
        known = [self._methods.get((medium.deployment, at), {""}) for at in (event.begin, event.end)]
        if medium.method and any(medium.method not in methods and "" not in methods for methods in known):
            return None
        return all(methods != {medium.method} for methods in known), length


def _observations(path: Path, names: dict[str, str]) -> tuple[dict[str, list[_Seen]], _Events]:
    by_medium: dict[str, list[_Seen]] = defaultdict(list)
    by_event = _Events()
    for line, row in read_rows(path):
        group = _GROUPS.get(row.get("observationType", ""))
        taxon = row.get("scientificName", "")
        if group is None or (group == "animal" and not taxon):
            continue
        label = names.get(taxon, taxon) if group == "animal" else group
        seen = _Seen(
            intern_name(label),
            intern_name("" if group == "nothing" else taxon),
            group,
            _box(row),
            intern_name(row.get("eventID", "")),
        )
        if row.get("mediaID"):
            by_medium[row["mediaID"]].append(seen)
            continue
        try:
            begin, end = _moment(row.get("eventStart", "")), _moment(row.get("eventEnd", ""))
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        by_event.add(row.get("deploymentID", ""), begin, end, seen)
    return by_medium, by_event


def _media(folder: Path, path: Path) -> tuple[dict[str, _Medium], int, int]:
    media: dict[str, _Medium] = {}
    films = elsewhere = 0
    for line, row in read_rows(path):
        if not (row.get("fileMediatype") or "image").startswith("image"):
            films += 1
            continue
        place = row.get("filePath", "")
        local = folder / place if "://" not in place else _beside(folder, row.get("fileName", ""))
        if local is None or not place:
            elsewhere += 1
            continue
        try:
            time, moment = parse_time(row.get("timestamp", "")), _moment(row.get("timestamp", ""))
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        media[row.get("mediaID") or place] = _Medium(
            existing_path(local),
            intern_name(row.get("deploymentID", "")),
            time,
            moment,
            intern_name(row.get("captureMethod", "")),
            intern_name(row.get("eventID", "") or row.get("sequenceID", "")),
        )
    return media, films, elsewhere


def _beside(folder: Path, name: str) -> Path | None:
    """A medium that is published on the web may lie in the package too, under its file name."""
    if not name or name != Path(name).name:
        return None
    return next((path for path in (folder / name, folder / "media" / name) if path.exists()), None)


def _moment(text: str) -> float | None:
    """Seconds; times without an offset count as UTC. Raises `ValueError`."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: Camtrap DP has them as 2026-05-01T06:30:00+02:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _box(row: dict[str, str]) -> Box | None:
    told = [row.get(f"bbox{name}", "") for name in ("X", "Y", "Width", "Height")]
    try:
        x, y, width, height = (tables.number(text, decimal_comma=True) for text in told)
        return clip_box(x, y, width, height)
    except ValueError:
        return None


def _one_each(seen: list[_Seen]) -> list[_Seen]:
    """Each label once, with its largest box."""
    best: dict[str, _Seen] = {}
    for one in seen:
        held = best.get(one.label)
        if held is None or _area(one.box) > _area(held.box):
            best[one.label] = one
    return list(best.values())


def _area(box: Box | None) -> float:
    return box[2] * box[3] if box else 0.0
