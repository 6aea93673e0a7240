"""Camtrap DP 1.0 (https://camtrap-dp.tdwg.org): media joined with their observations.

A medium's own observations take precedence; without any, those of its event apply. The event is the one that the medium
names in `eventID`, else it follows from deployment and time. Time-lapse media may fall within an event of motion
without belonging to it: an event covers the media whose `captureMethod` is that of the media at its start and end. Of
several events that still match, the shortest applies; if several are equally short, the medium is left out. Events
become bursts: they are longer than bursts, so a split by burst does not leak.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from uncia.camtrap import table_format
from uncia.camtrap.camtrap_dp import CamtrapPackage, unix_time
from uncia.camtrap.vocabulary import OBSERVATION_TYPES
from uncia.errors import UnciaError
from uncia.events.values import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import existing_path, intern_name, require_samples
from uncia.training.datasets.readers.table import box_area, clip_box, parse_time, read_rows

_VIDEOS = "that are videos"
_ON_THE_WEB = "that are web addresses"
_NO_OBSERVATION = "without a classification"
_SEVERAL_EVENTS = "in several events at once"


class _Observation(NamedTuple):
    label: str
    taxon: str
    group: str
    box: Box | None
    event: str


class _Medium(NamedTuple):
    path: Path
    deployment: str
    time: datetime | None
    """Local time, as the camera's clock showed it."""
    timestamp: float | None
    """Seconds since 1970."""
    capture_method: str
    event: str


class _Event(NamedTuple):
    begin: float
    end: float
    observation: _Observation


def read_camtrap_dp(source: Path) -> Dataset:
    """Read a package: its folder, or its `datapackage.json`.

    Left out and counted: videos, media whose file is a web address, and media without a classification. Raises
    `DataError`.
    """
    try:
        package = CamtrapPackage.open(source)
        observations = package.table("observations")
        media_table = package.table("media")
    except DataError:
        raise
    except UnciaError as error:
        raise DataError(str(error)) from error
    by_medium, events = _read_observations(observations, package.english_names())
    left_out: Counter[str] = Counter()
    media = _read_media(package.folder, media_table, left_out)
    events.add_capture_methods(media.values())
    samples: list[Sample] = []
    for media_id, medium in media.items():
        found = by_medium.get(media_id) or events.observations_of(medium)
        if not found:
            left_out[_SEVERAL_EVENTS if found is None else _NO_OBSERVATION] += 1
        for one in _largest_per_label(found or []):
            burst = intern_name(f"{medium.deployment}/{one.event}") if one.event else ""
            samples.append(
                Sample(medium.path, one.label, burst, medium.deployment, medium.time, one.box, one.taxon, one.group)
            )
    reasons = (_NO_OBSERVATION, _SEVERAL_EVENTS, _VIDEOS, _ON_THE_WEB)
    notes = [f"{left_out[reason]:,} media {reason}" for reason in reasons if left_out[reason]]
    require_samples(
        len(samples), package.descriptor, f"left out: {', '.join(notes) or 'nothing; the tables are empty'}"
    )
    return Dataset(tuple(samples), "; ".join([f"Camtrap DP {package.title}", *(f"{note} left out" for note in notes)]))


