"""Whether a burst matches a rule."""

from datetime import datetime
from typing import Any

import pytest

from tests.unit.processors.alerts.builders import LEOPARD, TAXONOMY, burst, reviewed, rules
from uncia.events import BurstCategory, BurstResolved, BurstStatus, FurtherObservation, ReviewDecision
from uncia.processors.alerts.rules import Rule, match, shown


def matches(rule: Rule, event: BurstResolved) -> bool:
    return match(rule, event, shown(event, TAXONOMY)) is not None


@pytest.mark.parametrize("taxon", [LEOPARD, "Felidae", "Mammalia"])
def test_a_taxon_includes_everything_below_it(taxon: str) -> None:
    assert matches(Rule("r", taxa=(taxon,)), burst())


def test_another_taxon_does_not_match() -> None:
    assert not matches(Rule("r", taxa=("Canidae",)), burst())


def test_every_taxon_of_the_burst_counts_and_not_the_verdict_alone() -> None:
    both = burst(taxon="Capra sibirica")
    both = both.model_copy(update={"taxa": (*both.taxa, *burst().taxa)})
    assert matches(Rule("r", taxa=(LEOPARD,)), both)


def test_a_taxon_below_its_threshold_matches_only_where_the_rule_says_so() -> None:
    unsure = burst(certain=False)
    assert not matches(Rule("r", taxa=(LEOPARD,)), unsure)
    assert matches(Rule("r", taxa=(LEOPARD,), uncertain=True), unsure)


@pytest.mark.parametrize(("confidence", "found"), [(0.9, True), (0.8, True), (0.79, False), (None, False)])
def test_a_confidence_is_reached_or_not(confidence: float | None, found: bool) -> None:
    assert matches(Rule("r", taxa=(LEOPARD,), min_confidence=0.8), burst(confidence=confidence)) is found


@pytest.mark.parametrize(("probability", "found"), [(0.9, True), (0.5, False), (None, False)])
def test_the_confidence_of_a_category_is_that_of_an_animal(probability: float | None, found: bool) -> None:
    rule = Rule("r", category=BurstCategory.ANIMAL, min_confidence=0.8)
    assert matches(rule, burst(animal_probability=probability)) is found


def test_a_person_is_no_taxon() -> None:
    person = burst(category=BurstCategory.PERSON)
    assert not matches(Rule("r", taxa=(LEOPARD,)), person)
    assert matches(Rule("r", category=BurstCategory.PERSON), person)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"stations": ("ridge",)}, True),
        ({"stations": ("valley", "rid*")}, True),
        ({"stations": ("valley",)}, False),
        ({"cameras": ("ridge/north",)}, True),
        ({"cameras": ("*/north",)}, True),
        ({"cameras": ("north",)}, False),
        ({"stations": ("r.dge",)}, False),
        ({"hours": (20 * 60, 5 * 60)}, True),
        ({"hours": (6 * 60, 18 * 60)}, False),
        ({"hours": (21 * 60 + 30, 22 * 60)}, True),
        ({"hours": (21 * 60, 21 * 60 + 30)}, False),
        ({"min_count": 2}, False),
    ],
)
def test_places_hours_and_counts_limit_a_rule(limits: dict[str, Any], found: bool) -> None:
    assert matches(Rule("r", taxa=(LEOPARD,), **limits), burst()) is found


@pytest.mark.parametrize(("hour", "open_"), [(20, True), (23, True), (0, True), (4, True), (5, False), (12, False)])
def test_hours_may_cross_midnight(hour: int, open_: bool) -> None:
    assert Rule("r", hours=(20 * 60, 5 * 60)).is_open(datetime(2026, 5, 1, hour)) is open_


def test_a_provisional_verdict_matches_only_where_the_rule_says_so() -> None:
    early = burst(status=BurstStatus.PROVISIONAL)
    assert not matches(Rule("r", taxa=(LEOPARD,)), early)
    assert matches(Rule("r", taxa=(LEOPARD,), provisional=True), early)


def test_a_superseded_burst_matches_nothing() -> None:
    assert not matches(Rule("r", taxa=(LEOPARD,), provisional=True), burst(status=BurstStatus.SUPERSEDED))


def test_a_review_decides_whatever_the_models_see() -> None:
    blank = burst(review=reviewed(ReviewDecision.BLANK))
    wolf = burst(review=reviewed(ReviewDecision.CORRECT, BurstCategory.ANIMAL, "Canis lupus"))
    assert not matches(Rule("r", taxa=(LEOPARD,)), blank)
    assert matches(Rule("r", category=BurstCategory.BLANK), blank)
    assert matches(Rule("r", taxa=("Canidae",), min_confidence=0.99), wolf)


def test_all_observations_of_a_review_count() -> None:
    seen = reviewed(ReviewDecision.CORRECT, BurstCategory.ANIMAL, "Canis lupus").model_copy(
        update={
            "further": (
                FurtherObservation(category=BurstCategory.ANIMAL, taxon=LEOPARD),
                FurtherObservation(category=BurstCategory.PERSON),
            )
        }
    )
    index = rules(
        Rule("leopard", taxa=(LEOPARD,)),
        Rule("person", category=BurstCategory.PERSON),
        Rule("vehicle", category=BurstCategory.VEHICLE),
    )
    herd = Rule("herd", taxa=(LEOPARD,), min_count=2)
    event = burst(review=seen.model_copy(update={"count": 6}))
    assert not matches(herd, event), "the count is that of the wolves"
    assert [rule.name for rule, _ in index.matches(event, index.shown(event))] == ["leopard", "person"]


def test_the_index_finds_what_a_comparison_with_every_rule_finds() -> None:
    given = [
        Rule("leopard", taxa=(LEOPARD,)),
        Rule("cats", taxa=("Felidae", "Canidae")),
        Rule("here", category=BurstCategory.ANIMAL, stations=("ridge",)),
        Rule("there", category=BurstCategory.ANIMAL, stations=("valley",)),
        Rule("some", category=BurstCategory.ANIMAL, cameras=("*/north", "x")),
        Rule("person", category=BurstCategory.PERSON),
    ]
    event = burst()
    index = rules(*given)
    found = [rule.name for rule, _ in index.matches(event, index.shown(event))]
    assert found == [rule.name for rule in given if matches(rule, event)] == ["leopard", "cats", "here", "some"]
