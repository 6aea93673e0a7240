"""Render single frames of planned bursts; what frames share is computed once."""

from collections import OrderedDict
from collections.abc import Sequence

from PIL import Image

from uncia.events.values import Box
from uncia.training.scenes.backgrounds import Photograph, camera_scene
from uncia.training.scenes.cut_outs import CutOut
from uncia.training.scenes.exposure import LitScene, add_distractors, expose, light
from uncia.training.scenes.natural.camera import expose_naturally, light_naturally
from uncia.training.scenes.natural.landscape import NaturalScene, natural_scene
from uncia.training.scenes.plan import Burst, Pose
from uncia.training.scenes.terrain import Scene


class FrameRenderer:
    """Renders frames of one size. Not thread-safe.

    Keeps the scene of the last `cached_cameras` cameras, in the light of their last burst. A scene takes 32 bytes a
    pixel in this form (94 MB at 2048 x 1440), so a renderer of bursts in the order of cameras keeps one only, and one
    of cameras that fire in turn keeps all of them.

    `natural` renders landscapes, light and sensor as in camera-trap photographs; it uses neither photographs nor
    distractors. Datasets are rendered without it: the figures of their models were measured on the plainer look.
    """

    def __init__(
        self,
        width: int,
        height: int,
        seed: int,
        *,
        photographs: Sequence[Photograph] = (),
        distractors: tuple[CutOut, ...] = (),
        cached_cameras: int = 1,
        natural: bool = False,
    ) -> None:
        self._width, self._height, self._seed = width, height, seed
        self._photographs = photographs
        self._distractors = distractors
        self._cached_cameras = cached_cameras
        self._natural = natural
        self._lit: OrderedDict[int, LitScene] = OrderedDict()

    def render(
        self, burst: Burst, frame: int, cut_out: CutOut | None, pose: Pose | None
    ) -> tuple[Image.Image, Box | None]:
        """The frame in RGB, without info strips, and the box of the visible part of the cut-out, or None."""
        develop = expose_naturally if self._natural else expose
        return develop(self._lit_scene(burst), cut_out, pose, frame)

    def _lit_scene(self, burst: Burst) -> LitScene:
        lit = self._lit.pop(burst.camera, None)
        if lit is None or lit.burst.number != burst.number:
            scene = lit.scene if lit else self._scene(burst.camera)
            if isinstance(scene, NaturalScene):
                lit = light_naturally(scene, burst)
            else:
                lit = add_distractors(light(scene, burst), self._distractors)
        self._lit[burst.camera] = lit
        return lit

    def _scene(self, camera: int) -> Scene:
        # Makes room first, so that no more scenes than allowed are in memory while the new one is rendered.
        while len(self._lit) >= self._cached_cameras:
            self._lit.popitem(last=False)
        if self._natural:
            return natural_scene(camera, self._seed, self._width, self._height)
        return camera_scene(camera, self._seed, self._width, self._height, self._photographs)
