"""Look-alikes: the crops of a list of bursts, similar ones side by side, to decide on them all at one glance."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from uncia.dashboard.bursts.similarity import order_by_similarity
from uncia.dashboard.catalogue.embeddings import EMBEDDING_SIZE, unpack_embeddings
from uncia.dashboard.catalogue.look_alikes import LookAlike
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.burst_view import BurstView, burst_view
from uncia.dashboard.web.context import Reviewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.species_keys import SpeciesKey, species_keys

router = APIRouter(tags=["review"])

_PAGE = 240
"""Sorting takes about 20 ms, and a large screen shows most of it."""


class AlikeBurst(BaseModel):
    """One burst, with the picture by which it is compared."""

    burst: BurstView
    name: str
    """What accepting it confirms, without the number of individuals; empty without a verdict."""
    crop: str | None
    """Address of its published crop; None: show `box` of the frame `cover` of the burst."""
    box: list[float] | None
    """Position and size of the best crop in that frame, as shares; None: show all of the frame."""
    odd: bool
    """It is unlike all others of this page."""
    compared: bool
    """It has a crop that a model has classified; the others come last, in the order of the list."""
    acceptable: bool
    """It has a verdict to accept."""


class AlikeTaxon(BaseModel):
    """A taxon that the filters allow."""

    taxon: str
    label: str
    bursts: int


class AlikePage(BaseModel):
    """One page of a list of bursts, in the order of their similarity: odd ones, look-alikes, those without a crop."""

    query: BurstQuery
    bursts: list[AlikeBurst]
    names: dict[str, int]
    """How many bursts of this page have each verdict, the most frequent first."""
    taxa: list[AlikeTaxon]
    """What the list can be limited to."""
    total: int
    """Number of bursts that the filters allow."""
    species: list[SpeciesKey]
    """What the reviewer can call the selected bursts by one key."""
    after: str | None
    """`after` of the next page; None: this is the last."""


@page(router, "/alike", "alike.html.j2")
def show_alike(context: Reviewing, query: Annotated[BurstQuery, Query()]) -> AlikePage:
    """Bursts by the filters of the query, similar ones side by side; without a filter by review, those without one."""
    query = query.model_copy(update={"reviewed": query.reviewed or "no"})
    catalogue, stations, chosen = context.services.catalogue, context.caller.stations, query.to_filter()
    found = catalogue.look_alikes(chosen, query.order, _PAGE, query.after, stations)
    bursts = arranged(found.bursts)
    facets = catalogue.facets(chosen, stations)
    return AlikePage(
        query=query,
        bursts=bursts,
        names=dict(Counter(one.name for one in bursts).most_common()),
        taxa=[AlikeTaxon(taxon=one.taxon, label=one.label, bursts=one.own) for one in facets.taxon if one.own],
        total=facets.total,
        species=species_keys(context),
        after=found.after,
    )


def arranged(found: tuple[LookAlike, ...]) -> list[AlikeBurst]:
    """The bursts in the order of the page."""
    compared = [one for one in found if one.embedding is not None and len(one.embedding) == EMBEDDING_SIZE]
    vectors = unpack_embeddings([one.embedding or b"" for one in compared])
    similar = order_by_similarity(vectors, [one.burst.burst_id for one in compared])
    with_vector = {one.burst.burst_id for one in compared}
    return [
        *(_view(compared[at], odd=at in similar.odd, compared=True) for at in similar.order),
        *(_view(one, odd=False, compared=False) for one in found if one.burst.burst_id not in with_vector),
    ]


def _box_in_cover(row: BurstRow) -> list[float] | None:
    shown = row.best_crop is not None and row.cover is not None and row.cover.image_id == row.best_crop["image_id"]
    return [float(value) for value in row.best_crop["box"]] if row.best_crop and shown else None


def _view(one: LookAlike, *, odd: bool, compared: bool) -> AlikeBurst:
    return AlikeBurst(
        burst=burst_view(one.burst),
        name=one.burst.label or one.burst.taxon or one.burst.category or "",
        crop=f"/pictures/crops/{one.crop_id}.jpg" if one.crop_id else None,
        box=_box_in_cover(one.burst),
        odd=odd,
        compared=compared,
        acceptable=one.burst.category is not None and one.burst.status != "superseded",
    )
