"""Luminance grids: mean grey values of equal cells."""

import numpy as np
import pytest

from uncia.events.values import LuminanceGrid
from uncia.imaging.luminance import COLUMNS, ROWS, luminance_grid


def test_a_grey_frame_has_a_grey_grid() -> None:
    grid = luminance_grid(np.full((480, 640, 3), 77, np.uint8))
    assert grid.shape == (ROWS, COLUMNS) and grid.dtype == np.uint8
    assert (grid == 77).all()


def test_each_cell_is_the_mean_of_its_area() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:2, :4] = 200
    pixels[2:, 4::2] = 100
    np.testing.assert_array_equal(luminance_grid(pixels, 2, 2), [[200, 0], [0, 50]])


@pytest.mark.parametrize("size", [(320, 448), (480, 640), (37, 49)])
def test_frames_of_any_size_give_comparable_grids(size: tuple[int, int]) -> None:
    slope = np.linspace(0, 255, size[1])[None, :, None].repeat(size[0], 0).repeat(3, 2).astype(np.uint8)
    expected = (np.arange(COLUMNS) + 0.5) / COLUMNS * 255
    assert np.abs(luminance_grid(slope).astype(float) - expected).max() < 4


def test_a_grid_survives_its_event() -> None:
    grid = luminance_grid(np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    np.testing.assert_array_equal(LuminanceGrid.pack(grid).unpack(), grid)
