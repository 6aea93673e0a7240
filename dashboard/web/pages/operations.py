"""Operations: lags and latencies of the workers, dead letters, replays, model versions, pending explanations."""

from enum import StrEnum
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Form, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints
from sqlalchemy.exc import DBAPIError

from uncia.dashboard.catalogue.pending import PendingExplanation
from uncia.dashboard.web.context import Context, Operating, OperatorChanges, wants_json
from uncia.dashboard.web.operations import (
    DeadLetterDetails,
    DeadLetterRow,
    ModelVersionList,
    ModelVersionRow,
    ReplayRow,
)
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT
from uncia.errors import UnciaError
from uncia.kafka.stream_status import Latency
from uncia.topology import PARTS, Kind

router = APIRouter(tags=["operations"])

log = structlog.get_logger(__name__)

_LETTERS = 200
_PENDING = 25

_ShortText = Annotated[str, StringConstraints(max_length=200)]


class Done(StrEnum):
    """What an operator has just done; the page confirms it."""

    RETRY = "retry"
    DROP = "drop"
    PROMOTED = "promoted"
    DROPPED = "dropped"
    LIVE = "live"


class WorkerState(BaseModel):
    """One worker and what waits for it."""

    name: str
    description: str
    lag: dict[str, int]
    """Messages by topic."""
    stopped: bool = False
    """It has run, and no process of it runs now."""


class DeadLetterPart(BaseModel):
    """The open dead letters that the filter selects, the oldest first."""

    letters: list[DeadLetterRow] = []
    more: bool = False
    stage: str = ""
    reason: str = ""
    problem: str | None = None


class ReplayPart(BaseModel):
    """The replays of this machine."""

    replays: list[ReplayRow] = []
    problem: str | None = None


class ModelPart(BaseModel):
    """The versions in Triton's model repository."""

    versions: list[ModelVersionRow] = []
    stream: str = ""
    problem: str | None = None


class PendingPart(BaseModel):
    """Explanations that were requested and have no result yet, the oldest first."""

    total: int = 0
    requests: list[PendingExplanation] = []
    problem: str | None = None


class OperationsPage(BaseModel):
    """The state of the stream. Dead letters, replays and models are those of all stations: None for an account that is
    limited to some.
    """

    problem: str | None
    workers: list[WorkerState]
    latency: list[Latency]
    late_frames: int
    bucket_problem: str | None
    doubted_clocks: dict[str, str]
    dead_letters: DeadLetterPart | None = None
    replays: ReplayPart | None = None
    models: ModelPart | None = None
    pending_explanations: PendingPart = PendingPart()
    done: Done | None = None


class DeadLetterPage(BaseModel):
    """One dead letter, open or not."""

    details: DeadLetterDetails


@page(router, "/operations", "operations.html.j2", fragment="operations_workers.html.j2")
def show_operations(
    context: Operating,
    stage: Annotated[_ShortText, Query(description="dead letters of this worker only")] = "",
    reason: Annotated[_ShortText, Query(description="dead letters with this reason only")] = "",
    done: Annotated[Done | None, Query(include_in_schema=False)] = None,
) -> OperationsPage:
    """Workers, lags, latencies, open dead letters, replays, model versions, and pending explanations."""
    if context.is_fragment and not wants_json(context.request):
        return _stream(context)
    return _page(context, stage, reason, done)


@page(router, "/operations/dead-letters/{letter}", "dead_letter.html.j2")
def show_dead_letter(context: Operating, letter: str) -> DeadLetterPage:
    """One dead letter: reason, headers, stack trace, and the beginning of its content."""
    context.require_all_stations()
    return DeadLetterPage(details=context.services.operations.dead_letters.show(letter))


