"""Individuals and their sightings as pages show them: limited to the stations that the caller may see; pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel

from uncia.camtrap.individuals import HistoryEntry, Individual, RegistryState, Sighting
from uncia.events import AnimalSide, IndividualCandidate, IndividualCrop, IndividualSighted

__all__ = [
    "TIMELINE_WIDTH",
    "CandidateView",
    "CropView",
    "HistoryView",
    "IndividualCard",
    "QueuedSighting",
    "SightingView",
    "TimelineDot",
    "history_views",
    "individual_card",
    "individual_href",
    "queued_sighting",
    "sighting_views",
    "timeline",
    "visible_sightings",
]

MaySee = Callable[[str], bool]

_REFERENCE_SIDES = (AnimalSide.LEFT, AnimalSide.RIGHT)
TIMELINE_WIDTH = 600


class CropView(BaseModel):
    """A crop."""

    crop_id: str
    address: str
    side: str


class CandidateView(BaseModel):
    """A known individual beside the burst."""

    individual_id: str
    label: str
    name: str | None
    href: str
    score: float
    matches: int
    query: CropView
    """The crop of the burst that matched best."""
    reference: CropView | None
    """The crop of the individual that it matched; None where the account may not see its station."""
    reference_seen: str
    """Camera and time of that crop; empty where they are unknown."""
    points: list[tuple[float, float, float, float]]
    """In pixels of the two crops: x and y in the query, then in the reference; best first."""
    sightings: int
    last_seen: datetime | None


class QueuedSighting(BaseModel):
    """A burst that is leased to the reviewer."""

    burst_id: str
    href: str
    station: str
    camera: str
    started_at: datetime
    taxon: str
    crops: list[CropView]
    candidates: list[CandidateView]
    hidden: int
    """Candidates that the account may not see: they were seen at other stations alone."""
    new_score: float | None
    calibrated: bool
    reason: str | None
    seen: str | None
    """The decision that counts."""
    opinions: int
    """How many other reviewers have decided; what, is not told: two who have to agree decide on their own."""


class SightingView(BaseModel):
    """An individual in one burst."""

    burst_id: str
    href: str | None
    """None for a burst that is not in this system."""
    camera: str | None
    station: str | None
    captured_at: datetime | None
    crops: list[CropView]
    reviewer: str
    decision_id: str


class HistoryView(BaseModel):
    """What was decided about an individual as such."""

    decision_id: str
    decision: str
    reviewer: str
    decided_at: datetime
    other: str | None
    """Label of the other individual."""
    other_href: str | None
    code: str | None
    name: str | None


class IndividualCard(BaseModel):
    """One individual, by the sightings that the account may see."""

    individual_id: str
    href: str
    label: str
    code: str | None
    name: str | None
    taxon: str | None
    sightings: int
    stations: int
    first_seen: datetime | None
    last_seen: datetime | None
    references: dict[str, CropView | None]
    """The newest crop of each side; of neither side: the newest, under `unknown`."""


class TimelineDot(BaseModel):
    """One sighting on the timeline."""

    x: float
    """0 to `TIMELINE_WIDTH`."""
    label: str


def individual_href(individual_id: str) -> str:
    """The page of an individual."""
    return f"/individuals/{quote(individual_id, safe='')}"


def visible_sightings(individual: Individual, may_see: MaySee, everything: bool) -> list[Sighting]:
    """The sightings at stations that the account may see; those of unknown stations for accounts without limits."""
    return [one for one in individual.sightings if everything or (one.station is not None and may_see(one.station))]


def individual_card(individual: Individual, sightings: Sequence[Sighting]) -> IndividualCard:
    """The individual by these of its sightings."""
    times = [one.captured_at for one in sightings if one.captured_at]
    references: dict[str, CropView | None] = {
        side.value: next((_crop(crop) for crop in _newest_crops(sightings) if crop.side is side), None)
        for side in _REFERENCE_SIDES
    }
    if not any(references.values()):
        references["unknown"] = next((_crop(crop) for crop in _newest_crops(sightings)), None)
    return IndividualCard(
        individual_id=individual.individual_id,
        href=individual_href(individual.individual_id),
        label=individual.label,
        code=individual.code,
        name=individual.name,
        taxon=individual.taxon,
        sightings=len(sightings),
        stations=len({one.station for one in sightings if one.station}),
        first_seen=min(times, default=None),
        last_seen=max(times, default=None),
        references=references,
    )


def sighting_views(sightings: Sequence[Sighting], known: Iterable[str]) -> list[SightingView]:
    """The sightings, the newest first. `known`: the bursts that have a page."""
    known = set(known)
    return [
        SightingView(
            burst_id=one.burst_id,
            href=f"/bursts/{quote(one.burst_id, safe='')}" if one.burst_id in known else None,
            camera=one.camera,
            station=one.station,
            captured_at=one.captured_at,
            crops=[_crop(crop) for crop in one.crops],
            reviewer=one.reviewer,
            decision_id=one.decision_id,
        )
        for one in reversed(sightings)
    ]


def history_views(history: Sequence[HistoryEntry], state: RegistryState) -> list[HistoryView]:
    """The history, the newest first."""
    return [
        HistoryView(
            decision_id=one.decision_id,
            decision=one.decision.value,
            reviewer=one.reviewer,
            decided_at=one.decided_at,
            other=_label(one.other_id, state),
            other_href=individual_href(one.other_id) if one.other_id else None,
            code=one.code,
            name=one.name,
        )
        for one in reversed(history)
    ]


def _label(individual_id: str | None, state: RegistryState) -> str | None:
    found = state.individuals.get(individual_id or "")
    return found.label if found else individual_id


def timeline(sightings: Sequence[Sighting]) -> tuple[list[TimelineDot], list[tuple[float, str]]]:
    """The sightings on a line of time, and its ticks: the first and the last day, and beginnings of years between."""
    timed = [(one.captured_at, one.camera or "") for one in sightings if one.captured_at]
    if not timed:
        return [], []
    first, last = min(timed)[0], max(timed)[0]
    span = max((last - first).total_seconds(), 1.0)

    def place(moment: datetime) -> float:
        if first == last:
            return TIMELINE_WIDTH / 2
        return round(TIMELINE_WIDTH * (moment - first).total_seconds() / span, 1)

    dots = [TimelineDot(x=place(moment), label=f"{moment:%Y-%m-%d %H:%M} {camera}".strip()) for moment, camera in timed]
    ticks = [(place(first), f"{first:%Y-%m-%d}")]
    years = [datetime(year, 1, 1) for year in range(first.year + 1, last.year + 1)]
    ticks += [(place(year), f"{year:%Y}") for year in years if 90 < place(year) < TIMELINE_WIDTH - 90]
    if last.date() > first.date():
        ticks.append((place(last), f"{last:%Y-%m-%d}"))
    return dots, ticks


def queued_sighting(
    sighted: IndividualSighted, state: RegistryState, reviewer: str, may_see: MaySee, everything: bool
) -> QueuedSighting:
    """A sighting with its candidates as the registry has them now."""
    different = state.different.get(sighted.burst_id, frozenset())
    candidates: dict[str, CandidateView] = {}
    hidden: set[str] = set()
    for found in sighted.candidates:
        known = state.resolve(found.individual_id)
        if known is None or known in candidates or known in different:
            continue
        individual = state.individuals[known]
        seen = visible_sightings(individual, may_see, everything)
        if not seen:
            hidden.add(known)
            continue
        candidates[known] = _candidate(found, individual, seen, sighted)
    decided = state.bursts.get(sighted.burst_id)
    return QueuedSighting(
        burst_id=sighted.burst_id,
        href=f"/bursts/{quote(sighted.burst_id, safe='')}",
        station=sighted.station,
        camera=sighted.camera,
        started_at=sighted.started_at,
        taxon=sighted.taxon,
        crops=[_crop(crop) for crop in sighted.crops],
        candidates=list(candidates.values()),
        hidden=len(hidden),
        new_score=sighted.new_score,
        calibrated=sighted.calibrated,
        reason=sighted.reason,
        seen=decided.latest.decision_id if decided else None,
        opinions=len(set(state.opinions.get(sighted.burst_id, {})) - {reviewer}),
    )


def _candidate(
    found: IndividualCandidate, individual: Individual, seen: Sequence[Sighting], sighted: IndividualSighted
) -> CandidateView:
    own = {crop.crop_id: crop for crop in sighted.crops}
    query = own.get(found.crop_id, sighted.crops[0])
    place, reference = next(
        ((one, crop) for one in seen for crop in one.crops if crop.crop_id == found.reference_crop_id), (None, None)
    )
    matched = query.crop_id == found.crop_id and reference is not None
    times = [one.captured_at for one in seen if one.captured_at]
    when = f"{place.captured_at:%Y-%m-%d %H:%M}" if place and place.captured_at else ""
    return CandidateView(
        individual_id=individual.individual_id,
        label=individual.label,
        name=individual.name,
        href=individual_href(individual.individual_id),
        score=found.score,
        matches=found.matches,
        query=_crop(query),
        reference=_crop(reference) if reference else None,
        reference_seen=" ".join(word for word in ((place.camera if place else None) or "", when) if word),
        points=[(one.query_x, one.query_y, one.reference_x, one.reference_y) for one in found.points]
        if matched
        else [],
        sightings=len(seen),
        last_seen=max(times, default=None),
    )


def _newest_crops(sightings: Sequence[Sighting]) -> Iterable[IndividualCrop]:
    return (crop for one in reversed(sightings) for crop in one.crops)


def _crop(crop: IndividualCrop) -> CropView:
    return CropView(
        crop_id=crop.crop_id, address=f"/pictures/crops/{quote(crop.crop_id, safe='')}.jpg", side=crop.side.value
    )
