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
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

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

__all__ = ["CELL_CAMERAS", "KnownDeployments", "public_view"]

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


def public_view(
    burst: BurstResolved,
    deployments: KnownDeployments,
    sensitivity: SensitiveTaxa,
    *,
    cell_cameras: int = CELL_CAMERAS,
    public_id: str = "",
) -> PublicBurstResolved | None:
    """What the public sees of a verdict as it is now; None: nothing. Without `public_id` the event has an empty one."""
    taxa = _taxa(burst)
    if taxa is None or not _plausible(burst):
        return None
    level = sensitivity.strictest_of(taxa)
    if level is Sensitivity.EXTREME:
        return None
    taxon = _published_taxon(burst, sensitivity)
    if Sensitivity.EXTREME in map(sensitivity.hidden_below, (taxon, *_further_taxa(burst))):
        # One of them can be a secret species that was not recognised with certainty.
        level = strictest((level, Sensitivity.HIGH))
    deployment = deployments.at(burst.camera, burst.started_at)
    place = None
    if deployment is not None:
        place = _place(deployment, level, burst.started_at, deployments, cell_cameras)
    coarse = place is None or place.precision == cell_degrees(Sensitivity.HIGH)
    year, week, _ = burst.started_at.isocalendar()
    taxonomy = sensitivity.taxonomy
    return PublicBurstResolved(
        public_id=public_id,
        taxon=taxon,
        label=taxonomy.label(taxon),
        rank=taxonomy.rank(taxon),
        period=f"{year:04d}-W{week:02d}" if coarse else burst.started_at.date().isoformat(),
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        precision=place.precision if place else None,
        coordinate_uncertainty_m=place.uncertainty_m if place else None,
    )


def _taxa(burst: BurstResolved) -> tuple[str | None, ...] | None:
    """The taxa by which the burst is sensitive, by every name that they have; None: it is not for the public."""
    if burst.status is BurstStatus.SUPERSEDED:
        return None
    if (review := burst.review) is not None:
        further = review.further or ()
        seen = review.decision not in (ReviewDecision.BLANK, ReviewDecision.UNKNOWN)
        categories = {review.category, *(one.category for one in further)}
        if not seen or categories != {BurstCategory.ANIMAL} or burst.crops_withheld:
            return None
        # What models are certain of counts, too: there may be several animals, of which a review names one.
        others: list[str | None] = [name for one in burst.taxa if one.certain for name in (one.taxon, one.label)]
        others += [*_further_taxa(burst), *(one.label for one in further)]
        return (review.taxon, review.label, *others)
    if burst.status is BurstStatus.PROVISIONAL or burst.category is not BurstCategory.ANIMAL or burst.crops_withheld:
        return None
    found = [one for one in (burst.verdict, *burst.taxa) if one is not None and (one.certain or one == burst.verdict)]
    return tuple(name for one in found for name in (one.taxon, one.label))


def _further_taxa(burst: BurstResolved) -> tuple[str, ...]:
    """Of a review beside its first observation; one without a name can be any animal."""
    return tuple(one.taxon or ROOT for one in burst.review.further or ()) if burst.review is not None else ()


def _published_taxon(burst: BurstResolved, sensitivity: SensitiveTaxa) -> str:
    if burst.review is not None:
        taxon = burst.review.taxon
    else:
        taxon = burst.verdict.taxon if burst.verdict and burst.verdict.certain else None
    return taxon if taxon is not None and taxon in sensitivity.taxonomy else ROOT


def _plausible(burst: BurstResolved) -> bool:
    """Whether the capture time is that of a camera whose clock is right, as far as the log can tell."""
    if burst.closed_at is None:
        return True
    age = burst.closed_at.replace(tzinfo=None) - burst.started_at
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
