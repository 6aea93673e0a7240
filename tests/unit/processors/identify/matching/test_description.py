import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.identify.matching.crops import made_up
from uncia.processors.identify.matching.description import Description, Side, UnreadableDescription

DESCRIPTIONS = st.builds(
    made_up,
    st.integers(0, 2**32 - 1),
    dimensions=st.integers(0, 40),
    points=st.integers(0, 20),
    embedder=st.text(max_size=20).filter(lambda text: text.isprintable()),
    side=st.sampled_from(Side),
)


@given(DESCRIPTIONS)
@settings(deadline=None, max_examples=40)
def test_a_description_survives_its_bytes(description: Description) -> None:
    read = Description.from_bytes(description.to_bytes())
    assert read == description
    assert np.array_equal(read.descriptors, description.descriptors)
    assert read.quality == description.quality


@given(DESCRIPTIONS, st.data())
@settings(deadline=None, max_examples=40)
def test_bytes_that_end_early_are_refused(description: Description, data: st.DataObject) -> None:
    stored = description.to_bytes()
    cut = data.draw(st.integers(0, len(stored) - 1))
    with pytest.raises(UnreadableDescription):
        Description.from_bytes(stored[:cut])


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDescription):
        Description.from_bytes(data)


def test_a_later_version_is_refused_by_its_number() -> None:
    stored = bytearray(made_up(1).to_bytes())
    stored[len(b"uncia-description")] = 9
    with pytest.raises(UnreadableDescription, match="version 9"):
        Description.from_bytes(bytes(stored))


def test_infinite_numbers_are_refused() -> None:
    description = made_up(1)
    broken = dataclasses.replace(description, embedding=np.full(8, np.inf, dtype=np.float32))
    with pytest.raises(UnreadableDescription, match="infinite"):
        Description.from_bytes(broken.to_bytes())


def test_the_same_crop_gives_the_same_bytes() -> None:
    assert made_up(3).to_bytes() == made_up(3).to_bytes()
    assert made_up(3) != made_up(4)
