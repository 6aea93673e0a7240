"""Review: decide on one burst after the other by the keyboard. Each decision is an event."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field, model_validator

from uncia.dashboard.catalogue.changes import offset_of
from uncia.dashboard.catalogue.filters import BurstFilter, BurstOrder
from uncia.dashboard.catalogue.rows import BurstDetail, BurstRow
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.burst_view import BurstView, burst_view
from uncia.dashboard.web.context import Context, ReviewerChanges, Reviewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.review_decision import DecidedObservation, Decision, review_event, seen_verdict
from uncia.dashboard.web.species_keys import ChosenSpecies, SpeciesKey, species_keys
from uncia.dashboard.web.strings import TEXT, text
from uncia.events import BurstCategory, ObservationReviewed, ReviewDecision

router = APIRouter(tags=["review"])

_CANDIDATES = 80
_PREFETCHED = 4
_MOST_AT_ONCE = 200
_RARE = 3
"""The queue of rare taxa has those of which there are fewest bursts."""


class Queue(StrEnum):
    """What comes first."""

    UNCERTAIN = "uncertain"
    """Bursts on which the models are unsure or disagree."""
    RARE = "rare"
    """Taxa of which there are few bursts."""
    BLANKS = "blanks"
    """A random sample of bursts without an animal: what was missed."""
    NEWEST = "newest"
    AUDIT = "audit"
    """The sample of the audit, without the models' verdict: who knows it, tends to agree."""


class Suggestion(BaseModel):
    """A taxon that the models see in the burst."""

    category: str
    taxon: str | None
    label: str
    rank: str | None
    score: float | None


class QueuedBurst(BurstView):
    """A burst that is leased to the reviewer."""

    review_id: str | None
    """The review that counts."""
    suggestions: list[Suggestion]


class ReviewPage(BaseModel):
    """The page around the queue, which is fetched by `POST /review/queue.json`."""

    query: BurstQuery
    queue: Queue
    burst: str | None
    """A burst to begin with."""
    keys: list[SpeciesKey]
    taxa: list[Suggestion]
    """What can be chosen: the taxa of the catalogue and of the keys."""
    waiting: int
    """Number of bursts that the filters allow and that have no review."""


class QueueRequest(BaseModel):
    """Which bursts are wanted next."""

    query: str = Field(default="", max_length=4000, description="filters, as in the address of Browse")
    queue: Queue = Queue.UNCERTAIN
    have: list[str] = Field(default=[], max_length=500, description="ids that are on the page or were just decided")
    first: str | None = Field(default=None, max_length=100, description="this burst first, reviewed or not")


class QueueAnswer(BaseModel):
    """The next bursts."""

    bursts: list[QueuedBurst]


class BulkItem(BaseModel):
    """One burst of several."""

    burst_id: str = Field(max_length=100)
    revision: int = Field(ge=1, description="the revision on the screen; nothing but an undo is decided on another one")
    supersedes: str | None = Field(default=None, max_length=100, description="for `undo`: the review that it undoes")


class BulkDecision(BaseModel):
    """One decision on several bursts."""

    decision: Literal["confirm", "correct", "blank", "undo"]
    observation: ChosenSpecies | None = Field(default=None, description="for `correct`: what all of them show")
    bursts: list[BulkItem] = Field(min_length=1, max_length=_MOST_AT_ONCE)

    @model_validator(mode="after")
    def _correct_has_an_observation(self) -> Self:
        if (self.decision == "correct") != (self.observation is not None):
            raise ValueError(TEXT["review.refused.observation"])
        if self.observation is not None and self.observation.category is BurstCategory.BLANK:
            raise ValueError(TEXT["review.refused.blank"])
        return self


class BulkAnswer(BaseModel):
    """What became of it."""

    decided: dict[str, str]
    """Ids of the reviews by burst."""
    refused: dict[str, str]
    """Why there is none, by burst."""


class DecisionAnswer(BaseModel):
    """The decision is stored."""

    review_id: str


@page(router, "/review", "review.html.j2")
def show_review(
    context: Reviewing,
    query: Annotated[BurstQuery, Query()],
    queue: Queue = Queue.UNCERTAIN,
    burst: Annotated[str | None, Query(max_length=100)] = None,
) -> ReviewPage:
    """The keys of the reviewer, and what can be chosen."""
    if queue is Queue.AUDIT:
        waiting = context.services.verdict_audit.waiting(_audited(query), context.caller.stations)
    else:
        waiting = context.services.catalogue.facets(_unreviewed(query).to_filter(), context.caller.stations).total
    taxa = [
        Suggestion(category="animal", taxon=one.taxon, label=one.label, rank=one.rank, score=None)
        for one in context.services.catalogue.facets(stations=context.caller.stations).taxon
    ]
    return ReviewPage(query=query, queue=queue, burst=burst, keys=species_keys(context), taxa=taxa, waiting=waiting)


