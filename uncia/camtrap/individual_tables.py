"""Sightings of named individuals in tables of other programs, as decisions. Pure.

- `wildbook`: the columns of its bulk import and export (`Encounter.individualID`, `Encounter.year`, ...);
- `camtrap-dp`: `observations.csv` with an `individualID`;
- `traptagger`: the CSV that it exports, with the columns `Individuals` and `Timestamp`, in which a row may be a
  sighting, an image or a cluster.

An imported decision is dated to the sighting itself: a second import of the same table gives the same decisions, and
what people decide afterwards counts more. It names no crops: the pictures stay where they are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from uncia import ids
from uncia.camtrap.table_reader import Row
from uncia.errors import UnciaError
from uncia.events import IndividualDecided, IndividualDecision

__all__ = ["ImportedSighting", "IndividualTable", "as_decisions", "of_one_taxon", "sightings_of"]


class IndividualTable(StrEnum):
    """Kinds of tables."""

    WILDBOOK = "wildbook"
    CAMTRAP_DP = "camtrap-dp"
    TRAPTAGGER = "traptagger"


@dataclass(frozen=True)
class ImportedSighting:
    """One row that names an individual."""

    individual: str
    taxon: str | None
    encounter: str
    """The id of the event or encounter in the table."""
    captured_at: datetime
    """By the camera's clock, without a UTC offset."""
    deployment: str | None = None
    station: str | None = None


def sightings_of(
    kind: IndividualTable, header: Iterable[str], rows: Iterable[Row]
) -> tuple[list[ImportedSighting], int]:
    """The sightings, and the number of rows that name no individual.

    Raises `UnciaError` for a table without the columns, and for a row that names an individual and no time.
    """
    columns = set(header)
    read = _READERS[kind]
    needed = _NEEDED[kind]
    if not any(names <= columns for names in needed):
        raise UnciaError(f"the table has no columns {', '.join(sorted(needed[0]))}: it is no table of {kind.value}")
    found, without = [], 0
    for row in rows:
        sightings = read(row)
        if not sightings:
            without += 1
        found += sightings
    return found, without


def of_one_taxon(found: Iterable[ImportedSighting], taxon: str) -> list[ImportedSighting]:
    """The sightings with this taxon in place of the labels of the table, which are no scientific names.

    Raises `UnciaError` where the table labels its individuals as several species.
    """
    found = list(found)
    labels = sorted({each.taxon for each in found if each.taxon})
    if len(labels) > 1:
        raise UnciaError(
            f"the table has individuals of {', '.join(labels)}, and one taxon is given: export one species at a time"
        )
    return [replace(each, taxon=taxon) for each in found]


_NEEDED: dict[IndividualTable, tuple[set[str], ...]] = {
    IndividualTable.WILDBOOK: (
        {"Encounter.individualID", "Encounter.year"},
        {"MarkedIndividual.individualID", "Encounter.year"},
    ),
    IndividualTable.CAMTRAP_DP: ({"individualID", "eventStart"},),
    IndividualTable.TRAPTAGGER: ({"Individuals", "Timestamp"},),
}


def _wildbook(row: Row) -> list[ImportedSighting]:
    individual = row.text("Encounter.individualID") or row.text("MarkedIndividual.individualID")
    if not individual:
        return []
    parts = [row.text(f"Encounter.{name}") for name in ("year", "month", "day", "hour", "minutes")]
    try:
        # Of a time that is known to the month only, the first day.
        year, month, day, hour, minute = (
            int(part) if part else default for part, default in zip(parts, (0, 1, 1, 0, 0), strict=True)
        )
        captured_at = datetime(year, month, day, hour, minute)
    except ValueError:
        raise UnciaError(f"line {row.line}: {'-'.join(parts[:3])} {':'.join(parts[3:])} is no time") from None
    taxon = f"{row.text('Encounter.genus')} {row.text('Encounter.specificEpithet')}".strip()
    station = row.text("Encounter.locationID") or None
    encounter = row.text("Encounter.catalogNumber") or row.text("Occurrence.occurrenceID")
    return [ImportedSighting(individual, taxon or None, encounter, captured_at, station=station)]


def _camtrap_dp(row: Row) -> list[ImportedSighting]:
    individual = row.text("individualID")
    if not individual:
        return []
    return [
        ImportedSighting(
            individual,
            row.text("scientificName") or None,
            row.text("eventID") or row.text("observationID"),
            _time(row, "eventStart"),
            deployment=row.text("deploymentID") or None,
        )
    ]


