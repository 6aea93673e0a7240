"""Export: the bursts of a list, as a file in the format of another program."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from uncia.dashboard.catalogue.filters import BurstOrder
from uncia.dashboard.exports.formats import SINGLE_FILES, ExportFormat, ExportOptions
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.context import Viewing
from uncia.dashboard.web.downloads import Download, DownloadRefused
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT

router = APIRouter(tags=["exports"])

_RETRY_S = 30
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {}, "application/json": {}}},
    429: {"description": "as many exports run as may at once, or the account has one already"},
}


class ExportLink(BaseModel):
    """A format, and the address that downloads it."""

    format: ExportFormat
    is_archive: bool
    """Whether it is a ZIP archive; otherwise it is one JSON file."""
    href: str


class ExportPage(BaseModel):
    """What can be exported of the bursts that the query allows."""

    query: BurstQuery
    bursts: int
    filters: list[tuple[str, str]]
    """Name and value of each filter that is set."""
    formats: list[ExportLink]
    may_have_exact_positions: bool


class ExportQuery(BurstQuery):
    """The bursts of an export, and its choices."""

    exact: bool = Field(default=False, description="exact positions; needs the role ranger, operator or admin")
    title: str = Field(default="", max_length=200, description="title of the dataset (camtrap-dp, coco)")
    box_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="leave out boxes below this score; default: 0.2, megadetector and timelapse 0.05",
    )


class DownloadResponse(StreamingResponse):
    """Sends an export while it is written, and ends it when the browser goes away."""

    def __init__(self, download: Download, name: str) -> None:
        self._download = download
        kind = "application/zip" if download.is_archive else "application/json"
        # A proxy that collects a response before it forwards it would let the browser wait for all of it.
        headers = {"content-disposition": f'attachment; filename="{name}"', "x-accel-buffering": "no"}
        super().__init__(download.content(), media_type=kind, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. What fails in the middle cuts the connection, so that the browser reports a failed download."""
        with self._download:
            await super().__call__(scope, receive, send)


@page(router, "/export", "export.html.j2")
def show_export(context: Viewing, query: Annotated[BurstQuery, Query()]) -> ExportPage:
    """The number of bursts that the query allows, and an address for each format."""
    facets = context.services.catalogue.facets(query.to_filter(), context.caller.stations)
    set_filters = query.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"order": True, "after": True}
    )
    return ExportPage(
        query=query,
        bursts=facets.total,
        filters=[
            (name, str(one))
            for name, value in set_filters.items()
            for one in (value if isinstance(value, list) else [value])
        ],
        formats=[
            ExportLink(
                format=kind,
                is_archive=kind not in SINGLE_FILES,
                href=query.address(f"/export/{kind.value}", after=None, order=BurstOrder.NEWEST),
            )
            for kind in ExportFormat
        ],
        may_have_exact_positions=context.caller.may(Right.EXACT_POSITIONS),
    )


@router.get("/export/{kind}", response_class=Response, responses=_BINARY)
def download(context: Viewing, kind: ExportFormat, query: Annotated[ExportQuery, Query()]) -> Response:
    """The bursts that the query allows, of the stations that the account may see: a ZIP archive, or one JSON file."""
    if query.exact and not context.caller.may(Right.EXACT_POSITIONS):
        raise HTTPException(403, TEXT["export.positions.refused"])
    options = ExportOptions(
        exact_positions=query.exact,
        box_score=query.box_score,
        serial_pseudonym=context.services.serial_pseudonym,
    )
    if query.title.strip():
        options = replace(options, title=query.title.strip())
    try:
        started = context.services.downloads.start(context.caller, kind, query.to_filter(), options)
    except DownloadRefused as error:
        raise HTTPException(429, TEXT["export.busy"], {"retry-after": str(_RETRY_S)}) from error
    if query.exact:
        context.services.audit.record("positions_exported", context.caller.name, kind.value)
    return DownloadResponse(started, _file_name(kind, started))


def _file_name(kind: ExportFormat, started: Download) -> str:
    ending = "zip" if started.is_archive else "json"
    return f"uncia-{kind.value}-{datetime.now(UTC):%Y-%m-%d}.{ending}"
