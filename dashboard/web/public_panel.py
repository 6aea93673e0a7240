"""What the public would see of a burst, beside what the team sees."""

from pydantic import BaseModel

from uncia.camtrap.public_view import PublicFacts, Withheld, view_of_facts
from uncia.camtrap.taxonomy import ROOT
from uncia.dashboard.catalogue.rows import BurstDetail
from uncia.dashboard.catalogue.sensitivity import sensitive_taxa
from uncia.dashboard.web.context import Context
from uncia.events import BurstCategory, BurstStatus, PublicBurstResolved

__all__ = ["PublicPanel", "public_facts_of", "public_panel"]


class PublicPanel(BaseModel):
    """What the public would see of a burst as it is now."""

    published: bool
    """Whether there is a public tier; else nothing leaves at all."""
    withheld: Withheld | None
    """Why the public sees nothing."""
    event: PublicBurstResolved | None
    """What it would see; without an id. Its cell only for roles that may have exact positions: for others the panel
    would be more precise than the positions on their pages, which are as coarse as the strictest taxon of the camera
    demands."""
    cell_degrees: float | None
    """Size of the cell; None: no place."""
    delay_days: tuple[float, float]
    """Shortest and longest time until it is published, after the verdict or after the end of its day or week."""


def public_panel(context: Context, detail: BurstDetail, *, exact: bool) -> PublicPanel:
    """The panel of a burst. `exact`: the caller may have exact positions."""
    settings = context.services.settings
    view = _view(context, public_facts_of(detail))
    event = view if isinstance(view, PublicBurstResolved) else None
    cell = event.precision if event else None
    if event is not None and not exact:
        hidden = dict.fromkeys(("latitude", "longitude", "precision", "coordinate_uncertainty_m"))
        event = event.model_copy(update=hidden)
    return PublicPanel(
        published=settings.public_tier,
        withheld=view if isinstance(view, Withheld) else None,
        event=event,
        cell_degrees=cell,
        delay_days=(settings.public_delay_least_s / 86_400, settings.public_delay_most_s / 86_400),
    )


def public_facts_of(detail: BurstDetail) -> PublicFacts | Withheld:
    """The facts of a burst of the catalogue, as `public_view.public_facts` has them from its event."""
    burst = detail.burst
    if burst.status == BurstStatus.SUPERSEDED.value:
        return Withheld.SUPERSEDED
    if not burst.reviewed and burst.status == BurstStatus.PROVISIONAL.value:
        return Withheld.PROVISIONAL
    by_models = [one for one in detail.observations if one.source == "model"]
    by_people = [one for one in detail.observations if one.source == "human"]
    categories = {burst.category, *(one.category for one in by_people)}
    assigned = categories | {detail.model_category, *(frame.category for frame in detail.frames)}
    if detail.crops_withheld or BurstCategory.PERSON.value in assigned:
        return Withheld.PERSON
    if categories != {BurstCategory.ANIMAL.value}:
        return Withheld.NO_ANIMAL
    if not burst.reviewed and all(frame.category is None for frame in detail.frames):
        # No detector is installed: only the class of the classifier says that it is an animal.
        return Withheld.NO_ANIMAL
    seen = [*(by_people if burst.reviewed else by_models[:1]), *(one for one in by_models if one.certain)]
    return PublicFacts(
        burst.camera,
        burst.started_at,
        detail.closed_at,
        names=tuple(name for one in seen for name in (one.taxon, one.label)),
        taxon=burst.taxon if burst.reviewed or burst.certain else None,
        further=tuple(one.taxon or ROOT for one in by_people[1:]),
    )


def _view(context: Context, facts: PublicFacts | Withheld) -> PublicBurstResolved | Withheld:
    if isinstance(facts, Withheld):
        return facts
    services = context.services
    around = services.catalogue.deployments_near(facts.camera, facts.started_at)
    return view_of_facts(facts, around, sensitive_taxa(), cell_cameras=services.settings.public_cell_cameras)
