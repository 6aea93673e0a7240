"""Two reviewers who have to agree on who a burst shows."""

from typing import Any

import pytest
from hypothesis import given

from tests.unit.uncia.camtrap.individual_decisions import crop, decide, logs, merge, new, place, undo
from uncia.camtrap.individuals import RegistryState, fold
from uncia.events import IndividualDecided, IndividualDecision, SightingStatus

A, B = "ind-a", "ind-b"
ONE, TWO = "aigul", "berik"


def known(individual: str, burst: str) -> list[IndividualDecided]:
    """An individual that two people created."""
    return [new(0, individual, burst, reviewer=name) for name in (ONE, TWO)]


KNOWN = [*known(A, "bst-0"), *known(B, "bst-1")]


def says(minute: int, reviewer: str, decision: IndividualDecision, individual: str | None = None, *crops: str) -> Any:
    """What a reviewer says of burst 2."""
    return decide(
        minute,
        decision,
        reviewer=reviewer,
        individual_id=individual,
        taxon="Panthera uncia" if decision is IndividualDecision.NEW else None,
        crops=tuple(crop(name) for name in crops or ("crp-1",)),
        **place("bst-2"),
    )


def folded(*decisions: IndividualDecided) -> RegistryState:
    return fold([*KNOWN, *decisions], reviewers=2)


SAME, NEW, UNSURE, REJECT, DIFFERENT = (
    IndividualDecision.SAME,
    IndividualDecision.NEW,
    IndividualDecision.UNSURE,
    IndividualDecision.REJECT,
    IndividualDecision.DIFFERENT,
)


def test_one_reviewer_alone_decides_nothing() -> None:
    state = folded(says(1, ONE, SAME, A))
    assert "bst-2" not in state.bursts
    assert list(state.opinions["bst-2"]) == [ONE]


def test_one_reviewer_who_says_it_twice_is_one_reviewer() -> None:
    assert "bst-2" not in folded(says(1, ONE, SAME, A), says(2, ONE, SAME, A)).bursts


@pytest.mark.parametrize(("decision", "status"), [(SAME, SightingStatus.CONFIRMED), (REJECT, SightingStatus.REJECTED)])
def test_what_two_say_counts(decision: IndividualDecision, status: SightingStatus) -> None:
    individual = A if decision is SAME else None
    state = folded(says(1, ONE, decision, individual), says(2, TWO, decision, individual))
    assert state.bursts["bst-2"].status is status


@pytest.mark.parametrize("other", [says(2, TWO, SAME, B), says(2, TWO, NEW, "ind-c"), says(2, TWO, UNSURE)])
def test_two_who_differ_decide_nothing(other: IndividualDecided) -> None:
    assert "bst-2" not in folded(says(1, ONE, SAME, A), other).bursts


def test_who_changes_their_mind_has_one_opinion() -> None:
    state = folded(says(1, ONE, SAME, A), says(2, TWO, SAME, B), says(3, TWO, SAME, A))
    assert state.bursts["bst-2"].individuals == (A,)


def test_an_undo_takes_the_agreement_back() -> None:
    second = says(2, TWO, SAME, A)
    assert "bst-2" not in folded(says(1, ONE, SAME, A), second, undo(3, second)).bursts


def test_two_names_of_one_individual_agree() -> None:
    state = folded(merge(0, A, B), says(1, ONE, SAME, A), says(2, TWO, SAME, B))
    assert state.bursts["bst-2"].individuals == (B,)


def test_of_two_new_individuals_for_one_burst_the_first_stands_for_both() -> None:
    again = [
        decide(minute, SAME, reviewer=name, individual_id="ind-d", crops=(crop("crp-9"),), **place("bst-3"))
        for minute, name in ((3, ONE), (4, TWO))
    ]
    state = folded(says(1, ONE, NEW, "ind-c"), says(2, TWO, NEW, "ind-d"), *again)
    assert "ind-d" not in state.individuals
    assert {one.burst_id for one in state.individuals["ind-c"].sightings} == {"bst-2", "bst-3"}


def test_crops_on_which_they_differ_are_left_out() -> None:
    state = folded(
        says(1, ONE, SAME, A, "crp-1", "crp-2"), says(2, TWO, SAME, A, "crp-1"), says(3, TWO, SAME, B, "crp-2")
    )
    assert [one.crop_id for one in state.bursts["bst-2"].crops] == ["crp-1"]


def test_both_have_to_rule_a_candidate_out() -> None:
    first = says(1, ONE, DIFFERENT, A)
    assert not folded(first).different
    assert folded(first, says(2, TWO, DIFFERENT, A)).different == {"bst-2": {A}}


def test_an_imported_sighting_counts_at_once() -> None:
    imported = says(1, ONE, SAME, A).model_copy(update={"source": "wildbook"})
    assert folded(imported).bursts["bst-2"].individuals == (A,)


@given(logs())
def test_one_of_one_agrees(log: list[IndividualDecided]) -> None:
    assert fold(log, reviewers=1) == fold(log)
    assert not fold(log, reviewers=2).bursts
