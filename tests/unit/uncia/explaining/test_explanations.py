"""An explanation finds the part of a picture that a score depends on, and says so where there is none."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from tests.unit.uncia.explaining.pictures import HEIGHT, WIDTH, brightness, disc_box, overlap, picture
from uncia.events import ExplanationMethod
from uncia.explaining.boxes import find_boxes
from uncia.explaining.document import explanation_document
from uncia.explaining.explain import ExplanationOptions, conclude, explain, log_odds, plan
from uncia.explaining.explanation import Explanation, ScoresUnsound
from uncia.explaining.heat_map import render_heat_map, to_photograph
from uncia.explaining.perturbations import grid_segments
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels

LIME = ExplanationOptions(samples=300, superpixels=40, log_odds=False)
METHODS = (ExplanationMethod.LIME, ExplanationMethod.OCCLUSION)
SPEC = FrameSpec(width=WIDTH, height=HEIGHT, window=WIDTH)


def options(method: ExplanationMethod) -> ExplanationOptions:
    return ExplanationOptions(method, samples=300, superpixels=40, log_odds=False)


@pytest.mark.parametrize("method", METHODS)
def test_the_box_is_around_the_part_that_the_score_depends_on(method: ExplanationMethod) -> None:
    found = explain(picture((0.3, 0.4)), brightness, options(method))
    assert len(found.boxes) == 1
    assert overlap(found.boxes[0].box, disc_box(0.3, 0.4)) > 0.5
    assert found.boxes[0].weight > 0


@pytest.mark.parametrize("method", METHODS)
def test_two_animals_give_two_boxes(method: ExplanationMethod) -> None:
    found = explain(picture((0.2, 0.3), (0.8, 0.7)), brightness, options(method))
    assert len(found.boxes) == 2
    for place in ((0.2, 0.3), (0.8, 0.7)):
        assert max(overlap(one.box, disc_box(*place)) for one in found.boxes) > 0.5


def test_a_linear_scorer_is_fitted_almost_perfectly() -> None:
    found = explain(picture((0.3, 0.4)), brightness, LIME)
    assert found.r2 is not None
    assert found.r2 > 0.9


def test_what_lowers_the_score_has_a_negative_weight() -> None:
    found = explain(picture((0.3, 0.4)), lambda images: 1 - brightness(images), LIME)
    disc = found.segments[round(0.4 * HEIGHT), round(0.3 * WIDTH)]
    assert found.weights[disc] == found.weights.min() < 0


def output(seed: int, batch: int = 8) -> tuple[bytes, bytes]:
    pixels = picture((0.3, 0.4))
    found = explain(pixels, brightness, ExplanationOptions(samples=60, superpixels=40, seed=seed), batch=batch)
    return explanation_document(found, SPEC, {"seed": "any"}), render_heat_map(pixels, found, SPEC)


def test_the_same_seed_gives_the_same_bytes_whatever_the_batch() -> None:
    assert output(3) == output(3) == output(3, batch=7)
    assert output(3) != output(4)


@pytest.mark.parametrize("method", METHODS)
def test_scores_that_are_no_numbers_are_an_error(method: ExplanationMethod) -> None:
    def score(images: Pixels) -> NDArray[np.float64]:
        scores = brightness(images)
        scores[-1] = np.nan
        return scores

    with pytest.raises(ScoresUnsound, match="NaN"):
        explain(picture((0.3, 0.4)), score, options(method))


def test_another_number_of_scores_than_of_pictures_is_an_error() -> None:
    with pytest.raises(ScoresUnsound, match=r"shape \(7,\) for 8 pictures"):
        explain(picture(), lambda images: brightness(images)[1:], LIME)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_score_has_no_box_and_no_fit(method: ExplanationMethod) -> None:
    found = explain(picture((0.3, 0.4)), lambda images: np.full(len(images), 0.4), options(method))
    assert found.constant
    assert found.boxes == ()
    assert found.r2 is None
    assert found.score == 0.4
    assert json.loads(explanation_document(found, SPEC, {}))["constant"] is True


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (3, 2), (40, 1)])
def test_tiny_pictures_are_explained(method: ExplanationMethod, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    found = explain(pixels, lambda images: images.mean(axis=(1, 2, 3)) / 255, options(method))
    assert found.segments.shape == size
    assert all(0 <= one.box[0] < 1 and one.box[2] > 0 for one in found.boxes)
    assert render_heat_map(pixels, found, SPEC)


def test_a_picture_of_one_pixel_is_one_superpixel_without_a_box() -> None:
    found = explain(np.zeros((1, 1, 3), np.uint8), lambda images: np.linspace(0, 1, len(images)), LIME)
    assert (len(found.weights), found.boxes, found.constant) == (1, (), True)


def test_a_picture_of_one_colour_is_explained() -> None:
    found = explain(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), brightness, LIME)
    assert found.constant


def test_the_first_sample_is_the_picture_itself() -> None:
    pixels = picture((0.5, 0.5))
    for method in METHODS:
        planned = plan(pixels, options(method))
        assert (planned.images(0, 1)[0] == pixels).all()
        assert len(planned.images(0, 5)) == 5


def test_a_class_activation_map_is_not_computed_from_scores() -> None:
    with pytest.raises(ValueError, match="class-activation is not computed from scores"):
        plan(picture(), ExplanationOptions(ExplanationMethod.CLASS_ACTIVATION))


def test_scores_for_another_plan_are_refused() -> None:
    planned = plan(picture(), LIME)
    with pytest.raises(ScoresUnsound):
        conclude(planned, np.zeros(3), LIME)


def test_log_odds_are_finite_at_both_ends() -> None:
    odds = log_odds(np.array([0.0, 0.5, 1.0]))
    assert np.isfinite(odds).all()
    assert odds[1] == 0
    assert odds[0] == pytest.approx(-odds[2])


@given(arrays.arrays(np.float64, 48, elements=st.floats(-5, 5)))
def test_boxes_are_inside_the_frame_and_sorted_by_weight(weights: NDArray[np.float64]) -> None:
    boxes = find_boxes(grid_segments(60, 80, 6, 8), weights)
    for one in boxes:
        x, y, width, height = one.box
        assert 0 <= x < x + width <= 1 + 1e-9
        assert 0 <= y < y + height <= 1 + 1e-9
        assert one.weight > 0
    assert [one.weight for one in boxes] == sorted((one.weight for one in boxes), reverse=True)
    assert bool(boxes) == bool(weights.max() > 0)


def test_weak_outliers_do_not_enlarge_the_box() -> None:
    weights = np.zeros(48)
    weights[[9, 10]] = 1.0
    weights[47] = 0.2
    (found,) = find_boxes(grid_segments(60, 80, 6, 8), weights)
    assert found.box == pytest.approx((1 / 8, 1 / 6, 2 / 8, 1 / 6))


def test_boxes_are_shares_of_the_photograph_with_its_strips() -> None:
    spec = FrameSpec(crop_top=0.1, crop_bottom=0.3)
    assert to_photograph((0.5, 0.0, 0.5, 1.0), spec) == pytest.approx((0.5, 0.1, 0.5, 0.6))


def test_the_heat_map_is_red_where_the_score_is_raised_and_grey_in_the_strips() -> None:
    pixels = np.full((100, 80, 3), 100, np.uint8)
    weights = np.array([1.0, -1.0])
    found = Explanation(ExplanationMethod.LIME, grid_segments(10, 10, 1, 2), weights, 0.5, 3, ())
    png = render_heat_map(pixels, found, FrameSpec(crop_top=0.2, crop_bottom=0.2))
    shown = np.asarray(Image.open(io.BytesIO(png))).astype(int)
    assert shown.shape == pixels.shape
    assert shown[50, 5, 0] > 150 > shown[50, 5, 2]
    assert shown[50, 75, 2] > 130 > shown[50, 75, 0]
    assert (shown[5] == 100).all()
