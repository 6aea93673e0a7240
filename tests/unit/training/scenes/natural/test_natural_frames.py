"""Frames that look like camera-trap photographs: the truth is exact, and the same seed renders the same frames."""

from datetime import datetime

import numpy as np
import pytest

from uncia.training.scenes.frames import FrameRenderer
from uncia.training.scenes.natural.camera import light_naturally
from uncia.training.scenes.natural.cat import PHASES, aspect, natural_cat
from uncia.training.scenes.natural.landscape import SKY, natural_scene
from uncia.training.scenes.plan import Burst, Pose

WIDTH, HEIGHT = 256, 180
WALK = Pose(x=0.5, foot=0.8, area=0.09, tilt=0, smear=0)


def burst(*, infrared: bool, number: int = 1, camera: int = 3) -> Burst:
    return Burst(
        number=number,
        camera=camera,
        label="cat",
        variant=0,
        taken=datetime(2026, 5, 14),
        infrared=infrared,
        level=1.0,
        warmth=0.0,
        mirrored=False,
        stretch=1.0,
        shade=(1.0, 1.0, 1.0),
        seed=9,
        poses=(),
        gaps=(),
    )


def renderer(seed: int = 1) -> FrameRenderer:
    return FrameRenderer(WIDTH, HEIGHT, seed, natural=True)


@pytest.mark.parametrize("infrared", [False, True])
def test_the_same_seed_renders_the_same_frame_and_another_seed_another(infrared: bool) -> None:
    lit = burst(infrared=infrared)
    cat = natural_cat(0, infrared=infrared)
    one, other, different = (renderer(seed).render(lit, 1, cat, WALK)[0].tobytes() for seed in (1, 1, 2))
    assert one == other != different


@pytest.mark.parametrize("infrared", [False, True])
def test_what_differs_from_the_blank_frame_lies_in_the_box_or_in_the_shadow_below_it(infrared: bool) -> None:
    lit = burst(infrared=infrared)
    view = renderer()
    image, box = view.render(lit, 1, natural_cat(2, infrared=infrared), WALK)
    blank, nothing = view.render(lit, 1, None, None)
    assert box is not None
    assert nothing is None
    changed = np.abs(np.asarray(image, int) - np.asarray(blank, int)).max(axis=2) > 12
    x, y, width, height = box
    left, right, top, bottom = x * WIDTH, (x + width) * WIDTH, y * HEIGHT, (y + height) * HEIGHT
    rows, columns = np.nonzero(changed)
    assert changed.mean() > 0.01
    assert left - 8 <= columns.min() and columns.max() <= right + 8
    assert top - 2 <= rows.min() and rows.max() <= bottom + 0.2 * HEIGHT
    assert abs(rows.min() - top) <= 3


def test_an_animal_outside_the_frame_has_no_box() -> None:
    pose = Pose(x=3.0, foot=0.8, area=0.09, tilt=0, smear=0)
    assert renderer().render(burst(infrared=False), 1, natural_cat(0, infrared=False), pose)[1] is None


def test_frames_at_night_are_grey_and_bright_where_the_flash_reaches() -> None:
    image = np.asarray(renderer().render(burst(infrared=True), 1, None, None)[0], float)
    assert np.array_equal(image[..., 0], image[..., 2])
    assert image[HEIGHT * 3 // 4 :, 64:192].mean() > 3 * image[: HEIGHT // 5].mean()


@pytest.mark.parametrize("camera", [3, 4, 5])
def test_grass_is_brighter_than_the_ground_in_infrared(camera: int) -> None:
    scene = natural_scene(camera, 1, WIDTH, HEIGHT)
    night = light_naturally(scene, burst(infrared=True, camera=camera)).colours[..., 0]
    near = scene.metres < 2.5
    ground = near & (scene.front == 0)
    assert (near & scene.plants).sum() > 50
    assert night[near & scene.plants].mean() > 1.2 * night[ground].mean()


def test_the_sky_is_black_in_infrared() -> None:
    scene = natural_scene(3, 1, WIDTH, HEIGHT)
    night = light_naturally(scene, burst(infrared=True)).colours[..., 0]
    assert (scene.metres >= SKY).any()
    assert night[scene.metres >= SKY].max() < 0.01


@pytest.mark.parametrize("camera", [3, 4, 5])
def test_every_landscape_fills_the_frame(camera: int) -> None:
    image = np.asarray(renderer().render(burst(infrared=False, camera=camera), 1, None, None)[0], float)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (image.max(axis=2) > 8).mean() > 0.9


def test_the_legs_move_with_the_phase_and_the_eyes_shine_in_the_flash_only() -> None:
    day = [natural_cat(phase, infrared=False).pixels for phase in range(PHASES)]
    # Half a stride apart, near and far legs change places: the outline is the same, the shading is not.
    legs = [cat[220:] * cat[220:, :, 3:] for cat in day]
    assert all(np.abs(legs[0] - other).mean() > 0.01 for other in legs[1:])
    assert 1.2 < aspect(0, infrared=False) == aspect(0, infrared=True) < 2.2
    flash = natural_cat(0, infrared=True).pixels
    head = np.s_[:200, 450:]
    assert (flash[head][..., :3].min(axis=2) > 0.97).sum() > 20 > (day[0][head][..., :3].min(axis=2) > 0.97).sum()
