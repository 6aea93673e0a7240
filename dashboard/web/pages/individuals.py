"""Individuals: the catalogue, one with its sightings, and the review of who a burst shows. Decisions are events."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field, StringConstraints

from uncia import ids
from uncia.camtrap.individual_decisions import make_decision
from uncia.camtrap.individuals import Individual, RegistryState, Sighting
from uncia.dashboard.catalogue.individuals import SightingQueue
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.context import Context, ReviewerChanges, Reviewing, Viewing
from uncia.dashboard.web.individual_decision import SightingDecision, check_free, decision_event, undo_event
from uncia.dashboard.web.individual_view import (
    TIMELINE_WIDTH,
    HistoryView,
    IndividualCard,
    QueuedSighting,
    SightingView,
    TimelineDot,
    history_views,
    individual_card,
    individual_href,
    queued_sighting,
    sighting_views,
    timeline,
    visible_sightings,
)
from uncia.dashboard.web.map_plot import MapLayout, MapPoint, map_layout
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT, text
from uncia.events import IndividualDecided, IndividualDecision, IndividualSighted

router = APIRouter(tags=["individuals"])

_PREFETCHED = 4
_CANDIDATES = 80
_SHOWN_SIGHTINGS = 200
_FOLDED_WITHIN_S = 2.0
"""A page that is shown after a change waits for the catalogue, which takes well below a second."""
_FOLDED_POLL_S = 0.05
_LEASE = "individual "
"""Before the ids of bursts in leases: who reviews the species of a burst does not hold it here."""

_Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]
_Id = Annotated[str, StringConstraints(max_length=200)]


class IndividualsPage(BaseModel):
    """The individuals with a sighting that the account may see."""

    individuals: list[IndividualCard]
    taxa: list[str]
    taxon: str | None
    waiting: int
    """Bursts that wait for the account's decision; 0 where it may not review."""
    disputed: int
    """Bursts on which the reviewers who have to agree do not."""


class PlaceView(BaseModel):
    """Where a camera stands, as precisely as the account may know."""

    cameras: list[str]
    href: str
    """Its bursts."""
    text: str
    sightings: int
    latitude: float
    longitude: float
    uncertainty_m: float | None


class IndividualPage(BaseModel):
    """One individual."""

    individual: IndividualCard
    merged_into: str | None
    """Address of the individual that it is now."""
    sightings: list[SightingView]
    """The newest ones first."""
    dots: list[TimelineDot]
    ticks: list[tuple[float, str]]
    timeline_width: int = TIMELINE_WIDTH
    places: list[PlaceView]
    history: list[HistoryView]
    may_change: bool

    def map(self, width: float, height: float) -> MapLayout:
        """The map as a drawing."""
        points = [
            MapPoint(place.latitude, place.longitude, place.sightings, place.cameras[0], place.uncertainty_m)
            for place in self.places
        ]
        return map_layout(points, width, height)


class IndividualReviewPage(BaseModel):
    """The page around the queue, which is fetched by `POST /individuals/queue.json`."""

    waiting: int
    reviewers: int
    """How many have to agree."""
    disputed: bool
    burst: str | None
    """A burst to begin with."""
    labels: list[str]
    """Codes and names that can be chosen."""


class SightingsWanted(BaseModel):
    """Which sightings are wanted next."""

    have: list[str] = Field(default=[], max_length=500, description="ids that are on the page or were just decided")
    first: str | None = Field(default=None, max_length=200, description="this burst first, decided or not")
    disputed: bool = False


class SightingsAnswer(BaseModel):
    """The next sightings."""

    sightings: list[QueuedSighting]


class HeldSightings(BaseModel):
    """Bursts that are on a page."""

    bursts: list[str] = Field(default=[], max_length=50)


class DecidedAnswer(BaseModel):
    """The decision is stored."""

    decision_id: str
    individual_id: str | None


@page(router, "/individuals", "individuals.html.j2")
def show_individuals(context: Viewing, taxon: Annotated[str | None, Query(max_length=200)] = None) -> IndividualsPage:
    """The known individuals, the last seen first."""
    state = context.services.individuals.state()
    cards = [individual_card(each, seen) for each in state.current() if (seen := _visible(context, each))]
    taxa = sorted({card.taxon for card in cards if card.taxon})
    shown = [card for card in cards if taxon in (None, "", card.taxon)]
    shown.sort(key=lambda card: (card.last_seen or datetime.min, card.individual_id), reverse=True)
    return IndividualsPage(
        individuals=shown,
        taxa=taxa,
        taxon=taxon or None,
        waiting=_waiting(context, state, disputed=False),
        disputed=_waiting(context, state, disputed=True),
    )


