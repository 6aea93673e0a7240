"""What the public sees of a verdict, and what it never sees."""

from datetime import datetime
from typing import Any

import pytest

from tests.unit.processors.redact.simulated import burst, cell_of_cameras, deployment, known, review
from uncia.camtrap.public_view import public_view
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.events import (
    BurstCategory,
    BurstStatus,
    FurtherObservation,
    PublicBurstResolved,
    ReviewDecision,
    Sensitivity,
    TaxonVerdict,
)

TAXA = SensitiveTaxa.load()
ANIMAL = BurstCategory.ANIMAL


def also(taxon: str | None = None, label: str | None = None, category: BurstCategory = ANIMAL) -> FurtherObservation:
    return FurtherObservation(category=category, taxon=taxon, label=label)


def seen(level: Sensitivity = Sensitivity.MEDIUM, cameras: int = 3, **values: Any) -> PublicBurstResolved | None:
    return public_view(burst(**values), known(*cell_of_cameras(cameras, level)), TAXA)


def test_an_animal_is_seen_with_its_day_and_cell() -> None:
    event = seen()
    assert event is not None
    assert (event.taxon, event.rank, event.period) == ("Capra sibirica", "species", "2026-01-04")
    assert (event.latitude, event.longitude, event.precision) == (42.12, 75.99, 0.01)
    assert event.coordinate_uncertainty_m == 2 * 790


@pytest.mark.parametrize(
    "values",
    [
        {"category": BurstCategory.PERSON},
        {"category": BurstCategory.VEHICLE},
        {"category": BurstCategory.BLANK},
        {"category": None},
        {"status": BurstStatus.PROVISIONAL},
        {"status": BurstStatus.SUPERSEDED},
        {"taxon": "Panthera uncia"},
        {"taxon": "Panthera uncia", "certain": False},
        {"taxon": "Panthera"},
        {"review": review(ReviewDecision.CORRECT, "Panthera uncia")},
        {"review": review(ReviewDecision.CORRECT, category=BurstCategory.PERSON)},
        {
            "review": review(
                ReviewDecision.CORRECT, "Capra sibirica", ANIMAL, also("Vulpes vulpes"), also("Panthera uncia")
            )
        },
        {
            "review": review(
                ReviewDecision.CORRECT, "Capra sibirica", ANIMAL, also(label=TAXA.taxonomy.label("Panthera uncia"))
            )
        },
        {"review": review(ReviewDecision.CORRECT, "Capra sibirica", ANIMAL, also(category=BurstCategory.PERSON))},
        {"review": review(ReviewDecision.CORRECT, "Capra sibirica", ANIMAL, also(category=BurstCategory.VEHICLE))},
        {"review": review(ReviewDecision.BLANK, category=None)},
        {"review": review(ReviewDecision.UNKNOWN, category=None)},
        {"at": datetime(2000, 1, 1)},
    ],
    ids=str,
)
def test_it_is_not_for_the_public(values: dict[str, Any]) -> None:
    if "at" in values:
        shown = burst(**values).model_copy(update={"closed_at": burst().closed_at})
        assert public_view(shown, known(*cell_of_cameras(3)), TAXA) is None
    else:
        assert seen(**values) is None


def test_a_person_in_an_animals_burst_keeps_it_from_the_public() -> None:
    verdict = burst().model_copy(update={"crops_withheld": True})
    assert public_view(verdict, known(*cell_of_cameras(3)), TAXA) is None


def test_what_is_not_certain_is_an_animal_somewhere_in_a_week() -> None:
    event = seen(taxon="Sus scrofa", certain=False)
    assert event is not None
    assert (event.taxon, event.period, event.precision) == ("Animalia", "2026-W01", 0.1)


@pytest.mark.parametrize(("taxon", "precision"), [("Vulpes vulpes", 0.01), ("Felidae", 0.1), (None, 0.1)])
def test_the_strictest_of_all_observations_of_a_review_counts(taxon: str | None, precision: float) -> None:
    event = seen(review=review(ReviewDecision.CORRECT, "Capra sibirica", ANIMAL, also(taxon)))
    assert event is not None
    assert (event.taxon, event.precision) == ("Capra sibirica", precision)


def test_a_certain_higher_taxon_beside_the_verdict_makes_the_place_coarser() -> None:
    ibex = burst()
    cat = TaxonVerdict(taxon="Felidae", label="Felidae", group="animal", score=0.9, confidence=0.9, certain=True)
    event = public_view(ibex.model_copy(update={"taxa": (*ibex.taxa, cat)}), known(*cell_of_cameras(3)), TAXA)
    assert event is not None
    assert (event.taxon, event.precision) == ("Capra sibirica", 0.1)


def test_a_reviewers_own_words_are_not_published() -> None:
    event = seen(review=review(ReviewDecision.CORRECT, "the fox of cam-0"))
    assert event is not None
    assert event.taxon == "Animalia"
    assert b"cam-0" not in event.to_bytes()


@pytest.mark.parametrize(
    ("level", "precision"),
    [("none", 0.01), ("low", 0.01), ("medium", 0.01), ("high", 0.1), ("extreme", None)],
)
def test_no_place_is_finer_than_its_deployment_allows(level: str, precision: float | None) -> None:
    # The three cameras are in different cells of 0.001 degrees, and in one of 0.01.
    event = seen(Sensitivity(level))
    assert event is not None
    assert event.precision == precision
    assert (event.latitude is None) == (precision is None)


def test_a_sensitive_taxon_makes_place_and_time_coarser() -> None:
    event = seen(taxon="Panthera pardus")
    assert event is not None
    assert (event.precision, event.period) == (0.1, "2026-W01")


def test_a_cell_with_few_cameras_has_no_place() -> None:
    event = seen(cameras=2)
    assert event is not None
    assert (event.latitude, event.longitude, event.precision) == (None, None, None)


def test_a_lonely_camera_is_shown_in_a_cell_with_others() -> None:
    lonely = deployment("ridge/far", 42.0871, 76.0263)
    event = public_view(burst(camera="ridge/far"), known(*cell_of_cameras(3), lonely), TAXA)
    assert event is not None
    assert event.precision == 0.1


def test_cameras_of_one_cell_look_the_same() -> None:
    deployments = known(*cell_of_cameras(3))
    events = {
        event.to_bytes()
        for number in range(3)
        if (event := public_view(burst(camera=f"ridge/cam-{number}"), deployments, TAXA))
    }
    assert len(events) == 1


def test_a_camera_without_a_deployment_has_no_place() -> None:
    event = public_view(burst(), known(), TAXA)
    assert event is not None
    assert (event.latitude, event.period) == (None, "2026-W01")


@pytest.mark.parametrize(
    "values",
    [
        {"taxon": "Homo sapiens"},
        {"taxon": "Homo"},
        {"review": review(ReviewDecision.CORRECT, "Homo sapiens")},
    ],
    ids=str,
)
def test_a_person_that_is_called_an_animal_is_not_for_the_public(values: dict[str, Any]) -> None:
    assert seen(**values) is None


def test_a_second_taxon_that_is_a_person_keeps_the_burst_from_the_public() -> None:
    animal = burst()
    person = animal.taxa[0].model_copy(update={"taxon": "Homo sapiens", "label": "person", "certain": True})
    verdict = animal.model_copy(update={"taxa": (*animal.taxa, person)})
    assert public_view(verdict, known(*cell_of_cameras(3)), TAXA) is None
