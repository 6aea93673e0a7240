"""One burst: frames with boxes, revisions and why each came, models, crops, explanations, reviews, neighbours."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from uncia import ids
from uncia.dashboard.catalogue.numbers import CameraPosition
from uncia.dashboard.catalogue.rows import BurstDetail, FrameDetail, Observation, Review, Revision
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.burst_view import BurstView, FrameView, burst_view, frame_view
from uncia.dashboard.web.context import Context, ReviewerChanges, Viewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.public_panel import PublicPanel, public_panel
from uncia.dashboard.web.review_decision import Decision, review_event
from uncia.dashboard.web.strings import TEXT
from uncia.events import (
    ExplanationMethod,
    ExplanationReason,
    ExplanationRequested,
    FetchReason,
    FetchRequested,
    ReviewDecision,
)
from uncia.fetch_requests import fetch_id
from uncia.storage.object_keys import is_thumbnail_key

router = APIRouter(tags=["bursts"])

_FAVOURITE = "favourite"


class FrameFacts(FrameView):
    """A frame with what is known of its photograph."""

    key: str
    uploaded_at: datetime
    predicted_at: datetime
    sequence: int | None
    joined: str | None
    animal_probability: float | None
    top_label: str | None
    top_score: float | None
    rejection_message: str | None
    make: str | None
    model: str | None
    temperature_c: float | None
    infrared: bool | None
    width: int | None
    height: int | None
    time_source: str | None
    classifier: str | None
    detector: str | None
    full: str
    """Address of the picture in its own size."""


class CropView(BaseModel):
    """A published crop."""

    crop_id: str
    image_id: str
    category: str
    score: float
    picture: str


class ExplanationView(BaseModel):
    """An explanation, or its request."""

    explanation_id: str
    image_id: str
    method: str
    label: str | None
    score: float | None
    r2: float | None
    requested_at: datetime | None
    explained_at: datetime | None
    problem: str | None
    """Why there is none."""
    picture: str | None
    pending: bool
    """Requested, without a result yet."""


class FetchView(BaseModel):
    """A frame of which the store has, or had, a thumbnail alone."""

    image_id: str
    number: int
    """Of the frame in its burst, from 1."""
    arrived: bool
    """The store has the whole photograph."""
    reason: str | None
    """Why it was requested; None: it was not."""
    requested_by: str | None
    requested_at: datetime | None


class BurstPage(BaseModel):
    """Everything about one burst."""

    burst: BurstView
    frames: list[FrameFacts]
    expected_frames: int | None
    model_category: str | None
    model_label: str | None
    taxon_score: float | None
    animal_probability: float | None
    rule: str
    fusion: str | None
    models: list[str]
    settings: str
    closed_by: str | None
    crops_withheld: bool
    deployment_id: str | None
    position: CameraPosition | None
    """As precisely as the caller may know it; None: withheld, or unknown."""
    flags: dict[str, tuple[str, ...]]
    observations: list[Observation]
    reviews: list[Review]
    revisions: list[Revision]
    crops: list[CropView]
    explanations: list[ExplanationView]
    fetches: list[FetchView]
    """Whole photographs that a gateway behind a thin link holds, or sent on request."""
    before: BurstView | None
    """The burst of the same camera just before."""
    after: BurstView | None
    people_hidden: bool
    """A person is in the burst, and the caller gets blurred photographs, no crops and no heat maps."""
    public: PublicPanel
    """What the public would see of it."""
    query: BurstQuery
    """The filters of the list that the page was opened from."""


class FavouriteChoice(BaseModel):
    """Whether a burst is a favourite."""

    model_config = ConfigDict(extra="forbid")

    favourite: bool
    revision: int = Field(ge=1, description="the revision that the reviewer saw")


class BurstMarks(BaseModel):
    """The marks of a burst from now on."""

    marks: list[str]


@page(router, "/bursts/{burst_id}", "burst.html.j2", fragment="burst_requests.html.j2")
def show_burst(context: Viewing, burst_id: str, query: Annotated[BurstQuery, Query()]) -> BurstPage:
    """A burst, and its neighbours among the bursts that the query allows."""
    catalogue, stations = context.services.catalogue, context.caller.stations
    detail = _burst(context, burst_id)
    around = catalogue.neighbours(burst_id, query.to_filter(), stations)
    row = detail.burst
    # A person in one frame hides something of all of them.
    people_hidden = (
        bool(row.frames)
        and not context.caller.may(Right.PEOPLE)
        and context.hidden_people(row.frames[0].image_id) is not None
    )
    return BurstPage(
        burst=burst_view(row),
        frames=[_facts(frame) for frame in detail.frames],
        expected_frames=detail.expected_frames,
        model_category=detail.model_category,
        model_label=detail.model_label,
        taxon_score=detail.taxon_score,
        animal_probability=row.animal_probability,
        rule=detail.rule,
        fusion=detail.fusion,
        models=detail.models,
        settings=detail.settings,
        closed_by=detail.closed_by,
        crops_withheld=bool(detail.crops_withheld),
        deployment_id=detail.deployment_id,
        position=next(iter(context.positions(row.camera)), None),
        flags=detail.flags,
        observations=list(detail.observations),
        reviews=list(detail.reviews),
        revisions=list(detail.revisions),
        crops=[
            CropView(
                crop_id=crop.crop_id,
                image_id=crop.image_id,
                category=crop.category,
                score=crop.score,
                picture=f"/pictures/crops/{crop.crop_id}.jpg",
            )
            for crop in detail.crops
            if not people_hidden
        ],
        explanations=[
            ExplanationView(
                explanation_id=one.explanation_id,
                image_id=one.image_id,
                method=one.method,
                label=one.label,
                score=one.score,
                r2=one.r2,
                requested_at=one.requested_at,
                explained_at=one.explained_at,
                problem=one.rejection_message or one.rejection_reason,
                picture=f"/pictures/explanations/{one.explanation_id}.png"
                if one.heat_map_key and not people_hidden
                else None,
                pending=one.explained_at is None,
            )
            for one in detail.explanations
        ],
        fetches=_fetches(detail),
        before=burst_view(around.before) if around.before else None,
        after=burst_view(around.after) if around.after else None,
        people_hidden=people_hidden,
        public=public_panel(context, detail, exact=context.caller.may(Right.EXACT_POSITIONS)),
        query=query.model_copy(update={"after": None}),
    )


@router.post("/bursts/{burst_id}/favourite.json")
def set_favourite(context: ReviewerChanges, burst_id: str, choice: FavouriteChoice) -> BurstMarks:
    """Mark a burst as a favourite, or remove the mark; its other marks stay.

    What the burst shows does not change, so that a colleague who has reviewed it, or is looking at it, is no obstacle.
    """
    detail = _burst(context, burst_id)
    others = {mark for mark in detail.burst.marks if mark != _FAVOURITE}
    marks = sorted(others | {_FAVOURITE} if choice.favourite else others)
    decision = Decision(burst_id=burst_id, revision=choice.revision, decision=ReviewDecision.MARK, marks=marks)
    context.services.publisher.publish(review_event(decision, detail, context.caller.name, datetime.now(UTC)))
    return BurstMarks(marks=marks)


@router.post("/bursts/{burst_id}/frames/{image_id}/explain", include_in_schema=False)
def request_explanation(context: ReviewerChanges, burst_id: str, image_id: str) -> Response:
    """Request the explanation of a frame. The page polls until it has arrived, and shows it."""
    detail = _burst(context, burst_id)
    frame = next((one for one in detail.frames if one.image_id == image_id and one.rejection_reason is None), None)
    if frame is None:
        raise HTTPException(404, TEXT["error.not_found"])
    method = ExplanationMethod.LIME
    model = frame.classifier or next(iter(detail.models), "")
    context.services.publisher.publish(
        ExplanationRequested(
            explanation_id=ids.explanation_id(image_id, model, None, method.value),
            image_id=image_id,
            upload_id=frame.upload_id,
            station=detail.burst.station,
            camera=detail.burst.camera,
            bucket=frame.bucket,
            key=frame.key,
            etag=frame.etag or "",
            version_id=frame.version_id,
            method=method,
            reason=ExplanationReason.PERSON,
            requested_at=datetime.now(UTC),
            person_in_burst=bool(detail.crops_withheld),
        )
    )
    return RedirectResponse(f"/bursts/{burst_id}#explanations", status_code=303)


@router.post("/bursts/{burst_id}/frames/{image_id}/fetch", include_in_schema=False)
def request_photograph(context: ReviewerChanges, burst_id: str, image_id: str) -> Response:
    """Request the whole photograph of a thumbnail. The worker `thin-links` passes the request on to the gateway."""
    detail = _burst(context, burst_id)
    wanted = (one for one in detail.frames if one.image_id == image_id and _is_held(one))
    frame = next(wanted, None)
    if frame is None:
        raise HTTPException(404, TEXT["error.not_found"])
    context.services.publisher.publish(
        FetchRequested(
            fetch_id=fetch_id(frame.key),
            station=detail.burst.station,
            camera=detail.burst.camera,
            image_id=image_id,
            key=frame.key,
            burst_id=burst_id,
            reason=FetchReason.PERSON,
            requested_by=context.caller.name,
            requested_at=datetime.now(UTC),
        )
    )
    return RedirectResponse(f"/bursts/{burst_id}#photographs", status_code=303)


def _is_held(frame: FrameDetail) -> bool:
    """Whether a gateway holds the whole photograph of this frame."""
    return is_thumbnail_key(frame.key) and frame.rejection_reason is None


def _fetches(detail: BurstDetail) -> list[FetchView]:
    found = []
    for number, frame in enumerate(detail.frames, 1):
        request = detail.fetches.get(frame.image_id)
        if request is None and not _is_held(frame):
            continue
        found.append(
            FetchView(
                image_id=frame.image_id,
                number=number,
                arrived=not is_thumbnail_key(frame.key),
                reason=request.reason if request else None,
                requested_by=request.requested_by if request else None,
                requested_at=request.requested_at if request else None,
            )
        )
    return found


def _burst(context: Context, burst_id: str) -> BurstDetail:
    found = context.services.catalogue.burst(burst_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return found


def _facts(frame: FrameDetail) -> FrameFacts:
    named = {name: getattr(frame, name) for name in FrameFacts.model_fields if hasattr(frame, name)}
    return FrameFacts(**{**named, **frame_view(frame).model_dump(), "full": f"/pictures/{frame.image_id}/full.jpg"})
