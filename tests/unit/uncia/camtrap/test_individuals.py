"""The registry of individuals: what each decision does, and the invariants over random logs."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.camtrap.individual_decisions import (
    DECISIONS,
    crop,
    decide,
    logs,
    merge,
    new,
    place,
    rename,
    same,
    split,
    undo,
)
from uncia.camtrap.individuals import IndividualUnknown, Registry, RegistryState, decisions_that_count, fold
from uncia.events import AnimalSide, IndividualDecided, IndividualDecision, SightingStatus

A, B = "ind-a", "ind-b"
FIRST, SECOND = new(0, A, "bst-0"), new(1, B, "bst-1")


def shown(state: RegistryState, individual: str) -> list[str]:
    return [sighting.burst_id for sighting in state.individuals[individual].sightings]


# Any log


@given(logs(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(log: list[IndividualDecided], chance: object) -> None:
    other = [*log, *log[::2]]
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert fold(other) == fold(log)


@given(logs(), st.integers(0, 40), st.one_of(DECISIONS))
def test_a_decision_and_its_undo_leave_the_registry_as_it_was(
    log: list[IndividualDecided], minute: int, decision: IndividualDecided
) -> None:
    known = {each.decision_id for each in log}
    if decision.decision_id not in known:
        assert fold([*log, decision, undo(minute, decision)]) == fold(log)


@given(logs(), st.data())
def test_an_undone_undo_restores_the_decision(log: list[IndividualDecided], data: st.DataObject) -> None:
    if log:
        back = undo(41, data.draw(st.sampled_from(log)))
        assert fold([*log, back, undo(42, back)]) == fold(log)


@given(st.lists(DECISIONS, max_size=12))
def test_undoing_everything_gives_the_empty_registry(log: list[IndividualDecided]) -> None:
    assert fold([*log, *(undo(50, each) for each in log)]) == RegistryState()


@given(logs())
def test_every_sighting_belongs_to_one_individual_that_is_not_merged(log: list[IndividualDecided]) -> None:
    state = fold(log)
    for individual in state.individuals.values():
        assert individual.merged_into is None or not individual.sightings
        assert individual.merged_into is None or state.individuals[individual.merged_into].merged_into is None
    crops = [
        (each.burst_id, one.crop_id)
        for individual in state.individuals.values()
        for each in individual.sightings
        for one in each.crops
    ]
    assert len(crops) == len(set(crops))


@given(logs())
def test_bursts_and_individuals_tell_the_same(log: list[IndividualDecided]) -> None:
    state = fold(log)
    by_burst = {(burst, each) for burst, decided in state.bursts.items() for each in decided.individuals}
    assert by_burst == {
        (sighting.burst_id, individual)
        for individual, found in state.individuals.items()
        for sighting in found.sightings
    }


@given(logs())
def test_the_registry_object_folds_what_was_added(log: list[IndividualDecided]) -> None:
    registry = Registry()
    for each in log:
        registry.add(each)
        registry.state()
    assert registry.state() == fold(log)


def test_of_two_contents_under_one_id_the_same_one_counts_in_any_order() -> None:
    contents = (FIRST, FIRST.model_copy(update={"reviewer": "bakyt"}))
    states = []
    for order in (contents, contents[::-1]):
        registry = Registry()
        for each in order:
            registry.add(each)
        states.append(registry.state())
    assert states[0] == states[1]


# Single decisions


def test_a_new_individual_has_its_first_sighting() -> None:
    (sighting,) = fold([FIRST]).individuals[A].sightings
    assert (sighting.burst_id, sighting.station, sighting.camera) == ("bst-0", "ridge", "ridge/north")


def test_first_and_last_seen_are_capture_times() -> None:
    found = fold([FIRST, same(1, A, "bst-4"), same(2, A, "bst-2")]).individuals[A]
    assert found.first_seen == datetime(2026, 4, 1, 6, 0)
    assert found.last_seen == datetime(2026, 4, 1, 6, 0) + timedelta(days=4)


def test_the_latest_decision_on_a_burst_counts() -> None:
    state = fold([FIRST, SECOND, same(2, B, "bst-0")])
    assert (shown(state, A), shown(state, B)) == ([], ["bst-0", "bst-1"])


def test_two_animals_in_one_burst_are_told_apart_by_their_crops() -> None:
    state = fold([new(0, A, "bst-0", crop("crp-1")), new(1, B, "bst-0", crop("crp-2"))])
    assert state.bursts["bst-0"].individuals == (A, B)


def test_a_burst_that_cannot_tell_is_rejected() -> None:
    state = fold([FIRST, decide(1, IndividualDecision.REJECT, burst_id="bst-0")])
    assert state.bursts["bst-0"].status is SightingStatus.REJECTED
    assert shown(state, A) == []


def test_an_unsure_reviewer_leaves_a_proposal() -> None:
    state = fold([decide(1, IndividualDecision.UNSURE, burst_id="bst-0")])
    assert state.bursts["bst-0"].status is SightingStatus.PROPOSED
    assert state.bursts["bst-0"].latest.decision is IndividualDecision.UNSURE


def test_a_merged_individual_gives_its_sightings_to_the_other() -> None:
    state = fold([FIRST, SECOND, merge(2, A, B)])
    assert shown(state, B) == ["bst-0", "bst-1"]
    assert state.resolve(A) == B


def test_a_decision_for_a_merged_individual_counts_for_the_one_that_it_is_now() -> None:
    assert shown(fold([FIRST, SECOND, merge(2, A, B), same(3, A, "bst-5")]), B) == ["bst-0", "bst-1", "bst-5"]


def test_a_merger_that_is_undone_gives_each_its_own_again() -> None:
    merged = merge(2, A, B)
    assert fold([FIRST, SECOND, merged, undo(3, merged)]) == fold([FIRST, SECOND])


def test_mergers_in_a_circle_merge_once() -> None:
    state = fold([FIRST, SECOND, merge(2, A, B), merge(3, B, A)])
    assert [each.individual_id for each in state.current()] == [B]
    assert "one individual already" in state.problems[0].message


def test_a_split_takes_the_named_bursts() -> None:
    state = fold([FIRST, same(1, A, "bst-2"), split(2, "ind-c", A, "bst-2")])
    assert (shown(state, A), shown(state, "ind-c")) == (["bst-0"], ["bst-2"])


def test_a_split_leaves_bursts_of_others() -> None:
    state = fold([FIRST, SECOND, split(2, "ind-c", A, "bst-1")])
    assert shown(state, B) == ["bst-1"]
    assert "none of its bursts" in state.problems[0].message


def test_a_new_code_replaces_the_former_and_stays_in_the_history() -> None:
    found = fold([new(0, A, "bst-0", code="F01"), rename(1, A, code="F07")]).individuals[A]
    assert found.code == "F07"
    assert [entry.code for entry in found.history] == ["F01", "F07"]


def test_a_name_alone_leaves_the_code() -> None:
    found = fold([new(0, A, "bst-0", code="F01"), rename(1, A, name="Dagina")]).individuals[A]
    assert (found.code, found.name) == ("F01", "Dagina")


def test_linked_sides_are_sides_of_one_individual() -> None:
    left = new(0, A, "bst-0", crop("crp-1", AnimalSide.LEFT))
    right = new(1, B, "bst-1", crop("crp-2", AnimalSide.RIGHT))
    link = decide(2, IndividualDecision.LINK, individual_id=A, other_id=B)
    assert fold([left, right, link]).individuals[B].sides == {AnimalSide.LEFT, AnimalSide.RIGHT}


def test_a_side_that_is_known_is_not_lost_to_an_unknown_one() -> None:
    log = [new(0, A, "bst-0", crop("crp-1", AnimalSide.LEFT)), same(1, A, "bst-0", crop("crp-1"))]
    assert fold(log).individuals[A].sides == {AnimalSide.LEFT}


def test_a_decision_for_an_individual_that_was_removed_waits_for_its_return() -> None:
    log = [FIRST, same(1, A, "bst-2"), removed := undo(2, FIRST)]
    state = fold(log)
    assert (dict(state.individuals), dict(state.bursts)) == ({}, {})
    assert "'ind-a' does not exist" in state.problems[0].message
    assert shown(fold([*log, undo(3, removed)]), A) == ["bst-0", "bst-2"]


def test_a_decision_by_a_clock_that_is_behind_counts() -> None:
    assert shown(fold([same(0, A, "bst-2"), new(5, A, "bst-0")]), A) == ["bst-0", "bst-2"]


def test_undos_in_a_circle_do_not_count() -> None:
    one = undo(1, FIRST).model_copy(update={"decision_id": "idn-1", "undoes": "idn-2"})
    other = one.model_copy(update={"decision_id": "idn-2", "undoes": "idn-1"})
    assert decisions_that_count([FIRST, one, other]) == [FIRST]


@pytest.mark.parametrize("text", ["ind-a", "F07", "f07", "Dagina"])
def test_an_individual_is_found_by_id_code_or_name(text: str) -> None:
    state = fold([new(0, A, "bst-0", code="F07", name="Dagina")])
    assert state.find(text).individual_id == A


def test_a_code_of_two_individuals_is_refused_with_both_ids() -> None:
    state = fold([new(0, A, "bst-0", code="F07"), new(1, B, "bst-1", code="F07")])
    with pytest.raises(IndividualUnknown, match="ind-a, ind-b"):
        state.find("f07")


# A candidate that people ruled out


def different(minute: int, individual: str, burst: str) -> IndividualDecided:
    return decide(minute, IndividualDecision.DIFFERENT, individual_id=individual, **place(burst))


def test_a_burst_does_not_show_whom_a_person_ruled_out() -> None:
    state = fold([FIRST, different(5, A, "bst-2")])
    assert state.different == {"bst-2": {A}}
    assert "bst-2" not in state.bursts


def test_whom_a_burst_does_not_show_it_does_not_show_after_a_merger() -> None:
    assert fold([FIRST, SECOND, different(5, A, "bst-2"), merge(6, A, B)]).different == {"bst-2": {B}}


def test_who_is_named_after_being_ruled_out_is_shown() -> None:
    assert not fold([FIRST, different(5, A, "bst-2"), same(6, A, "bst-2")]).different
