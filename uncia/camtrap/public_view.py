"""What the public sees of a verdict. Pure; the worker `redact` publishes it, and pages may show it.

- Nothing but animals, and of them nothing that is provisional, superseded, or a photograph with a person.
- A review with several observations counts with all of them: nothing is published if one is a person or a vehicle.
- A taxon whose place is withheld (`extreme`) is not published at all, not even as a coarser taxon: a coarse taxon
  without a place would be as good as its name. Of several taxa in one burst the strictest level applies.
- Nothing whose capture time is more than a year before its verdict, or after it: the date of a camera with a wrong
  clock would be a mark of the camera. Photographs of earlier years are therefore not published.
- A taxon that the models are not certain of, or that the taxonomy does not have, is published as `Animalia`; what a
  reviewer wrote never is.
- The finest cell is 0.001 degrees, also where the exact position may be shown.
- A cell is published only if several cameras (`cell_cameras`) are in it while the burst is photographed. Otherwise the
  next coarser cell is taken, and no place in the end.
- The uncertainty depends on the cell alone: that of the camera's own position would be a mark of the camera.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol

from uncia.camtrap.hidden_people import PERSON_GENUS, evidence_of
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.sensitivity import PublicPosition, cell_degrees, generalise, strictest
from uncia.camtrap.taxonomy import ROOT
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    DeploymentChanged,
    PublicBurstResolved,
    ReviewDecision,
    Sensitivity,
)

__all__ = [
    "CELL_CAMERAS",
    "KnownDeployments",
    "PublicFacts",
    "Withheld",
    "public_facts",
    "public_view",
    "view_of_facts",
]

CELL_CAMERAS = 3
"""Cameras in a cell that is published."""

_CELLS = (Sensitivity.LOW, Sensitivity.MEDIUM, Sensitivity.HIGH)
_LONGEST_AGE = timedelta(days=366)
_ZONES = timedelta(hours=14)
"""The most by which a camera's clock is ahead of UTC or behind it."""


class KnownDeployments(Protocol):
    """The deployments that are known, such as `uncia.camtrap.deployments.Deployments`."""

    def at(self, camera: str, time: datetime) -> DeploymentChanged | None:
        """The camera's deployment at a time of its clock."""

    def during(self, time: datetime) -> Iterable[DeploymentChanged]:
        """One deployment of every camera that is deployed at a time of its clock."""


class Withheld(StrEnum):
    """Why the public sees nothing of a verdict."""

    SUPERSEDED = "superseded"
    """The burst no longer exists."""
    PROVISIONAL = "provisional"
    """Frames are still expected."""
    NO_ANIMAL = "no_animal"
    PERSON = "person"
    """A person is in the burst, or may be."""
    IMPLAUSIBLE_TIME = "implausible_time"
    """The capture time is far from the time of the verdict: a wrong clock, or an old photograph."""
    SENSITIVE_TAXON = "sensitive_taxon"
    """The place of a taxon in the burst is withheld."""


@dataclass(frozen=True)
class PublicFacts:
    """What of a verdict decides what the public sees of it."""

    camera: str
    started_at: datetime
    """By the camera's clock, without UTC offset."""
    closed_at: datetime | None
    names: tuple[str | None, ...]
    """Taxa and labels by which the burst is sensitive."""
    taxon: str | None
    """What it is called; None: the models are not certain of any taxon, or the reviewer named none."""
    further: tuple[str, ...] = ()
    """Taxa that a review names beside it; `Animalia` for an animal without a name, which can be any."""


def public_view(
    burst: BurstResolved,
    deployments: KnownDeployments,
    sensitivity: SensitiveTaxa,
    *,
    cell_cameras: int = CELL_CAMERAS,
    public_id: str = "",
) -> PublicBurstResolved | None:
    """What the public sees of a verdict as it is now; None: nothing. Without `public_id` the event has an empty one."""
    facts = public_facts(burst)
    if isinstance(facts, Withheld):
        return None
    view = view_of_facts(facts, deployments, sensitivity, cell_cameras=cell_cameras, public_id=public_id)
    return None if isinstance(view, Withheld) else view


