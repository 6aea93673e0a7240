"""What is matched, what is published, and what decisions change: without Kafka and without a store."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.processors.identify.builders import NOW, TAXON, burst, crop_of, decided
from tests.unit.uncia.camtrap.individual_decisions import merge, undo
from uncia.camtrap.individuals import RegistryState, fold
from uncia.events import (
    BurstCategory,
    BurstReview,
    BurstStatus,
    IndividualCandidate,
    IndividualCrop,
    IndividualDecided,
    IndividualDecision,
    SightingStatus,
)
from uncia.processors.identify.sighting import (
    NO_CROP,
    PERSON,
    REMOVED,
    SUPERSEDED,
    Entry,
    Match,
    after_crop,
    after_deletion,
    after_publication,
    after_tombstone,
    after_verdict,
    before_describing,
    choose_crops,
    descriptions_to_delete,
    differs,
    next_event,
    taxon_of,
    with_decisions,
)
from uncia.processors.identify.state_store import from_bytes, to_bytes

BURST = burst(1)
OWN = IndividualCrop(crop_id=crop_of(BURST).crop_id, bucket="camera-uploads", key=crop_of(BURST).key)


def marked(taxon: str) -> str | None:
    return taxon if taxon == TAXON else None


def entry_of(found: Any = BURST, known: Entry | None = None) -> Entry | None:
    return after_verdict(known, found, 0, due=100.0, now=50.0, marked=marked)


def begun(**changes: Any) -> Entry:
    found = entry_of()
    assert found is not None
    return Entry(**{**found.__dict__, **changes})


def candidate(individual: str, score: float = 0.8) -> IndividualCandidate:
    return IndividualCandidate(
        individual_id=individual,
        score=score,
        matches=30,
        crop_id=OWN.crop_id,
        reference_crop_id="crp-ref",
        reference_bucket="camera-uploads",
        reference_key="crops/ridge/north/crp-ref.jpg",
    )


def match(*candidates: IndividualCandidate) -> Match:
    return Match((OWN,), candidates, 0.1, True, "none")


def known(*individuals: str) -> RegistryState:
    return fold(
        [
            decided(number, IndividualDecision.NEW, burst(20 + number), each, crop_of(burst(20 + number)))
            for number, each in enumerate(individuals)
        ]
    )


def published(**changes: Any) -> Entry:
    event = next_event(begun(), match(), RegistryState(), NOW)
    assert event is not None
    done = after_publication(begun(**changes), event)
    assert done is not None
    return done


# What is matched


def test_a_burst_of_a_marked_taxon_is_due_when_its_crops_have_settled() -> None:
    assert begun().due == 100.0


@pytest.mark.parametrize(
    "found",
    [
        burst(1, taxon="Vulpes vulpes"),
        burst(1, taxon=None),
        burst(1, category=BurstCategory.BLANK),
        burst(1, crops_withheld=True),
        burst(1, status=BurstStatus.PROVISIONAL),
        burst(1, status=BurstStatus.SUPERSEDED),
    ],
    ids=["another taxon", "no taxon", "blank", "a person", "provisional", "superseded"],
)
def test_any_other_burst_has_no_state(found: Any) -> None:
    assert entry_of(found) is None


def test_a_review_decides_the_taxon() -> None:
    review = BurstReview(
        review_id="rev-1", reviewer="aigul", decision="correct", taxon="Vulpes vulpes", reviewed_at=NOW
    )
    assert taxon_of(burst(1, review=review), marked) is None


def test_an_older_revision_changes_nothing() -> None:
    entry = begun()
    assert entry_of(burst(1, revision=1, crops_withheld=True), entry) is entry


def test_a_person_that_is_found_later_is_due_at_once() -> None:
    after = entry_of(burst(1, revision=3, crops_withheld=True), begun())
    assert after is not None
    assert (after.withdrawn, after.due) == (PERSON, 50.0)


def test_a_burst_whose_person_was_an_error_is_matched_again() -> None:
    after = entry_of(burst(1, revision=4), begun(withdrawn=PERSON, due=None, revision=3))
    assert after is not None
    assert (after.withdrawn, after.due) == (None, 100.0)


@pytest.mark.parametrize(("successor", "reason"), [("bst-2", SUPERSEDED), (None, REMOVED)])
def test_a_burst_is_superseded_where_another_one_has_its_photographs(successor: str | None, reason: str) -> None:
    after = entry_of(burst(1, revision=3, status=BurstStatus.SUPERSEDED, superseded_by=successor), begun())
    assert after is not None
    assert after.withdrawn == reason


def test_a_superseded_burst_that_is_removed_stays_superseded() -> None:
    after = after_tombstone(begun(withdrawn=SUPERSEDED), 60.0)
    assert after is not None
    assert after.withdrawn == SUPERSEDED


def test_a_burst_that_is_removed_and_back_is_another_one() -> None:
    after = entry_of(burst(1, revision=1), after_tombstone(begun(), 60.0))
    assert after is not None
    assert after.withdrawn is None


def test_a_further_crop_moves_the_due_time() -> None:
    after = after_crop(begun(), crop_of(BURST, 2), due=130.0, now=120.0)
    assert after is not None
    assert after.due == 130.0


def test_a_crop_of_a_burst_without_a_state_is_ignored() -> None:
    assert after_crop(None, crop_of(BURST), 1.0, 1.0) is None


def test_a_withdrawn_crop_is_not_chosen_although_it_is_listed() -> None:
    gone = crop_of(BURST, 1, withdrawn="not-selected")
    after = after_crop(begun(), gone, due=130.0, now=120.0)
    assert after is not None
    assert after.due == 120.0
    assert [each.crop_id for each in choose_crops(after, [crop_of(BURST, 1), crop_of(BURST, 2)], 3)] == [
        crop_of(BURST, 2).crop_id
    ]


def test_the_best_crops_are_matched() -> None:
    listed = [crop_of(BURST, number, score=number / 10) for number in range(1, 6)]
    assert [each.score for each in choose_crops(begun(), listed, 3)] == [0.5, 0.4, 0.3]


def test_crops_are_noted_before_they_are_described() -> None:
    assert before_describing(begun(described=("crp-0",)), [crop_of(BURST)]).described == ("crp-0", OWN.crop_id)


def test_crops_that_are_noted_are_not_noted_again() -> None:
    entry = begun(described=(OWN.crop_id,))
    assert before_describing(entry, [crop_of(BURST)]) is entry


@pytest.mark.parametrize(
    ("found", "deleted"),
    [(None, ("crp-9", "crp-1")), (Match(()), ("crp-9", "crp-1")), (Match((OWN,)), ("crp-9",))],
    ids=["nothing is matched", "no crop is left", "there is a match"],
)
def test_all_that_may_be_described_is_deleted_where_nothing_is_matched(
    found: Match | None, deleted: tuple[str, ...]
) -> None:
    assert descriptions_to_delete(begun(described=("crp-1",), gone=("crp-9",)), found) == deleted


def test_what_was_deleted_is_no_longer_noted() -> None:
    assert after_deletion(begun(described=("crp-1", "crp-2")), ("crp-1",)).described == ("crp-2",)


# What is published


def test_a_proposal_has_the_candidates_of_known_individuals() -> None:
    event = next_event(begun(), match(candidate("ind-a")), known("ind-a"), NOW)
    assert event is not None
    assert (event.status, event.revision) == (SightingStatus.PROPOSED, 1)
    assert [each.individual_id for each in event.candidates] == ["ind-a"]


def test_a_burst_without_a_crop_publishes_nothing() -> None:
    assert next_event(begun(), Match(()), RegistryState(), NOW) is None


def test_a_sighting_whose_crops_are_gone_is_withdrawn() -> None:
    event = next_event(published(), Match(()), RegistryState(), NOW)
    assert event is not None
    assert (event.status, event.reason, event.revision) == (SightingStatus.WITHDRAWN, NO_CROP, 2)
    assert (event.crops, event.candidates) == ((), ())


def test_a_withdrawal_tells_nothing_of_a_decision() -> None:
    state = fold([decided(0, IndividualDecision.NEW, BURST, "ind-a", crop_of(BURST))])
    event = next_event(published(withdrawn=PERSON), None, state, NOW)
    assert event is not None
    assert (event.individuals, event.reviewer) == ((), None)


def test_a_sighting_is_withdrawn_once() -> None:
    event = next_event(published(withdrawn=PERSON), None, RegistryState(), NOW)
    done = after_publication(published(withdrawn=PERSON), event)
    assert done is not None
    assert next_event(done, None, RegistryState(), NOW) is None


def test_another_reason_of_a_withdrawal_is_published() -> None:
    withdrawn = next_event(published(), Match(()), RegistryState(), NOW)
    event = next_event(begun(published=withdrawn, withdrawn=SUPERSEDED), None, RegistryState(), NOW)
    assert event is not None
    assert (event.reason, event.revision) == (SUPERSEDED, 3)


def test_a_withdrawn_burst_of_which_nothing_was_published_leaves_no_state() -> None:
    assert after_publication(begun(withdrawn=REMOVED), None) is None


def test_an_individual_that_was_merged_while_it_was_matched_is_the_other_one() -> None:
    decisions = [
        decided(0, IndividualDecision.NEW, burst(20), "ind-a", crop_of(burst(20))),
        decided(1, IndividualDecision.NEW, burst(21), "ind-b", crop_of(burst(21))),
        merge(2, "ind-a", "ind-b"),
    ]
    event = next_event(begun(), match(candidate("ind-a", 0.9), candidate("ind-b", 0.7)), fold(decisions), NOW)
    assert event is not None
    assert [(each.individual_id, each.score) for each in event.candidates] == [("ind-b", 0.9)]


def test_an_individual_that_was_removed_while_it_was_matched_is_no_candidate() -> None:
    event = next_event(begun(), match(candidate("ind-a")), RegistryState(), NOW)
    assert event is not None
    assert event.candidates == ()


def test_a_decision_confirms_the_sighting() -> None:
    new = decided(0, IndividualDecision.NEW, BURST, "ind-a", crop_of(BURST))
    event = next_event(begun(), match(), fold([new]), NOW)
    assert event is not None
    assert (event.status, event.individuals, event.reviewer) == (SightingStatus.CONFIRMED, ("ind-a",), "aigul")


def test_an_undone_decision_leaves_the_proposal() -> None:
    new = decided(0, IndividualDecision.NEW, BURST, "ind-a", crop_of(BURST))
    before = next_event(begun(), match(), RegistryState(), NOW)
    confirmed = next_event(begun(), match(), fold([new]), NOW)
    assert before is not None
    assert confirmed is not None
    assert with_decisions(confirmed, (), fold([new, undo(1, new)])) == before


MERGED = [
    decided(0, IndividualDecision.NEW, burst(20), "ind-a", crop_of(burst(20))),
    decided(1, IndividualDecision.NEW, burst(21), "ind-b", crop_of(burst(21))),
    merge(2, "ind-a", "ind-b"),
]


@pytest.mark.parametrize("undone", [MERGED[0], MERGED[2]], ids=["a removal", "a merger"])
def test_what_is_undone_and_undone_again_leaves_the_candidates_as_matched(undone: IndividualDecided) -> None:
    found = (candidate("ind-a", 0.9), candidate("ind-b", 0.7))
    before = next_event(begun(), match(*found), fold(MERGED[:2]), NOW)
    assert before is not None
    changed = with_decisions(before, found, fold(MERGED if undone is MERGED[2] else [*MERGED[:2], undo(3, undone)]))
    assert len(changed.candidates) == 1
    assert with_decisions(changed, found, fold(MERGED[:2])) == before


def test_the_time_of_publication_alone_is_no_difference() -> None:
    event = next_event(begun(), match(), RegistryState(), NOW)
    assert event is not None
    assert not differs(event.model_copy(update={"revision": 7, "sighted_at": NOW + timedelta(hours=1)}), event)


def test_a_state_is_read_as_it_was_written() -> None:
    entry = published(gone=("crp-9",), described=("crp-1",), found=(candidate("ind-a"),))
    assert from_bytes(entry.burst_id, to_bytes(entry)) == entry


def test_a_damaged_state_begins_anew() -> None:
    assert from_bytes("bst-1", b"\x01damaged") is None
