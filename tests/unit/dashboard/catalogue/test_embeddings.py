"""Embeddings of crops: the same bytes everywhere, and near where the class probabilities are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.dashboard.catalogue.embeddings import EMBEDDING_SIZE, crop_embedding, unpack_embeddings
from uncia.events import ClassVector


def test_the_bytes_of_an_embedding_are_fixed() -> None:
    """A catalogue that is rebuilt on another machine, or by a later version, holds the same rows."""
    classes = ClassVector.pack(np.array([0.5, 0.25, 0.125, 0.0625, 0.0625]))
    stored = crop_embedding(classes, "labels@1")
    assert stored is not None
    assert stored[:12].hex() == "bfddeaa00941eaa053416028"
    assert crop_embedding(classes, "labels@2") != stored


@given(seed=st.integers(0, 10_000), length=st.integers(2, 400))
@settings(max_examples=80, deadline=None)
def test_inner_products_are_about_those_of_the_distributions(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.dirichlet(np.full(length, 0.3)), rng.dirichlet(np.full(length, 0.3))
    stored = [crop_embedding(ClassVector.pack(values), "labels") for values in (one, other, one)]
    vectors = unpack_embeddings([value for value in stored if value is not None])
    assert vectors.shape == (3, EMBEDDING_SIZE)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[2])
    # Five standard deviations of a projection to 64 dimensions.
    assert abs(vectors[0] @ vectors[1] - np.sqrt(one) @ np.sqrt(other)) < 5 / 8


@pytest.mark.parametrize(
    "classes",
    [
        ClassVector.pack(np.zeros(10)),
        ClassVector.pack(np.full(10, np.nan)),
        ClassVector(length=4, f16="AAAA"),
        ClassVector(length=4, f16="not base64 at all!"),
        ClassVector.pack(np.ones(70_000)),
    ],
    ids=["zero", "not a number", "too short", "not base64", "too long"],
)
def test_a_vector_that_cannot_be_compared_has_no_embedding(classes: ClassVector) -> None:
    assert crop_embedding(classes, "labels") is None


def test_stored_bytes_of_another_length_are_refused() -> None:
    assert unpack_embeddings([]).shape == (0, EMBEDDING_SIZE)
    with pytest.raises(ValueError, match="64 bytes"):
        unpack_embeddings([b"short"])