@page(router, "/individuals/review", "individual_review.html.j2")
def show_individual_review(
    context: Reviewing,
    burst: Annotated[str | None, Query(max_length=200)] = None,
    disputed: bool = False,
) -> IndividualReviewPage:
    """How many bursts wait, and what a burst can be called."""
    individuals = context.services.individuals
    state = individuals.state()
    visible = [each for each in state.current() if _visible(context, each)]
    labels = sorted({label for each in visible for label in (each.code, each.name) if label})
    return IndividualReviewPage(
        waiting=_waiting(context, state, disputed=disputed),
        reviewers=individuals.reviewers,
        disputed=disputed,
        burst=burst,
        labels=labels,
    )


@router.post("/individuals/queue.json")
def next_sightings(context: ReviewerChanges, wanted: SightingsWanted) -> SightingsAnswer:
    """Lease the next bursts, those of which a decision tells most first. No other reviewer gets them for five
    minutes."""
    services, caller = context.services, context.caller
    state = services.individuals.state()
    found: list[IndividualSighted] = []
    if wanted.first is not None and wanted.first not in wanted.have:
        first = _sighting(context, wanted.first)
        if not _take(context, [first.burst_id], 1):
            raise HTTPException(409, TEXT["review.leased"])
        found.append(first)
    # Those on the page are still being looked at.
    _take(context, wanted.have[-_PREFETCHED:], _PREFETCHED)
    queue = SightingQueue(caller.name, wanted.disputed)
    left_out = {*wanted.have, wanted.first or ""}
    for number, sighted in enumerate(services.individuals.queue(queue, state, caller.stations, left_out)):
        if len(found) >= _PREFETCHED or number >= _CANDIDATES:
            break
        if _take(context, [sighted.burst_id], 1):
            found.append(sighted)
    return SightingsAnswer(sightings=[_queued(context, one, state) for one in found])


@router.post("/individuals/decisions.json")
def decide_on_sighting(context: ReviewerChanges, decision: SightingDecision) -> DecidedAnswer:
    """Publish a decision on a burst, or take one's own back. Answers 409 where another reviewer has decided meanwhile,
    or holds the lease."""
    services, caller = context.services, context.caller
    sighted = _sighting(context, decision.burst_id)
    if not _take(context, [sighted.burst_id], 1):
        raise HTTPException(409, TEXT["review.leased"])
    state = services.individuals.state()
    at = datetime.now(UTC)
    if decision.decision is IndividualDecision.UNDO:
        event = _undo_own(context, decision, sighted, state, at)
    else:
        _require_unchanged(context, decision, state)
        if decision.decision is IndividualDecision.NEW and _queued(context, sighted, state).hidden:
            raise HTTPException(409, TEXT["individual.refused.hidden"])
        try:
            event = decision_event(decision, sighted, state, caller.name, at)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        if event.individual_id in state.individuals and event.decision is not IndividualDecision.NEW:
            _individual(context, event.individual_id or "", state)
    services.publisher.publish(event)
    services.individuals.note_sent(event)
    return DecidedAnswer(decision_id=event.decision_id, individual_id=event.individual_id)


@router.post("/individuals/release.json")
def release_sightings(context: ReviewerChanges, held: HeldSightings) -> SightingsAnswer:
    """End the caller's leases of these bursts: others get them at once."""
    context.services.leases.release(context.caller.account_id, [_LEASE + burst for burst in held.bursts])
    return SightingsAnswer(sightings=[])


@page(router, "/individuals/{individual_id}", "individual.html.j2")
def show_individual(context: Viewing, individual_id: str) -> IndividualPage:
    """One individual: its pictures, where and when it was seen, and what was decided about it."""
    return _one(context, individual_id)


@router.post("/individuals/{individual_id}/names", include_in_schema=False, response_class=HTMLResponse)
def rename(
    context: ReviewerChanges,
    individual_id: str,
    code: Annotated[_Label, Form()] = "",
    name: Annotated[_Label, Form()] = "",
) -> Response:
    """Give an individual another code or name; an empty one removes it."""
    found, state = _changeable(context, individual_id)
    try:
        check_free(state, code, name, found.individual_id)
    except ValueError as error:
        return _refused(context, individual_id, str(error))
    event = _decide(context, IndividualDecision.RENAME, individual_id=found.individual_id, code=code, name=name)
    return _publish(context, event, found.individual_id)


