"""Browse: a grid of bursts, cut by filters that are in the address, with the number of bursts for each choice."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import Facets, RangeCounts
from uncia.dashboard.web.accounts.views import SavedView
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.burst_view import BurstView, burst_view
from uncia.dashboard.web.context import ViewerChanges, Viewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.range_choices import RangeChoice, confidence_choices, date_choices, hour_choices

router = APIRouter(tags=["bursts"])

_PAGE = 48


class BrowsePage(BaseModel):
    """One page of a list of bursts."""

    query: BurstQuery
    bursts: list[BurstView]
    after: str | None
    """`after` of the next page; None: this is the last."""
    facets: Facets | None
    """How many bursts there are for each choice; only with the first page."""
    views: list[SavedView]
    """The saved views of the account; only with the first page."""

    def date_choices(self) -> list[RangeChoice]:
        """Links for the page; none where ranges are not counted."""
        return date_choices(self.query, self._ranges) if self._ranges else []

    def hour_choices(self) -> list[RangeChoice]:
        """Likewise."""
        return hour_choices(self.query, self._ranges) if self._ranges else []

    def confidence_choices(self) -> list[RangeChoice]:
        """Likewise."""
        return confidence_choices(self.query, self._ranges) if self._ranges else []

    @property
    def _ranges(self) -> RangeCounts | None:
        return self.facets.ranges if self.facets else None


@page(router, "/browse", "browse.html.j2", fragment="browse_part.html.j2")
def show_browse(context: Viewing, query: Annotated[BurstQuery, Query()]) -> BrowsePage:
    """Bursts by the filters of the query."""
    services, stations, chosen = context.services, context.caller.stations, query.to_filter()
    found = services.catalogue.bursts(chosen, query.order, _PAGE, query.after, stations)
    first = query.after is None
    return BrowsePage(
        query=query,
        bursts=[burst_view(row) for row in found.rows],
        after=found.after,
        facets=services.catalogue.facets(chosen, stations) if first else None,
        views=services.views.all(context.caller.account_id) if first else [],
    )


@router.post("/views", include_in_schema=False)
def save_view(context: ViewerChanges, name: Annotated[str, Form()], query: Annotated[str, Form()] = "") -> Response:
    """Save the filters of a page under a name; the same name replaces them."""
    context.services.views.save(context.caller.account_id, name.strip(), query)
    return RedirectResponse(f"/browse?{query}" if query else "/browse", status_code=303)


@router.post("/views/{view_id}/delete", include_in_schema=False)
def delete_view(context: ViewerChanges, view_id: int) -> Response:
    """Delete a saved view."""
    context.services.views.delete(context.caller.account_id, view_id)
    return RedirectResponse("/browse", status_code=303)
