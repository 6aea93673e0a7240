import dataclasses
import io
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.processors.identify.matching.crops import coat, made_up, reference
from uncia.processors.identify.matching.description import ForeignEmbedder
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.interface import SamePicture
from uncia.processors.identify.matching.reference_index import InMemoryIndex

CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, 11), st.integers(0, 99)), max_size=60)


def index_of(*numbers: int) -> InMemoryIndex:
    index = InMemoryIndex("m@1")
    index.add_all(reference(f"cat-{number}", made_up(number, embedder="m@1")) for number in numbers)
    return index


@given(CHANGES, st.integers(1, 15))
@settings(deadline=None, max_examples=40)
def test_the_nearest_are_those_of_the_references_that_are_left(
    changes: list[tuple[bool, int, int]], count: int
) -> None:
    index, expected = InMemoryIndex("m@1"), {}
    for add, number, seed in changes:
        name = f"cat-{number}"
        if add:
            expected[name] = made_up(seed, embedder="m@1")
            index.add(reference(name, expected[name]))
        else:
            assert index.remove(f"{name}/0") == (expected.pop(name, None) is not None)
    wanted = made_up(1000, embedder="m@1").embedding
    similarity = {name: round(float(description.embedding @ wanted), 4) for name, description in expected.items()}
    found = index.nearest(wanted[None], count)
    assert len(index) == len(expected)
    assert index.individuals() == tuple(sorted(expected))
    assert [round(value, 4) for _, value in found] == pytest.approx(
        sorted(similarity.values(), reverse=True)[:count], abs=2e-4
    )


@given(st.permutations(range(9)))
@settings(deadline=None, max_examples=20)
def test_the_order_of_references_does_not_show(order: list[int]) -> None:
    wanted = made_up(1000).embedding[None]
    found = [(one.reference_id, value) for one, value in index_of(*order).nearest(wanted, 5)]
    assert found == [(one.reference_id, value) for one, value in index_of(*range(9)).nearest(wanted, 5)]


def test_a_reference_with_the_same_id_is_replaced() -> None:
    index = index_of(1)
    index.add(reference("cat-1", made_up(2, embedder="m@1")))
    assert len(index) == 1
    assert index.references_of("cat-1")[0].description == made_up(2, embedder="m@1")


def test_a_removed_individual_has_no_references() -> None:
    index = index_of(1, 2)
    assert index.remove_individual("cat-1") == 1
    assert index.remove_individual("cat-1") == 0
    assert index.get("cat-1/0") is None
    assert index.references_of("cat-1") == ()
    assert [one.individual_id for one, _ in index.nearest(made_up(1).embedding[None], 9)] == ["cat-2"]


def test_references_of_excluded_encounters_are_left_out() -> None:
    found = index_of(1, 2).nearest(made_up(1).embedding[None], 9, excluded_encounters={"cat-1-encounter-0"})
    assert [one.individual_id for one, _ in found] == ["cat-2"]


def test_another_embedder_is_refused_and_nothing_is_added() -> None:
    index = index_of(1)
    with pytest.raises(ForeignEmbedder, match="other@2"):
        index.add_all([reference("cat-2", made_up(2, embedder="m@1")), reference("x", made_up(3, embedder="other@2"))])
    assert index.individuals() == ("cat-1",)


def test_embeddings_of_another_length_are_refused() -> None:
    with pytest.raises(ForeignEmbedder, match="5 numbers"):
        index_of(1).add(reference("cat-2", made_up(2, dimensions=5, embedder="m@1")))
    with pytest.raises(ForeignEmbedder, match="5"):
        index_of(1).nearest(made_up(2, dimensions=5).embedding[None], 3)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        index_of().add(reference("cat-1", made_up(1, embedder="m@1"), captured_at=datetime(2026, 1, 1)))


def test_the_same_picture_under_two_names_is_reported_after_another_compression() -> None:
    buffer = io.BytesIO()
    Image.fromarray(coat(1)).save(buffer, "JPEG", quality=60)
    matcher, again = FusedMatcher(), np.asarray(Image.open(buffer))
    index = matcher.new_index()
    assert index.add(reference("aisha", matcher.describe(coat(1)))) == ()
    assert index.add(reference("bella", matcher.describe(coat(2)))) == ()
    assert index.add(reference("zara", matcher.describe(again))) == (SamePicture("aisha/0", "zara/0"),)


def test_the_same_picture_twice_under_one_name_is_no_conflict() -> None:
    index = index_of(1)
    assert index.add(reference("cat-1", made_up(1, embedder="m@1"), number=1)) == ()


def test_unusable_crops_are_the_same_picture_as_nothing() -> None:
    index = FusedMatcher().new_index()
    black = FusedMatcher().describe(np.zeros((90, 90, 3), np.uint8))
    assert index.add(reference("aisha", black)) == ()
    assert index.add(reference("bella", dataclasses.replace(black))) == ()
    assert index.nearest(np.zeros((0, 0), np.float32), 5) == []