@router.post("/individuals/{individual_id}/merge", include_in_schema=False, response_class=HTMLResponse)
def merge(
    context: ReviewerChanges,
    individual_id: str,
    other: Annotated[_Label, Form(description="id, code or name of the individual that it is")],
    sides: Annotated[bool, Form(description="they are the left and the right side of one animal")] = False,
) -> Response:
    """Make the individual one with another, which keeps its id, code and name."""
    found, state = _changeable(context, individual_id)
    own = state.resolve(found.individual_id)
    others = _named(context, state, other)
    if others and all(one.individual_id == own for one in others):
        return _refused(context, individual_id, TEXT["individual.refused.same"])
    if len(others) != 1:
        return _refused(context, individual_id, text("individual.refused.unknown", name=other))
    into, _ = _changeable(context, others[0].individual_id)
    kind = IndividualDecision.LINK if sides else IndividualDecision.MERGE
    event = _decide(context, kind, individual_id=found.individual_id, other_id=into.individual_id)
    return _publish(context, event, into.individual_id)


@router.post("/individuals/{individual_id}/split", include_in_schema=False, response_class=HTMLResponse)
def split(
    context: ReviewerChanges,
    individual_id: str,
    burst: Annotated[list[_Id], Form(description="the bursts that show another individual")] = [],  # noqa: B006
    code: Annotated[_Label, Form()] = "",
) -> Response:
    """Make a new individual of some of the bursts."""
    found, state = _changeable(context, individual_id)
    own = {sighting.burst_id for sighting in found.sightings}
    chosen = tuple(dict.fromkeys(one for one in burst if one in own))
    if not chosen or len(chosen) == len(own):
        return _refused(context, individual_id, TEXT["individual.refused.split"])
    try:
        check_free(state, code, None)
    except ValueError as error:
        return _refused(context, individual_id, str(error))
    made = _new_id(context, found.individual_id)
    event = _decide(
        context,
        IndividualDecision.SPLIT,
        individual_id=made,
        other_id=found.individual_id,
        bursts=chosen,
        code=code or None,
        taxon=found.taxon,
    )
    return _publish(context, event, made)


@router.post("/individuals/{individual_id}/undo", include_in_schema=False, response_class=HTMLResponse)
def undo(context: ReviewerChanges, individual_id: str, decision: Annotated[_Id, Form()]) -> Response:
    """Take back a decision about the individual, one's own or another's."""
    found, _ = _changeable(context, individual_id)
    about = {entry.decision_id for entry in found.history} | {one.decision_id for one in found.sightings}
    known = context.services.individuals.decision(decision) if decision in about else None
    if known is None:
        raise HTTPException(404, TEXT["error.not_found"])
    event = undo_event(known, context.caller.name, datetime.now(UTC))
    return _publish(context, event, found.individual_id)


def _visible(context: Context, individual: Individual) -> list[Sighting]:
    return visible_sightings(individual, context.caller.may_see, context.caller.stations is None)


def _waiting(context: Context, state: RegistryState, *, disputed: bool) -> int:
    if not context.caller.may(Right.REVIEW):
        return 0
    queue = SightingQueue(context.caller.name, disputed)
    return context.services.individuals.waiting(queue, state, context.caller.stations)


def _take(context: Context, bursts: Sequence[str], most: int) -> list[str]:
    return context.services.leases.take(context.caller.account_id, [_LEASE + burst for burst in bursts], most)


def _sighting(context: Context, burst_id: str) -> IndividualSighted:
    found = context.services.individuals.sighting(burst_id, context.caller.stations)
    if found is None or not found.crops:
        raise HTTPException(404, TEXT["error.not_found"])
    return found


def _queued(context: Context, sighted: IndividualSighted, state: RegistryState) -> QueuedSighting:
    caller = context.caller
    return queued_sighting(sighted, state, caller.name, caller.may_see, caller.stations is None)


def _require_unchanged(context: Context, decision: SightingDecision, state: RegistryState) -> None:
    """Raise 409 where another reviewer has decided since. Two who have to agree decide on their own."""
    decided = state.bursts.get(decision.burst_id)
    if context.services.individuals.reviewers > 1 or decided is None:
        return
    latest = decided.latest
    if latest.reviewer != context.caller.name and latest.decision_id != decision.seen:
        raise HTTPException(409, text("review.decided", reviewer=latest.reviewer))


