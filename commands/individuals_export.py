"""`uncia individuals export`: capture histories with the stations of the deployments."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from uncia.camtrap.capture_histories import Detector, Occasions, mean_longitude
from uncia.camtrap.capture_tables import CaptureFormat, capture_tables
from uncia.camtrap.individuals import Individual
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.sensitivity import generalise, strictest
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, Sensitivity
from uncia.producers.deployments.topic import known_deployments
from uncia.settings import Settings
from uncia.storage.atomic_dir import atomic_directory

__all__ = ["detectors_of", "export_captures", "level_of", "without_bursts"]


def export_captures(
    config: Settings,
    kind: CaptureFormat,
    folder: Path,
    individuals: Sequence[Individual],
    *,
    first_day: date,
    last_day: date,
    occasion_days: int,
    exact: bool,
) -> tuple[int, int]:
    """Write the files into a new folder. Returns how many sightings are left out, and how many individuals were seen.

    Raises `UnciaError` for a survey that ends before it begins, without a station, and for a folder that exists.
    """
    if last_day < first_day:
        raise UnciaError(f"the survey ends on {last_day}, before it begins on {first_day}")
    if folder.exists():
        raise UnciaError(f"{folder} exists: choose another folder")
    occasions = Occasions(first_day, last_day, occasion_days)
    taxa = SensitiveTaxa.load(config.sensitive_taxa, Taxonomy.load(config.taxonomy_file))
    level = Sensitivity.NONE if exact else level_of(individuals, taxa)
    deployments = [each for each in known_deployments(config).values() if _overlaps(each, first_day, last_day)]
    detectors = detectors_of(deployments, level, exact=exact)
    if not detectors:
        raise UnciaError(f"no camera was deployed between {first_day} and {last_day}: `uncia deployments list`")
    files, left_out = capture_tables(kind, individuals, detectors, occasions)
    with atomic_directory(folder) as made:
        for name, text in files.items():
            (made / name).write_text(text, encoding="utf-8")
    stations = {each.station for each in detectors}
    captured = sum(
        any(
            sighting.station in stations
            and sighting.captured_at is not None
            and occasions.of(sighting.captured_at.date()) is not None
            for sighting in each.sightings
        )
        for each in individuals
    )
    return left_out, captured


def without_bursts(individuals: Iterable[Individual], bursts: Collection[str]) -> tuple[list[Individual], int]:
    """The individuals without their sightings in these bursts, and how many sightings those were."""
    found, count = [], 0
    for each in individuals:
        kept = tuple(sighting for sighting in each.sightings if sighting.burst_id not in bursts)
        count += len(each.sightings) - len(kept)
        found.append(replace(each, sightings=kept))
    return found, count


def level_of(individuals: Sequence[Individual], taxa: SensitiveTaxa) -> Sensitivity:
    """The level of the positions that are shown with individuals: the strictest of all that are listed where one has no
    taxon, or where there is none: the stations were chosen for an animal all the same."""
    known = [each.taxon for each in individuals if each.taxon]
    if not known or len(known) < len(individuals):
        return strictest(taxa.listed.values())
    return taxa.strictest_of(known)


def detectors_of(deployments: Iterable[DeploymentChanged], taxa: Sensitivity, *, exact: bool) -> list[Detector]:
    """One detector for each station, at the middle of the positions of its deployments.

    Without `exact`, each position is rounded first, by the stricter of its deployment's level and `taxa`.
    """
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    periods: dict[str, list[tuple[date, date | None]]] = defaultdict(list)
    for each in deployments:
        station = each.camera.split("/", 1)[0]
        allowed = Sensitivity.NONE if exact else strictest((each.level, taxa))
        position = generalise(each.latitude, each.longitude, allowed, required=True)
        assert position is not None  # it is required
        places[station].append((position.latitude, position.longitude))
        end = each.end.astimezone(each.zone).date() if each.end else None
        periods[station].append((each.start.astimezone(each.zone).date(), end))
    return [
        Detector(
            station,
            sum(latitude for latitude, _ in found) / len(found),
            mean_longitude([longitude for _, longitude in found]),
            tuple(sorted(periods[station], key=lambda period: (period[0], period[1] or date.max))),
        )
        for station, found in sorted(places.items())
    ]


def _overlaps(deployment: DeploymentChanged, first_day: date, last_day: date) -> bool:
    begin = deployment.start.astimezone(deployment.zone).date()
    end = deployment.end.astimezone(deployment.zone).date() if deployment.end else date.max
    return begin <= last_day and end >= first_day
