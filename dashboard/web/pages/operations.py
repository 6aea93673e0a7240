"""Operations: lags and latencies of the workers, and messages that could not be processed."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.web.context import Context, Operating, OperatorChanges
from uncia.dashboard.web.operations import DeadLetterRow
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT
from uncia.errors import UnciaError
from uncia.kafka.stream_status import Latency
from uncia.topology import PARTS, Kind

router = APIRouter(tags=["operations"])

_LETTERS = 200


class WorkerState(BaseModel):
    """One worker and what waits for it."""

    name: str
    description: str
    lag: dict[str, int]
    """Messages by topic."""


class OperationsPage(BaseModel):
    """The state of the stream."""

    problem: str | None
    workers: list[WorkerState]
    latency: list[Latency]
    late_frames: int
    bucket_problem: str | None
    doubted_clocks: dict[str, str]
    dead_letters: list[DeadLetterRow]
    dead_letters_problem: str | None


@page(router, "/operations", "operations.html.j2")
def show_operations(context: Operating) -> OperationsPage:
    """Lags, latencies, and the open dead letters."""
    return _page(context)


@router.post("/operations/dead-letters", include_in_schema=False, response_class=HTMLResponse)
def settle(
    context: OperatorChanges,
    action: Annotated[Literal["retry", "drop"], Form()],
    letter: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Retry or drop the chosen dead letters."""
    if not letter:
        raise HTTPException(422, TEXT["operations.choose"])
    letters = context.services.dead_letters
    problems = letters.retry(letter) if action == "retry" else letters.drop(letter)
    if problems:
        return context.render("operations.html.j2", _page(context), status=409, problems=problems)
    return RedirectResponse("/operations", status_code=303)


def _page(context: Context) -> OperationsPage:
    status = context.services.stream_status()
    letters: list[DeadLetterRow] = []
    problem = None
    try:
        letters = list(context.services.dead_letters.open(_LETTERS))
    except UnciaError as error:
        problem = str(error)
    workers = [
        WorkerState(
            name=part.name,
            description=part.description,
            lag={one.topic: one.messages for one in status.lag if one.worker == part.name},
        )
        for part in PARTS
        if part.kind in (Kind.WORKER, Kind.SERVICE)
    ]
    return OperationsPage(
        problem=status.problem,
        workers=workers,
        latency=list(status.latency),
        late_frames=status.late_frames,
        bucket_problem=status.bucket_problem,
        doubted_clocks=status.doubted_clocks,
        dead_letters=letters,
        dead_letters_problem=problem,
    )
