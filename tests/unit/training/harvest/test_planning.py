"""Which searches a plan makes, and how names are resolved."""

from typing import Any

import pytest

from tests.unit.processors.delivery.http_receiver import Answer
from tests.unit.training.harvest.public_sources import as_json, serving
from tests.unit.uncia.polite_http.test_client import client
from uncia.camtrap.taxonomy import Taxonomy
from uncia.training.harvest import HarvestError
from uncia.training.harvest.query import HarvestPlan, QueryKind, TargetTaxon, plan_queries, random_words
from uncia.training.harvest.taxon_names import TaxonRequest, names_in, parse_taxon, resolve_taxon

LEOPARD = TargetTaxon("Panthera uncia", "snow leopard", ("Uncia uncia",), ("snow leopard",), 5219426)


def plan(*sources: str, **changes: Any) -> HarvestPlan:
    values: dict[str, Any] = {"per_taxon": 100, "negatives": 0, **changes}
    return HarvestPlan((LEOPARD,), sources, **values)


def test_text_searches_are_made_for_synonyms_too() -> None:
    queries = plan_queries(plan("wikimedia-commons"))
    assert [query.text for query in queries] == ["Panthera uncia", "Uncia uncia"]


def test_the_pictures_of_a_taxon_are_shared_among_the_sources() -> None:
    assert {query.wanted for query in plan_queries(plan("inaturalist", "gbif"))} == {50}


def test_positives_are_searched_before_negatives() -> None:
    queries = plan_queries(plan("wikimedia-commons", negatives=40, habitats=("scree",), words=("piano", "bridge")))
    kinds = [query.kind for query in queries]
    assert kinds == sorted(kinds, key=list(QueryKind).index)
    assert [query.wanted for query in queries if query.kind is QueryKind.RANDOM] == [10, 10]


def test_negatives_need_a_source_that_has_any() -> None:
    with pytest.raises(HarvestError, match="wikimedia-commons"):
        plan_queries(plan("inaturalist", negatives=10, habitats=("scree",)))


def test_the_same_seed_gives_the_same_words() -> None:
    words = [f"word{number}" for number in range(100)]
    assert random_words(words, 5, 1) == random_words(words, 5, 1) != random_words(words, 5, 2)


def test_the_words_are_things() -> None:
    from uncia.training.harvest.word_list import thing_words

    words = thing_words()
    assert "grand piano" in words
    assert not {"snow leopard", "tabby", "hen"} & set(words)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("Panthera uncia", TaxonRequest("Panthera uncia")),
        ("Panthera uncia|Uncia uncia=ounce", TaxonRequest("Panthera uncia", ("Uncia uncia",), "ounce")),
    ],
)
def test_a_taxon_is_written_with_synonyms_and_a_label(text: str, request_: TaxonRequest) -> None:
    assert parse_taxon(text) == request_


def gbif(path: str, query: dict[str, str]) -> Answer | None:
    if path == "/species/match":
        return as_json(
            {
                "Uncia uncia": {"matchType": "EXACT", "usageKey": 9, "acceptedUsageKey": 5219426, "status": "SYNONYM"},
                "Panthera uncia": {"matchType": "EXACT", "usageKey": 5219426, "status": "ACCEPTED"},
                "Pantera unsia": {"matchType": "FUZZY", "usageKey": 5219426, "canonicalName": "Panthera uncia"},
            }.get(query["name"], {"matchType": "HIGHERRANK", "usageKey": 1, "canonicalName": "Animalia"})
        )
    if path == "/species/5219426":
        return as_json({"key": 5219426, "canonicalName": "Panthera uncia", "rank": "SPECIES"})
    if path == "/species/5219426/synonyms":
        return as_json(
            {"endOfRecords": True, "results": [{"canonicalName": "Uncia uncia"}, {"canonicalName": "Felis irbis"}]}
        )
    return None


def resolve(name: str) -> TargetTaxon:
    with serving(gbif) as server:
        return resolve_taxon(TaxonRequest(name), Taxonomy.load(), client(server.url), server.url)


@pytest.mark.parametrize("name", ["Panthera uncia", "Uncia uncia", "snow leopard"])
def test_a_synonym_and_a_common_name_lead_to_the_accepted_name(name: str) -> None:
    found = resolve(name)
    assert (found.name, found.gbif_key) == ("Panthera uncia", 5219426)
    assert {"Uncia uncia", "Felis irbis"} <= set(found.names)


def test_a_name_in_another_spelling_is_refused_with_the_right_one() -> None:
    with pytest.raises(HarvestError, match="did you mean 'Panthera uncia'"):
        resolve("Pantera unsia")


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(HarvestError, match="neither"):
        resolve("Nessiteras rhombopteryx")


@pytest.mark.parametrize(
    ("text", "found"),
    [("An ounce of prevention", True), ("Announced", False), ("PANTHERA_UNCIA.jpg", True), ("", False)],
)
def test_names_are_found_as_whole_words(text: str, found: bool) -> None:
    assert names_in(text, ["ounce", "Panthera uncia"]) is found
