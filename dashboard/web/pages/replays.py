"""One replay: how its bursts differ from the live ones; promote or drop it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import Thumbnail, thumbnails_from_store
from uncia.dashboard.replay_diff.page import ChangeFrame, change_view, render
from uncia.dashboard.web.context import Context, Operating, OperatorChanges
from uncia.dashboard.web.operations import ReplayRow
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.pages.operations import Done
from uncia.errors import UnciaError

router = APIRouter(tags=["operations"])

log = structlog.get_logger(__name__)

_CHANGES = 100
_CONFUSION = 60

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""The page for passing on has its style and its pictures within itself, and no script."""


class ConfusionRow(BaseModel):
    """How many bursts and photographs have one verdict live and one in the replay."""

    live: str
    replay: str
    bursts: int
    frames: int


class BurstSide(BaseModel):
    """A burst of one side. `href` only for live bursts."""

    burst_id: str
    verdict: str
    score: str
    facts: str
    href: str | None


class ChangeRow(BaseModel):
    """Bursts of both sides that share photographs."""

    kind: str
    camera: str
    started_at: datetime
    held: str | None
    live: list[BurstSide]
    replay: list[BurstSide]
    frames: list[ChangeFrame]
    hidden: int
    """Photographs that are not shown."""


class ReplayDiff(BaseModel):
    """The differences from the live bursts."""

    complete: bool
    kinds: dict[str, int]
    to_promote: int
    held: dict[str, int]
    """Changes that a promotion leaves out, by reason."""
    confusion: list[ConfusionRow]
    changes: list[ChangeRow]
    changes_left_out: int
    fingerprint: str
    """Of the changes that a promotion would publish."""


class ReplayPage(BaseModel):
    """One replay. `diff` is None with a `problem`: it has not begun, or Kafka does not answer."""

    replay: ReplayRow
    diff: ReplayDiff | None
    problem: str | None


@page(router, "/operations/replays/{name}", "replay.html.j2")
def show_replay(context: Operating, name: str) -> ReplayPage:
    """A replay and how its bursts differ from the live ones. Reads whole topics, which takes seconds."""
    context.require_all_stations()
    return _page(context, name)


@router.get("/operations/replays/{name}/page.html", response_class=HTMLResponse, include_in_schema=False)
def self_contained_page(context: Operating, name: str) -> Response:
    """The differences as one file with its pictures, as `uncia replay diff --output` writes it.

    Persons are blurred whatever the account may see: the page is made to be passed on.
    """
    context.require_all_stations()
    body = context.services.operations.replays.compare(name).body
    html = render(body, thumbnails_from_store(context.services.settings, context.hidden_people))
    return HTMLResponse(html, headers={"content-security-policy": _PAGE_POLICY})


@router.post("/operations/replays/{name}/promote", include_in_schema=False, response_class=HTMLResponse)
def promote(context: OperatorChanges, name: str, fingerprint: Annotated[str, Form()]) -> Response:
    """Publish the differences that the page has shown as revisions of the live bursts."""
    context.require_all_stations()
    account = context.caller.name
    try:
        promoted = context.services.operations.replays.promote(name, fingerprint, account)
    except UnciaError as error:
        return _refused(context, name, "replay_not_promoted", error)
    log.info("replay_promoted", account=account, replay=name, changes=promoted.changes, events=promoted.events)
    return RedirectResponse(f"/operations?done={Done.PROMOTED}#replays", status_code=303)


@router.post("/operations/replays/{name}/drop", include_in_schema=False, response_class=HTMLResponse)
def drop(context: OperatorChanges, name: str) -> Response:
    """Remove the replay with its topics and files."""
    context.require_all_stations()
    try:
        context.services.operations.replays.drop(name)
    except UnciaError as error:
        return _refused(context, name, "replay_not_dropped", error)
    log.info("replay_dropped", account=context.caller.name, replay=name)
    return RedirectResponse(f"/operations?done={Done.DROPPED}#replays", status_code=303)


def _refused(context: Context, name: str, event: str, error: UnciaError) -> Response:
    log.warning(event, account=context.caller.name, replay=name, error=str(error))
    return context.render("replay.html.j2", _page(context, name), status=409, refused=str(error))


def _page(context: Context, name: str) -> ReplayPage:
    replays = context.services.operations.replays
    replay = replays.row(name)
    try:
        compared = replays.compare(name)
    except UnciaError as error:
        return ReplayPage(replay=replay, diff=None, problem=str(error))
    return ReplayPage(replay=replay, diff=_diff(compared.body, compared.fingerprint), problem=None)


def _diff(body: Mapping[str, Any], fingerprint: str) -> ReplayDiff:
    changes = body["changes"]
    return ReplayDiff(
        complete=body["complete"],
        kinds={kind: count for kind, count in body["kinds"].items() if count},
        to_promote=body["to_promote"],
        held=body["held"],
        confusion=[ConfusionRow(**row) for row in body["confusion"][:_CONFUSION]],
        changes=[_change(change) for change in changes[:_CHANGES]],
        changes_left_out=max(0, len(changes) - _CHANGES),
        fingerprint=fingerprint,
    )


def _change(change: Mapping[str, Any]) -> ChangeRow:
    view = change_view(change, _address)

    def sides(bursts: Any, shown: Any, *, live: bool) -> list[BurstSide]:
        return [
            BurstSide(
                burst_id=burst["burst_id"],
                verdict=side.verdict,
                score=side.score,
                facts=side.facts,
                href=f"/bursts/{burst['burst_id']}" if live else None,
            )
            for burst, side in zip(bursts, shown, strict=True)
        ]

    return ChangeRow(
        kind=view.kind,
        camera=view.camera,
        started_at=min(burst["started_at"] for burst in change["live"] or change["replay"]),
        held=view.held,
        live=sides(change["live"], view.live, live=True),
        replay=sides(change["replay"], view.replay, live=False),
        frames=list(view.frames),
        hidden=view.hidden,
    )


def _address(assessed: AssessedContent) -> Thumbnail:
    """The browser loads a picture when it comes into view, with the rights of the account."""
    return Thumbnail(f"/pictures/{assessed.image_id}/thumb.jpg")