@router.post("/review/queue.json")
def next_bursts(context: ReviewerChanges, wanted: QueueRequest) -> QueueAnswer:
    """Lease the next bursts. No other reviewer gets them for five minutes."""
    services, caller = context.services, context.caller
    have = set(wanted.have)
    rows: list[BurstRow] = []
    if wanted.first is not None and wanted.first not in have:
        first = _burst(context, wanted.first)
        if not services.leases.take(caller.account_id, [wanted.first], 1):
            raise HTTPException(409, TEXT["review.leased"])
        rows.append(first.burst)
    # Those on the page are still being looked at.
    services.leases.take(caller.account_id, wanted.have[-_PREFETCHED:], _PREFETCHED)
    candidates = [row for row in _candidates(context, wanted) if row.burst_id not in have]
    missing = _PREFETCHED - len(rows)
    taken = set(services.leases.take(caller.account_id, [row.burst_id for row in candidates], missing))
    rows += [row for row in candidates if row.burst_id in taken and row.burst_id != wanted.first]
    details = (services.catalogue.burst(row.burst_id, stations=caller.stations) for row in rows)
    blind = wanted.queue is Queue.AUDIT
    return QueueAnswer(bursts=[_queued(detail, blind) for detail in details if detail is not None])


@router.post("/review/decisions.json")
def decide(context: ReviewerChanges, decision: Decision) -> DecisionAnswer:
    """Publish a decision. Answers 409 where another reviewer has decided meanwhile, or holds the lease, and where the
    verdict to confirm is no longer the one that was on the screen."""
    services, caller = context.services, context.caller
    detail = _burst(context, decision.burst_id)
    if not services.leases.take(caller.account_id, [decision.burst_id], 1):
        raise HTTPException(409, TEXT["review.leased"])
    counting = _counting(detail)
    own = counting is None or counting[1] == caller.name
    if decision.decision is not ReviewDecision.UNDO and counting and not own and counting[0] != decision.seen_review:
        raise HTTPException(409, text("review.decided", reviewer=counting[1]))
    if decision.decision is ReviewDecision.CONFIRM and seen_verdict(decision, detail) is None:
        raise HTTPException(409, TEXT["review.changed"])
    try:
        event = review_event(decision, detail, caller.name, datetime.now(UTC), _newest_event(context, detail))
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    services.publisher.publish(event)
    return DecisionAnswer(review_id=event.review_id)


@router.post("/review/bulk.json")
def decide_on_several(context: ReviewerChanges, bulk: BulkDecision) -> BulkAnswer:
    """Publish the same decision on several bursts. A burst that has changed, or that another reviewer has or has
    decided on, is left out."""
    services, caller = context.services, context.caller
    observations = [DecidedObservation(**bulk.observation.model_dump())] if bulk.observation else []
    events: list[ObservationReviewed] = []
    refused: dict[str, str] = {}
    for item in bulk.bursts:
        detail = services.catalogue.burst(item.burst_id, stations=caller.stations)
        counting = _counting(detail) if detail else None
        if detail is None:
            refused[item.burst_id] = TEXT["error.not_found"]
        # The review itself has revised the burst since; its undo names the review and not a revision.
        elif bulk.decision != "undo" and detail.burst.revision != item.revision:
            refused[item.burst_id] = TEXT["review.changed"]
        elif counting is not None and counting[1] != caller.name:
            refused[item.burst_id] = text("review.decided", reviewer=counting[1])
        elif not services.leases.take(caller.account_id, [item.burst_id], 1):
            refused[item.burst_id] = TEXT["review.leased"]
        else:
            decision = Decision(
                burst_id=item.burst_id,
                revision=item.revision,
                seen_review=counting[0] if counting else None,
                decision=ReviewDecision(bulk.decision),
                observations=observations,
                supersedes=item.supersedes,
            )
            try:
                newest = _newest_event(context, detail)
                events.append(review_event(decision, detail, caller.name, datetime.now(UTC), newest))
            except ValueError as error:
                refused[item.burst_id] = str(error)
    if events:
        services.publisher.publish(*events)
    services.leases.release(caller.account_id, [event.burst_id for event in events])
    return BulkAnswer(decided={event.burst_id: event.review_id for event in events}, refused=refused)


@router.post("/review/release.json")
def release(context: ReviewerChanges) -> QueueAnswer:
    """End all leases of the caller: others get these bursts at once."""
    context.services.leases.release(context.caller.account_id)
    return QueueAnswer(bursts=[])


