"""Which whole photographs a verdict asks for."""

from datetime import UTC, datetime

import pytest

from tests.unit.processors.thin_links.bursts import burst, frame
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import BurstCategory, BurstResolved, BurstReview, BurstStatus, FetchReason, Rejection
from uncia.fetch_requests import fetch_id
from uncia.processors.thin_links.rules import FetchRules, find_reason, requests_of_rules, wanted_taxa

NOW = datetime(2026, 3, 14, tzinfo=UTC)
TAXONOMY = Taxonomy.load()
CATS = FetchRules(wanted_taxa(("Felidae",), TAXONOMY), uncertain=False, frames=1)
UNCERTAIN = FetchRules(wanted_taxa((), TAXONOMY), uncertain=True, frames=1)


def keys(event: BurstResolved, rules: FetchRules) -> list[str]:
    return [request.key for request in requests_of_rules(event, rules, NOW)]


def test_a_taxon_below_a_wanted_one_is_wanted() -> None:
    (request,) = requests_of_rules(burst(frame(1), taxon="Panthera uncia"), CATS, NOW)
    assert request.reason is FetchReason.TAXON
    assert request.fetch_id == fetch_id(frame(1).key)


def test_other_taxa_are_not_wanted() -> None:
    assert find_reason(burst(frame(1), taxon="Vulpes vulpes"), CATS) is None


def test_an_uncertain_animal_is_wanted_where_that_is_set() -> None:
    event = burst(frame(1), taxon="Vulpes vulpes", certain=False)
    assert find_reason(event, UNCERTAIN) is FetchReason.UNCERTAIN
    assert find_reason(event, CATS) is None


@pytest.mark.parametrize("category", [BurstCategory.BLANK, BurstCategory.PERSON, BurstCategory.VEHICLE])
def test_what_is_no_animal_is_not_wanted(category: BurstCategory) -> None:
    event = burst(frame(1), taxon="Panthera uncia", certain=False, category=category)
    assert find_reason(event, CATS) is None
    assert find_reason(event, UNCERTAIN) is None


@pytest.mark.parametrize("status", [BurstStatus.PROVISIONAL, BurstStatus.SUPERSEDED])
def test_only_settled_bursts_request(status: BurstStatus) -> None:
    assert find_reason(burst(frame(1), taxon="Panthera uncia", status=status), CATS) is None


@pytest.mark.parametrize(("taxon", "reason"), [("Lynx lynx", FetchReason.TAXON), ("Vulpes vulpes", None)])
def test_a_review_counts_instead_of_the_verdict(taxon: str, reason: FetchReason | None) -> None:
    review = BurstReview(review_id="rev-1", reviewer="a", decision="correct", taxon=taxon, reviewed_at=NOW)
    assert find_reason(burst(frame(1), taxon="Panthera uncia", review=review), CATS) is reason


def test_the_frames_that_decided_come_first_then_the_highest_scores() -> None:
    rules = FetchRules(CATS.is_wanted, uncertain=False, frames=2)
    event = burst(frame(1, score=0.2), frame(2, score=0.9), frame(3, deciding=True), taxon="Panthera uncia")
    assert keys(event, rules) == [frame(3).key, frame(2).key]


def test_whole_photographs_that_arrived_are_not_requested_again() -> None:
    assert keys(burst(frame(1, whole=True), frame(2), taxon="Panthera uncia"), CATS) == []


def test_photographs_of_other_gateways_and_unreadable_thumbnails_are_not_requested() -> None:
    rejected = frame(2, rejection=Rejection(reason="image-empty", message=""))
    assert keys(burst(rejected, taxon="Panthera uncia"), CATS) == []


def test_an_unknown_taxon_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="Felis ignota"):
        wanted_taxa(("Felis ignota",), TAXONOMY)
