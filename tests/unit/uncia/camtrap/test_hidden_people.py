"""A person that anything knows of hides something of every photograph of the burst, and no review brings it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.redact.simulated import burst, review
from uncia.camtrap.hidden_people import STORED_BOXES, BurstEvidence, HiddenPeople, PersonBox, evidence_of, hidden_people
from uncia.events import BurstCategory, FurtherObservation, ReviewDecision

IMAGES = ("img-1", "img-2", "img-3")
BOX = (0.1, 0.2, 0.3, 0.4)

scores = st.floats(0, 1)
person_boxes = st.builds(
    PersonBox,
    st.sampled_from(IMAGES),
    st.tuples(*(st.floats(0, 1).map(lambda share: round(share, 3)) for _ in range(4))),
    scores,
    st.booleans(),
)
bursts = st.builds(BurstEvidence, st.booleans(), st.lists(person_boxes, max_size=5).map(tuple))


def test_without_a_person_nothing_is_hidden() -> None:
    assert hidden_people("img-1", (BurstEvidence(),), 0.4) is None
    assert hidden_people("img-1", (), 0.4) is None


@pytest.mark.parametrize("taxon", [None, "Homo sapiens"])
def test_a_person_that_a_review_names_second_is_one(taxon: str | None) -> None:
    category = BurstCategory.ANIMAL if taxon else BurstCategory.PERSON
    person = FurtherObservation(category=category, taxon=taxon)
    shown = burst(review=review(ReviewDecision.CORRECT, "Vulpes vulpes", BurstCategory.ANIMAL, person))
    assert evidence_of(shown).says_person
    assert not evidence_of(burst(review=review(ReviewDecision.CORRECT, "Vulpes vulpes"))).says_person


def test_a_box_below_the_threshold_is_no_person_and_is_blurred_where_there_is_one() -> None:
    weak = PersonBox("img-1", BOX, 0.2)
    assert hidden_people("img-1", (BurstEvidence(boxes=(weak,)),), 0.4) is None
    strong = PersonBox("img-1", (0.5, 0.5, 0.1, 0.1), 0.9)
    assert hidden_people("img-1", (BurstEvidence(boxes=(weak, strong)),), 0.4) == HiddenPeople((BOX, strong.box))


@pytest.mark.parametrize("box", [PersonBox("img-1", BOX, 0.2), PersonBox("img-1", BOX, 0.9, static=True)])
def test_a_weak_or_static_box_does_not_say_where_the_person_is(box: PersonBox) -> None:
    found = hidden_people("img-1", (BurstEvidence(True, (box,)),), 0.4)
    assert found is not None and found.withheld


def test_a_crowd_of_which_not_all_boxes_are_stored_is_withheld() -> None:
    crowd = tuple(PersonBox("img-1", (0.05 * number, 0.1, 0.04, 0.2), 0.9) for number in range(STORED_BOXES))
    found = hidden_people("img-1", (BurstEvidence(boxes=crowd),), 0.4)
    assert found is not None and found.withheld


def test_a_box_at_the_threshold_is_a_person_whatever_the_verdict_is() -> None:
    assert hidden_people("img-1", (BurstEvidence(boxes=(PersonBox("img-1", BOX, 0.4),)),), 0.4) == HiddenPeople((BOX,))


def test_a_photograph_beside_one_with_a_person_is_withheld_when_it_has_no_box() -> None:
    burst = BurstEvidence(boxes=(PersonBox("img-1", BOX, 0.9),))
    found = hidden_people("img-2", (burst,), 0.4)
    assert found is not None and found.withheld


def test_what_a_reviewer_saw_without_a_box_withholds_the_photograph() -> None:
    found = hidden_people("img-1", (BurstEvidence(True),), 0.4)
    assert found is not None and found.withheld


def test_a_static_box_makes_no_burst_one_with_a_person() -> None:
    static = PersonBox("img-1", BOX, 0.9, static=True)
    assert hidden_people("img-1", (BurstEvidence(boxes=(static,)),), 0.4) is None


@given(st.lists(bursts, max_size=3), bursts, st.floats(0.05, 1), st.sampled_from(IMAGES))
def test_more_evidence_never_shows_more(known: list[BurstEvidence], more: BurstEvidence, limit: float, at: str) -> None:
    before, after = hidden_people(at, known, limit), hidden_people(at, [*known, more], limit)
    if before is not None:
        assert after is not None
        assert after.withheld or set(before.boxes) <= set(after.boxes)


@given(st.lists(bursts, max_size=3), st.floats(0.05, 1), st.sampled_from(IMAGES))
def test_the_order_of_the_evidence_does_not_matter(known: list[BurstEvidence], limit: float, at: str) -> None:
    assert hidden_people(at, known, limit) == hidden_people(at, known[::-1], limit)
