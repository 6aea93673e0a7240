"""Frames of bursts: what is cached never changes what is rendered."""

import numpy as np
import pytest

from uncia.training.scenes.cut_outs import load_cut_outs
from uncia.training.scenes.frames import FrameRenderer
from uncia.training.scenes.plan import Burst, CompositeRecipe, plan

RECIPE = CompositeRecipe(bursts=6, cameras=2, width=96, height=72, classes=("cat",), frames=(2, 2))
CAT = load_cut_outs(("cat",), stamps=None).by_label["cat"][0]


def first_frame(renderer: FrameRenderer, burst: Burst) -> bytes:
    image, _ = renderer.render(burst, 0, CAT, burst.poses[0])
    return image.tobytes()


@pytest.mark.parametrize("cached_cameras", [1, 2])
def test_the_order_of_bursts_does_not_change_their_frames(cached_cameras: int) -> None:
    bursts = plan(RECIPE, ("cat",), "nothing")
    renderer = FrameRenderer(96, 72, 1, cached_cameras=cached_cameras)
    rendered = {burst.number: first_frame(renderer, burst) for burst in sorted(bursts, key=lambda burst: burst.taken)}
    assert rendered == {burst.number: first_frame(FrameRenderer(96, 72, 1), burst) for burst in bursts}


def test_cameras_have_different_scenes() -> None:
    bursts = plan(RECIPE, ("cat",), "nothing")
    one, other = (next(burst for burst in bursts if burst.camera == camera) for camera in (0, 1))
    renderer = FrameRenderer(96, 72, 1)
    images = [np.asarray(renderer.render(burst, 0, None, None)[0], float) for burst in (one, other)]
    assert np.abs(images[0] - images[1]).mean() > 1