class _Events:
    """Observations of events, by deployment and period, and by event id."""

    def __init__(self) -> None:
        self._by_deployment: dict[str, list[_Event]] = defaultdict(list)
        self._by_id: dict[tuple[str, str], list[_Observation]] = defaultdict(list)
        self._longest: dict[str, float] = defaultdict(float)
        self._capture_methods: dict[tuple[str, float], set[str]] = defaultdict(set)
        self._sorted = False

    def add(self, deployment: str, begin: float | None, end: float | None, observation: _Observation) -> None:
        if observation.event:
            self._by_id[deployment, observation.event].append(observation)
        if begin is not None:
            event = _Event(begin, begin if end is None else end, observation)
            self._by_deployment[deployment].append(event)
            self._longest[deployment] = max(self._longest[deployment], event.end - event.begin)

    def add_capture_methods(self, media: Iterable[_Medium]) -> None:
        """Record the `captureMethod` of the media of each moment."""
        for medium in media:
            if medium.timestamp is not None:
                self._capture_methods[medium.deployment, medium.timestamp].add(medium.capture_method)

    def observations_of(self, medium: _Medium) -> list[_Observation] | None:
        """The observations of the medium's event; empty without an event, None where several match equally well."""
        if medium.event and (named := self._by_id.get((medium.deployment, medium.event))):
            return named
        if medium.timestamp is None:
            return []
        around = self._around(medium.deployment, medium.timestamp)
        ranks = {event: self._rank(event, medium) for event in around}
        best = min((rank for rank in ranks.values() if rank is not None), default=None)
        matching = [event for event in around if best is not None and ranks[event] == best]
        if len({(event.begin, event.end, event.observation.event) for event in matching}) > 1:
            return None
        return [event.observation for event in matching]

    def _around(self, deployment: str, timestamp: float) -> list[_Event]:
        """The events of a deployment that cover a moment, found by bisection: packages have 100,000 events."""
        if not self._sorted:
            for events in self._by_deployment.values():
                events.sort(key=lambda event: event[:2])
            self._sorted = True
        events = self._by_deployment.get(deployment, [])
        last = bisect_right(events, timestamp, key=lambda event: event.begin)
        first = bisect_left(events, timestamp - self._longest[deployment], key=lambda event: event.begin)
        return [event for event in events[first:last] if timestamp <= event.end]

    def _rank(self, event: _Event, medium: _Medium) -> tuple[bool, float] | None:
        """Sort key, smaller is better: whether the `captureMethod` is uncertain, then length. None where it differs.

        The media at both ends of an event show its `captureMethod`; media of the same moment may differ in it.
        """
        length = event.end - event.begin
        known = [self._capture_methods.get((medium.deployment, at), {""}) for at in (event.begin, event.end)]
        method = medium.capture_method
        if method and any(method not in methods and "" not in methods for methods in known):
            return None
        return all(methods != {method} for methods in known), length


def _read_observations(path: Path, english: dict[str, str]) -> tuple[dict[str, list[_Observation]], _Events]:
    by_medium: dict[str, list[_Observation]] = defaultdict(list)
    events = _Events()
    for line, row in read_rows(path):
        group = OBSERVATION_TYPES.get(row.get("observationType", ""))
        taxon = row.get("scientificName", "")
        if group is None or (group == "animal" and not taxon):
            continue
        label = english.get(taxon, taxon) if group == "animal" else group
        observation = _Observation(
            label=intern_name(label),
            taxon=intern_name("" if group == "nothing" else taxon),
            group=group,
            box=_parse_box(row),
            event=intern_name(row.get("eventID", "")),
        )
        if row.get("mediaID"):
            by_medium[row["mediaID"]].append(observation)
            continue
        try:
            begin, end = unix_time(row.get("eventStart", "")), unix_time(row.get("eventEnd", ""))
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        events.add(row.get("deploymentID", ""), begin, end, observation)
    return by_medium, events


def _read_media(folder: Path, path: Path, left_out: Counter[str]) -> dict[str, _Medium]:
    """Local images by `mediaID`, or by path where they have none; others are counted in `left_out`."""
    media: dict[str, _Medium] = {}
    for line, row in read_rows(path):
        if not (row.get("fileMediatype") or "image").startswith("image"):
            left_out[_VIDEOS] += 1
            continue
        file_path = row.get("filePath", "")
        local = folder / file_path if "://" not in file_path else _downloaded(folder, row.get("fileName", ""))
        if local is None or not file_path:
            left_out[_ON_THE_WEB] += 1
            continue
        timestamp = row.get("timestamp", "")
        try:
            time, seconds = parse_time(timestamp), unix_time(timestamp)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        media[row.get("mediaID") or file_path] = _Medium(
            existing_path(local),
            intern_name(row.get("deploymentID", "")),
            time,
            seconds,
            intern_name(row.get("captureMethod", "")),
            intern_name(row.get("eventID", "") or row.get("sequenceID", "")),
        )
    return media


def _downloaded(folder: Path, name: str) -> Path | None:
    """The local copy, under its file name, of a medium that is published on the web."""
    if not name or name != Path(name).name:
        return None
    return next((path for path in (folder / name, folder / "media" / name) if path.exists()), None)


def _parse_box(row: dict[str, str]) -> Box | None:
    cells = [row.get(f"bbox{name}", "") for name in ("X", "Y", "Width", "Height")]
    try:
        x, y, width, height = (table_format.parse_number(text, decimal_comma=True) for text in cells)
        return clip_box(x, y, width, height)
    except ValueError:
        return None


def _largest_per_label(observations: list[_Observation]) -> list[_Observation]:
    """Each label once, with its largest box."""
    largest: dict[str, _Observation] = {}
    for one in observations:
        held = largest.get(one.label)
        if held is None or box_area(one.box) > box_area(held.box):
            largest[one.label] = one
    return list(largest.values())
