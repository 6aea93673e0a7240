"""What each source's page holds, and what a page of another form does."""

from typing import Any

import pytest

from tests.unit.training.harvest.public_sources import (
    commons_page,
    gbif_medium,
    gbif_page,
    inaturalist_page,
    inaturalist_photo,
    openverse_page,
)
from uncia.polite_http.client import FetchFailed
from uncia.training.harvest.query import Query, QueryKind
from uncia.training.harvest.sources.gbif import Gbif
from uncia.training.harvest.sources.inaturalist import INaturalist
from uncia.training.harvest.sources.openverse import Openverse
from uncia.training.harvest.sources.page import SourceApi
from uncia.training.harvest.sources.wikimedia_commons import WikimediaCommons

SOURCES: tuple[SourceApi, ...] = (INaturalist(), Gbif(), WikimediaCommons(), Openverse())
PICTURE = "https://pictures.example/1.jpg"


def query(source: str = "inaturalist", text: str = "Panthera uncia") -> Query:
    return Query(QueryKind.POSITIVE, source, "snow leopard", text, 10, "Panthera uncia", 5219426)


def test_inaturalist_photographs_have_author_licence_and_observation() -> None:
    page = INaturalist().parse(inaturalist_page(inaturalist_photo(3, "https://x/photos/3/square.jpg")), query(), "")
    (record,) = page.records
    assert record.url == "https://x/photos/3/large.jpg"
    assert (record.author, record.licence_text, record.burst) == ("Ada", "cc-by", "inaturalist-1")
    assert record.page_url == "https://www.inaturalist.org/observations/1"


def test_inaturalist_photographs_without_a_licence_stay_in_the_page_to_be_counted() -> None:
    page = INaturalist().parse(inaturalist_page(inaturalist_photo(3, "https://x/square.jpg", None)), query(), "")
    assert page.records[0].licence_text == ""


def test_inaturalist_pages_follow_by_the_last_id() -> None:
    document = inaturalist_page(inaturalist_photo(3, "https://x/square.jpg"))
    document["results"] = [{**document["results"][0], "id": number} for number in range(1, 201)]
    assert INaturalist().parse(document, query(), "").next_cursor == "200"
    assert "id_above=200" in INaturalist().page_url(query(), ("cc-by",), "200")


def test_gbif_takes_the_licence_of_the_picture_and_not_of_the_occurrence() -> None:
    page = Gbif().parse(gbif_page(gbif_medium(PICTURE, None)), query("gbif"), "")
    assert page.records[0].licence is None


def test_gbif_pages_follow_until_it_says_that_they_end() -> None:
    medium = gbif_medium(PICTURE, "http://creativecommons.org/licenses/by/4.0/")
    assert Gbif().parse(gbif_page(medium, end=False), query("gbif"), "").next_cursor == "300"
    assert Gbif().parse(gbif_page(medium), query("gbif"), "300").next_cursor is None


def test_commons_artists_are_text_without_markup() -> None:
    (record,) = WikimediaCommons().parse(commons_page(PICTURE), query("wikimedia-commons"), "").records
    assert record.author == "Cy"
    assert record.licence is not None and record.licence.name == "CC BY-SA 3.0"


def test_commons_under_load_is_a_failure_that_passes() -> None:
    error = {"error": {"code": "maxlag", "info": "Waiting for a database server: 6 seconds lagged."}}
    with pytest.raises(FetchFailed) as caught:
        WikimediaCommons().parse(error, query("wikimedia-commons"), "")
    assert caught.value.temporary


def test_openverse_states_its_licence_by_code_and_version() -> None:
    (record,) = Openverse().parse(openverse_page(PICTURE), query("openverse"), "").records
    assert record.licence is not None and record.licence.name == "CC BY-SA 2.0"


def test_openverse_is_never_asked_for_more_than_twenty_pages() -> None:
    document = {**openverse_page(PICTURE), "page_count": 500}
    assert Openverse().parse(document, query("openverse"), "19").next_cursor == "20"
    assert Openverse().parse(document, query("openverse"), "20").next_cursor is None


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("document", [[], "text", 3, None])
def test_json_of_another_form_is_refused(source: SourceApi, document: Any) -> None:
    with pytest.raises(FetchFailed):
        source.parse(document, query(source.name), "")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize(
    "document", [{}, {"results": None, "query": []}, {"results": [None, 3, {}], "query": {"pages": 3}}]
)
def test_a_page_without_results_ends_the_search(source: SourceApi, document: Any) -> None:
    page = source.parse(document, query(source.name), "")
    assert page.records == ()
    assert page.next_cursor is None