def _undo_own(
    context: Context, decision: SightingDecision, sighted: IndividualSighted, state: RegistryState, at: datetime
) -> IndividualDecided:
    undoes = decision.undoes or ""
    # The catalogue may not have it yet: a reviewer undoes it a moment after.
    known = context.services.individuals.known_decision(undoes)
    if known is None or known.burst_id != sighted.burst_id:
        raise HTTPException(422, TEXT["individual.refused.undo"])
    if known.reviewer != context.caller.name:
        raise HTTPException(422, text("review.refused.undo_other", reviewer=known.reviewer))
    if known.decision is IndividualDecision.NEW:
        made = state.individuals.get(state.resolve(known.individual_id or "") or "")
        # Without the individual, what was decided about other bursts would count no more.
        if made is not None and any(one.burst_id != sighted.burst_id for one in made.sightings):
            raise HTTPException(409, TEXT["individual.refused.undo_new"])
    return undo_event(known, context.caller.name, at)


def _individual(context: Context, individual_id: str, state: RegistryState) -> tuple[Individual, list[Sighting]]:
    """An individual and its sightings. Raises 404 where the account may see none of them: it does not exist for it."""
    found = state.individuals.get(individual_id)
    if found is None or not (seen := _visible(context, _survivor(found, state))):
        raise HTTPException(404, TEXT["error.not_found"])
    return found, [] if found.merged_into else seen


def _changeable(context: Context, individual_id: str) -> tuple[Individual, RegistryState]:
    """An individual all of whose sightings the account may see, those of the one that it is now as well; raises 404 or
    403.
    """
    state = context.services.individuals.state()
    found, _ = _individual(context, individual_id, state)
    if not _sees_all(context, found, state):
        raise HTTPException(403, TEXT["individual.refused.elsewhere"])
    return found, state


def _survivor(individual: Individual, state: RegistryState) -> Individual:
    """The individual that it is now."""
    return state.individuals[individual.merged_into] if individual.merged_into else individual


def _sees_all(context: Context, individual: Individual, state: RegistryState) -> bool:
    survivor = _survivor(individual, state)
    return len(_visible(context, survivor)) == len(survivor.sightings)


def _named(context: Context, state: RegistryState, name: str) -> list[Individual]:
    wanted = name.casefold()
    return [
        each
        for each in state.current()
        if wanted in {(each.code or "").casefold(), (each.name or "").casefold(), each.individual_id.casefold()}
        and _visible(context, each)
    ]


def _one(context: Context, individual_id: str) -> IndividualPage:
    services = context.services
    state = services.individuals.state()
    found, seen = _individual(context, individual_id, state)
    newest = seen[-_SHOWN_SIGHTINGS:]
    known = services.catalogue.bursts_of([one.burst_id for one in newest], context.caller.stations)
    dots, ticks = timeline(seen)
    everything = _sees_all(context, found, state)
    return IndividualPage(
        individual=individual_card(found, seen),
        merged_into=individual_href(found.merged_into) if found.merged_into else None,
        sightings=sighting_views(newest, known),
        dots=dots,
        ticks=ticks,
        places=_places(context, seen),
        # What was decided about it at other stations is not told.
        history=history_views(found.history, state) if everything else [],
        may_change=everything and context.caller.may(Right.REVIEW),
    )


def _places(context: Context, sightings: Sequence[Sighting]) -> list[PlaceView]:
    counts: dict[str, int] = {}
    for one in sightings:
        if one.camera:
            counts[one.camera] = counts.get(one.camera, 0) + 1
    return [
        PlaceView(
            cameras=[camera],
            href=BurstQuery(camera=(camera,)).address(),
            text=TEXT["individuals.sightings.one"] if count == 1 else text("individuals.sightings", n=count),
            sightings=count,
            latitude=place.latitude,
            longitude=place.longitude,
            uncertainty_m=place.uncertainty_m,
        )
        for camera, count in sorted(counts.items())
        for place in context.positions(camera)
    ]


def _new_id(context: Context, source: str) -> str:
    return ids.individual_id(source, context.caller.name, datetime.now(UTC).isoformat())


def _decide(context: Context, decision: IndividualDecision, **fields: Any) -> IndividualDecided:
    return make_decision(decision, context.caller.name, datetime.now(UTC), **fields)


def _publish(context: Context, event: IndividualDecided, individual_id: str) -> Response:
    services = context.services
    services.publisher.publish(event)
    end = time.monotonic() + _FOLDED_WITHIN_S
    while services.individuals.decision(event.decision_id) is None and time.monotonic() < end:
        time.sleep(_FOLDED_POLL_S)
    exists = individual_id in services.individuals.state().individuals
    return RedirectResponse(individual_href(individual_id) if exists else "/individuals", status_code=303)


def _refused(context: Context, individual_id: str, problem: str) -> Response:
    return context.render("individual.html.j2", _one(context, individual_id), status=409, problem=problem)
