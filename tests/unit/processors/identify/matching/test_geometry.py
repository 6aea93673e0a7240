import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import FloatArray
from uncia.processors.identify.matching.geometry import verify, verify_votes


def random_points(rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray]:
    """Key points in a crop of 300 x 200 pixels, and unit descriptors."""
    points = np.column_stack(
        (rng.uniform(0, 300, count), rng.uniform(0, 200, count), rng.uniform(2, 6, count), rng.uniform(-3, 3, count))
    )
    descriptors = rng.random((count, 128))
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    return points.astype(np.float32), unit.astype(np.float32)


def turned(points: FloatArray, angle: float, scale: float, shift: NDArray[np.float64]) -> FloatArray:
    """Turned by `angle` as scikit-image counts orientations: from the rows' axis to the columns' axis."""
    matrix = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ matrix.T + shift
    moved[:, 2] *= scale
    moved[:, 3] += angle
    return moved


@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(0.4, 2.5))
@settings(deadline=None, max_examples=30)
def test_points_that_were_turned_scaled_and_shifted_agree(seed: int, angle: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    points, descriptors = random_points(rng, 40)
    moved = turned(points, angle, scale, rng.uniform(-50, 50, 2))
    found = verify(points, descriptors, moved, descriptors)
    assert found.count >= 38
    assert np.array_equal(found.pairs[:, 0], found.pairs[:, 1])


def test_the_same_marks_in_other_places_do_not_agree() -> None:
    rng = np.random.default_rng(1)
    points, descriptors = random_points(rng, 60)
    elsewhere, _ = random_points(rng, 60)
    assert verify(points, descriptors, elsewhere, descriptors).count < 10


def test_a_mirrored_crop_does_not_agree() -> None:
    points, descriptors = random_points(np.random.default_rng(1), 60)
    mirrored = points.copy()
    mirrored[:, 0] = 300 - points[:, 0]
    mirrored[:, 3] = -points[:, 3]
    assert verify(points, descriptors, mirrored, descriptors).count < 20


def test_a_few_points_are_compared_without_error() -> None:
    points, descriptors = random_points(np.random.default_rng(1), 3)
    for count in range(4):
        few = verify(points[:count], descriptors[:count], points, descriptors)
        assert few.count <= count


def votes(points: FloatArray, descriptors: FloatArray, reference: FloatArray, normaliser: float) -> float:
    normalisers = np.full(len(points), normaliser, dtype=np.float32)
    return verify_votes(points, descriptors, reference, descriptors, normalisers, np.ones(len(points), np.float32))


def test_points_that_agree_vote_with_their_distance_to_the_second_best_individual() -> None:
    points, descriptors = random_points(np.random.default_rng(1), 40)
    assert votes(points, descriptors, points, 0.5) == pytest.approx(20, abs=0.1)


def test_marks_in_other_places_do_not_vote() -> None:
    rng = np.random.default_rng(1)
    points, descriptors = random_points(rng, 60)
    elsewhere, _ = random_points(rng, 60)
    assert votes(points, descriptors, elsewhere, 0.5) < 5


def test_marks_that_a_second_individual_has_as_well_do_not_vote() -> None:
    points, descriptors = random_points(np.random.default_rng(1), 40)
    assert votes(points, descriptors, points, 0.0) == 0


def test_a_few_points_vote_without_error() -> None:
    points, descriptors = random_points(np.random.default_rng(1), 3)
    for count in range(4):
        assert votes(points[:count], descriptors[:count], points[:count], 0.5) >= 0