def view_of_facts(
    facts: PublicFacts,
    deployments: KnownDeployments,
    sensitivity: SensitiveTaxa,
    *,
    cell_cameras: int = CELL_CAMERAS,
    public_id: str = "",
) -> PublicBurstResolved | Withheld:
    """As `public_view`, of a verdict from elsewhere than the log, and with the reason where it is nothing."""
    if any(sensitivity.includes(PERSON_GENUS, name) for name in (*facts.names, *facts.further)):
        # A detector can take a person for an animal.
        return Withheld.PERSON
    if not _plausible(facts):
        return Withheld.IMPLAUSIBLE_TIME
    level = sensitivity.strictest_of(facts.names)
    if level is Sensitivity.EXTREME:
        return Withheld.SENSITIVE_TAXON
    taxonomy = sensitivity.taxonomy
    taxon = facts.taxon if facts.taxon is not None and facts.taxon in taxonomy else ROOT
    if Sensitivity.EXTREME in map(sensitivity.hidden_below, (taxon, *filter(None, facts.names), *facts.further)):
        # One of them can be a secret species that was not recognised with certainty.
        level = strictest((level, Sensitivity.HIGH))
    deployment = deployments.at(facts.camera, facts.started_at)
    place = None
    if deployment is not None:
        place = _place(deployment, level, facts.started_at, deployments, cell_cameras)
    coarse = place is None or place.precision == cell_degrees(Sensitivity.HIGH)
    year, week, _ = facts.started_at.isocalendar()
    return PublicBurstResolved(
        public_id=public_id,
        taxon=taxon,
        label=taxonomy.label(taxon),
        rank=taxonomy.rank(taxon),
        period=f"{year:04d}-W{week:02d}" if coarse else facts.started_at.date().isoformat(),
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        precision=place.precision if place else None,
        coordinate_uncertainty_m=place.uncertainty_m if place else None,
    )


def public_facts(burst: BurstResolved) -> PublicFacts | Withheld:
    """The facts of a verdict, or why it is not for the public."""
    review = burst.review
    if burst.status is BurstStatus.SUPERSEDED:
        return Withheld.SUPERSEDED
    if review is None and burst.status is BurstStatus.PROVISIONAL:
        return Withheld.PROVISIONAL
    further = (review.further or ()) if review is not None else ()
    categories = {burst.category if review is None else review.category, *(one.category for one in further)}
    if burst.crops_withheld or evidence_of(burst).says_person:
        return Withheld.PERSON
    if categories != {BurstCategory.ANIMAL}:
        return Withheld.NO_ANIMAL
    if review is not None and review.decision in (ReviewDecision.BLANK, ReviewDecision.UNKNOWN):
        return Withheld.NO_ANIMAL
    main = burst.verdict if review is None else review
    # What models are certain of counts beside a review, too: there may be several animals, of which it names one.
    seen = (*([main] if main is not None else ()), *further, *(one for one in burst.taxa if one.certain))
    certain = review is not None or (burst.verdict is not None and burst.verdict.certain)
    return PublicFacts(
        burst.camera,
        burst.started_at,
        burst.closed_at,
        names=tuple(name for one in seen for name in (one.taxon, one.label)),
        taxon=main.taxon if main is not None and certain else None,
        further=tuple(one.taxon or ROOT for one in further),
    )


def _plausible(facts: PublicFacts) -> bool:
    """Whether the capture time is that of a camera whose clock is right, as far as the log can tell."""
    if facts.closed_at is None:
        return True
    age = facts.closed_at.replace(tzinfo=None) - facts.started_at
    return -_ZONES <= age <= _LONGEST_AGE


def _place(
    deployment: DeploymentChanged,
    by_taxa: Sensitivity,
    time: datetime,
    deployments: KnownDeployments,
    cell_cameras: int,
) -> PublicPosition | None:
    """The middle of the finest cell that may be named, with a radius that depends on the cell alone."""
    finest = strictest((deployment.level, by_taxa, Sensitivity.LOW))
    for level in _CELLS:
        if strictest((level, finest)) is not level:
            continue
        place = generalise(deployment.latitude, deployment.longitude, level)
        if place is None or place.uncertainty_m is None:
            continue
        if (deployment.coordinate_uncertainty_m or 0) > place.uncertainty_m:
            continue  # the cell would not contain it
        inside = (
            other for other in deployments.during(time) if generalise(other.latitude, other.longitude, level) == place
        )
        if sum(1 for _ in islice(inside, cell_cameras)) >= cell_cameras:
            return replace(place, uncertainty_m=2 * place.uncertainty_m)
    return None