@router.post("/review/keys.json")
def set_keys(context: ReviewerChanges, keys: Annotated[list[SpeciesKey], Field(max_length=26)]) -> list[SpeciesKey]:
    """Store the caller's species keys; of several of one letter the last counts."""
    account = context.services.accounts.account(context.caller.account_id)
    chosen = list({one.key: one for one in keys}.values())
    settings = account.settings if account else {}
    stored = {**settings, "keys": [one.model_dump(mode="json") for one in chosen]}
    context.services.accounts.set_settings(context.caller.account_id, stored)
    return chosen


def _newest_event(context: Context, detail: BurstDetail) -> str | None:
    burst = detail.burst
    return context.services.publisher.newest_event(burst.camera, burst.burst_id, offset_of(detail.version))


def _unreviewed(query: BurstQuery) -> BurstQuery:
    return query.model_copy(update={"reviewed": query.reviewed or "no", "after": None})


def _audited(query: BurstQuery) -> BurstFilter:
    """The filters that say nothing of what a burst shows."""
    return BurstFilter(stations=query.station, cameras=query.camera, since=query.since, until=query.until)


def _candidates(context: Context, wanted: QueueRequest) -> list[BurstRow]:
    """Bursts in the order in which they help most."""
    catalogue, stations = context.services.catalogue, context.caller.stations
    query = _unreviewed(BurstQuery.parse(wanted.query))
    order = BurstOrder.UNCERTAIN
    if wanted.queue is Queue.AUDIT:
        audit = context.services.verdict_audit
        queue = audit.queue(_audited(query), _CANDIDATES + len(wanted.have), stations)
        found = catalogue.bursts_of(queue, stations)
        return [found[burst_id] for burst_id in queue if burst_id in found]
    if wanted.queue is Queue.NEWEST:
        order = BurstOrder.NEWEST
    elif wanted.queue is Queue.BLANKS:
        blanks = query.model_copy(update={"category": ("blank",)}).to_filter()
        # Another start each time: what was sampled before is reviewed by now, or in `have`.
        start = f"bst-{secrets.token_hex(12)}"
        return list(catalogue.sample(blanks, start, _CANDIDATES + len(wanted.have), stations))
    elif wanted.queue is Queue.RARE and query.taxon is None:
        counted = [one for one in catalogue.facets(query.to_filter(), stations).taxon if one.own]
        rarest = sorted(counted, key=lambda one: one.own)[:_RARE]
        return [
            row
            for one in rarest
            for row in catalogue.bursts(
                query.model_copy(update={"taxon": one.taxon}).to_filter(), order, _CANDIDATES // _RARE, None, stations
            ).rows
        ]
    # Leased bursts and those on the page are at the top of the list: read so many that some are left.
    return list(catalogue.bursts(query.to_filter(), order, _CANDIDATES + len(wanted.have), None, stations).rows)


def _queued(detail: BurstDetail, blind: bool = False) -> QueuedBurst:
    counting = _counting(detail)
    review_id = counting[0] if counting else None
    if blind:
        return _blinded(detail, review_id)
    return QueuedBurst(
        **burst_view(detail.burst).model_dump(),
        review_id=review_id,
        suggestions=[
            Suggestion(
                category=one.category or "animal",
                taxon=one.taxon,
                label=one.label or one.taxon or one.category or "",
                rank=one.rank,
                score=one.score,
            )
            for one in detail.observations
            if one.source == "model"
        ][:5],
    )


def _blinded(detail: BurstDetail, review_id: str | None) -> QueuedBurst:
    """The burst without anything that the models or a reviewer say of it; that it was reviewed, and by whom, stays."""
    view = burst_view(detail.burst)
    hidden = {
        **dict.fromkeys(("category", "taxon", "label", "rank", "count", "confidence", "cover")),
        "certain": False,
        "focus": False,
        "verdict": TEXT["audit.blind"],
        "evidence": TEXT["audit.blind.evidence"],
        "frames": [
            frame.model_copy(update={"category": None, "deciding": False, "boxes": []}) for frame in view.frames
        ],
    }
    named = (BurstCategory.ANIMAL, BurstCategory.PERSON, BurstCategory.VEHICLE)
    return QueuedBurst(
        **view.model_copy(update=hidden).model_dump(),
        review_id=review_id,
        suggestions=[
            Suggestion(category=one.value, taxon=None, label=TEXT[f"category.{one.value}"], rank=None, score=None)
            for one in named
        ],
    )


def _counting(detail: BurstDetail) -> tuple[str, str] | None:
    """Id and reviewer of the review that counts."""
    if not detail.burst.reviewed:
        return None
    found = next((one for one in detail.observations if one.source == "human" and one.review_id), None)
    if found is not None and found.review_id:
        return found.review_id, detail.burst.reviewer or ""
    return (detail.reviews[0].review_id, detail.burst.reviewer or "") if detail.reviews else None


def _burst(context: Context, burst_id: str) -> BurstDetail:
    found = context.services.catalogue.burst(burst_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return found