def _traptagger(row: Row) -> list[ImportedSighting]:
    """Several individuals of a row are separated by `|`; `None` stands for an empty cell."""
    names = dict.fromkeys(name.strip() for name in _named(row, "Individuals").split("|"))
    individuals = [name for name in names if name and name.lower() not in _NOBODY]
    if not individuals:
        return []
    at, site, camera = _time(row, "Timestamp"), _named(row, "Site Name"), _named(row, "Camera Name")
    encounter = next((f"{name} {_named(row, name)}" for name in _TRAPTAGGER_IDS if _named(row, name)), f"{site} {at}")
    return [
        ImportedSighting(name, _named(row, "Species") or None, encounter, at, camera or None, site or None)
        for name in individuals
    ]


_NOBODY = frozenset({"none", "unidentifiable"})
"""Names that TrapTagger gives to what is no individual."""

_TRAPTAGGER_IDS = ("Cluster ID", "Image ID", "Sighting ID")
"""The columns that may name an encounter: a cluster is a burst."""


def _named(row: Row, column: str) -> str:
    found = row.text(column)
    return "" if found.lower() == "none" else found


def _time(row: Row, column: str) -> datetime:
    try:
        return datetime.fromisoformat(row.text(column)).replace(tzinfo=None)
    except ValueError:
        raise UnciaError(f"line {row.line}: {column} {row.text(column)!r} is no time") from None


_READERS: dict[IndividualTable, Callable[[Row], list[ImportedSighting]]] = {
    IndividualTable.WILDBOOK: _wildbook,
    IndividualTable.CAMTRAP_DP: _camtrap_dp,
    IndividualTable.TRAPTAGGER: _traptagger,
}


def as_decisions(
    kind: IndividualTable, found: Iterable[ImportedSighting], account: str, cameras: Mapping[str, str]
) -> list[IndividualDecided]:
    """The decisions: each individual is new in its earliest sighting and the same one in all others.

    `cameras`: the camera of each deployment that is known, by its id.
    """
    found = _once_in_a_cluster(found) if kind is IndividualTable.TRAPTAGGER else list(found)
    seen: dict[str, set[str]] = defaultdict(set)
    for each in found:
        seen[each.encounter].add(each.individual)
    decisions, created = [], set[str]()
    for each in sorted(found, key=lambda each: (each.captured_at, each.individual, each.encounter)):
        individual_id = ids.individual_id(kind.value, each.individual)
        camera = cameras.get(each.deployment or "")
        fields: dict[str, Any] = {
            "decision": IndividualDecision.SAME if individual_id in created else IndividualDecision.NEW,
            "reviewer": account,
            "decided_at": each.captured_at.replace(tzinfo=UTC),
            "individual_id": individual_id,
            "burst_id": _burst_id(kind, each, alone=len(seen[each.encounter]) == 1),
            "station": camera.split("/", 1)[0] if camera else each.station,
            "camera": camera,
            "captured_at": each.captured_at,
            "source": kind.value,
        }
        if individual_id not in created:
            created.add(individual_id)
            fields |= {"code": each.individual, "taxon": each.taxon}
        decision = fields["decision"].value
        parts = (individual_id, fields["burst_id"])
        decision_id = ids.individual_decision_id(kind.value, fields["decided_at"], decision, *parts)
        decisions.append(IndividualDecided(decision_id=decision_id, **fields))
    return decisions


def _once_in_a_cluster(found: Iterable[ImportedSighting]) -> list[ImportedSighting]:
    """Of the rows of one individual in one encounter the earliest: a table may have a row for each photograph."""
    first: dict[tuple[str, str], ImportedSighting] = {}
    for each in found:
        known = first.setdefault((each.encounter, each.individual), each)
        if each.captured_at < known.captured_at:
            first[each.encounter, each.individual] = each
    return list(first.values())


def _burst_id(kind: IndividualTable, sighting: ImportedSighting, *, alone: bool) -> str:
    """A burst of this system keeps its id where it shows one individual: our own Camtrap DP has it as `eventID`.

    The table does not tell which crop shows which of several, and of two decisions about a whole burst one would count.
    """
    if kind is IndividualTable.CAMTRAP_DP and alone and sighting.encounter.startswith("bst-"):
        return sighting.encounter
    parts = (sighting.encounter, sighting.individual, sighting.captured_at.isoformat())
    return f"bst-{ids.digest(kind.value, *parts)}"