@router.post("/operations/dead-letters", include_in_schema=False, response_class=HTMLResponse)
def settle(
    context: OperatorChanges,
    action: Annotated[Literal["retry", "drop"], Form()],
    letter: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Retry or drop the chosen dead letters."""
    context.require_all_stations()
    if not letter:
        raise HTTPException(422, TEXT["operations.choose"])
    letters = context.services.operations.dead_letters
    change = letters.retry if action == "retry" else letters.drop
    problems = change(letter, context.caller.name)
    log.info("dead_letters_settled", account=context.caller.name, action=action, letters=letter, refused=len(problems))
    if problems:
        return _refused(context, problems)
    return _done(Done(action), "letters")


@router.post("/operations/models", include_in_schema=False, response_class=HTMLResponse)
def make_live(
    context: OperatorChanges,
    model: Annotated[_ShortText, Form()],
    version: Annotated[_ShortText, Form()],
    live: Annotated[_ShortText, Form(description="the version that was live when the page was shown")],
) -> Response:
    """Promote a model version, or roll back to the previous one."""
    context.require_all_stations()
    change = {"account": context.caller.name, "model": model, "version": version, "previous": live}
    try:
        context.services.operations.models.make_live(model, version, live)
    except UnciaError as error:
        log.warning("model_version_not_live", **change, error=str(error))
        return _refused(context, [str(error)])
    log.info("model_version_live", **change)
    return _done(Done.LIVE, "models")


def _done(done: Done, part: str) -> Response:
    return RedirectResponse(f"/operations?done={done}#{part}", status_code=303)


def _refused(context: Context, problems: object) -> Response:
    return context.render("operations.html.j2", _page(context), status=409, problems=problems)


def _stream(context: Context) -> OperationsPage:
    """The workers alone, which the page loads again every few seconds."""
    status = context.services.stream_status()
    workers = [
        WorkerState(
            name=part.name,
            description=part.description,
            lag={one.topic: one.messages for one in status.lag if one.worker == part.name},
            stopped=part.name in status.stopped,
        )
        for part in PARTS
        if part.kind in (Kind.WORKER, Kind.SERVICE)
    ]
    clocks = {
        camera: verdict
        for camera, verdict in status.doubted_clocks.items()
        if context.caller.may_see(camera.rpartition("/")[0])
    }
    return OperationsPage(
        problem=status.problem,
        workers=workers,
        latency=list(status.latency),
        late_frames=status.late_frames,
        bucket_problem=status.bucket_problem,
        doubted_clocks=clocks,
    )


def _page(context: Context, stage: str = "", reason: str = "", done: Done | None = None) -> OperationsPage:
    everything = context.caller.stations is None
    return _stream(context).model_copy(
        update={
            "dead_letters": _dead_letters(context, stage, reason) if everything else None,
            "replays": _replays(context) if everything else None,
            "models": _models(context) if everything else None,
            "pending_explanations": _pending(context),
            "done": done,
        }
    )


def _dead_letters(context: Context, stage: str, reason: str) -> DeadLetterPart:
    try:
        letters = list(context.services.operations.dead_letters.open(_LETTERS + 1, stage=stage, reason=reason))
    except UnciaError as error:
        return DeadLetterPart(stage=stage, reason=reason, problem=str(error))
    return DeadLetterPart(letters=letters[:_LETTERS], more=len(letters) > _LETTERS, stage=stage, reason=reason)


def _replays(context: Context) -> ReplayPart:
    try:
        return ReplayPart(replays=list(reversed(context.services.operations.replays.list())))
    except UnciaError as error:
        return ReplayPart(problem=str(error))


def _models(context: Context) -> ModelPart:
    try:
        found: ModelVersionList = context.services.operations.models.list()
    except UnciaError as error:
        return ModelPart(problem=str(error))
    return ModelPart(versions=list(found.versions), stream=found.stream, problem=found.problem)


def _pending(context: Context) -> PendingPart:
    try:
        total, requests = context.services.pending.read(_PENDING, context.caller.stations)
    except DBAPIError:
        # The page is for the days on which something is down.
        return PendingPart(problem=TEXT["error.unavailable"].format(reason=TEXT["error.database"]))
    return PendingPart(total=total, requests=requests)
