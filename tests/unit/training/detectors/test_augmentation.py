"""Boxes stay on their animals, whatever is done to the frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.imaging.frame_spec import FrameSpec
from uncia.training.detectors.augmentation import Crop, augment_frame, crop_boxes, to_frame, to_photograph

SPEC = FrameSpec(width=128, height=96, window=128)


def test_frame_and_photograph_differ_by_the_strips() -> None:
    stored = np.array([[0.2, 0.3, 0.2, 0.2]])
    assert np.allclose(to_photograph(to_frame(stored, SPEC), SPEC), stored)
    under_the_strip = to_frame(np.array([[0.0, 0.95, 0.1, 0.05]]), SPEC)
    assert under_the_strip[0, 3] == 0


def test_a_box_that_leaves_the_crop_is_dropped_and_one_at_its_edge_is_clipped() -> None:
    boxes = np.array([[0.0, 0.0, 0.2, 0.2], [0.4, 0.4, 0.2, 0.2]])
    clipped, visible = crop_boxes(boxes, Crop(0.5, 0.4, 0.5))
    assert visible.tolist() == [False, True]
    assert np.allclose(clipped[1], [0.0, 0.0, 0.2, 0.4])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_bright_square_stays_in_its_box(seed: int) -> None:
    pixels = np.full((96, 128, 3), 30, np.uint8)
    pixels[30:60, 40:80] = 220
    boxes = np.array([[40 / 128, 30 / 96, 40 / 128, 30 / 96]])
    shown, found, visible = augment_frame(pixels, boxes, (96, 64), (0.6, 1.3), f"{seed}")
    assert shown.shape == (64, 96, 3)
    if visible[0]:
        x, y, width, height = found[0] * [96, 64, 96, 64]
        inside = shown[round(y) + 1 : round(y + height) - 1, round(x) + 1 : round(x + width) - 1].mean()
        assert inside > shown.mean()


def test_the_same_text_gives_the_same_frame() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    first, second = (augment_frame(pixels, np.zeros((0, 4)), (64, 64), (0.6, 1.1), "7 1 a")[0] for _ in range(2))
    assert np.array_equal(first, second)
