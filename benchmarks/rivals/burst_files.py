"""The photographs that all of them classify: JPEGs of 1024 x 768, 80 bursts of 5 frames."""

import io
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.photographs import make, with_exif

WIDTH, HEIGHT = 1024, 768
BURSTS, FRAMES = 80, 5
_QUALITY = 85
_SCENES = 20
_MARGIN = 24
_FINISHED = "finished-1"


class BurstFiles:
    """Frames `burst_<burst>_<frame>.jpg` of generated scenes, made once and kept in `folder`.

    The frames of a burst show one scene, shifted by some pixels and in another light, so that no two have the same
    content. Composites, like all photographs of the benchmarks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / _FINISHED).exists():
            folder.mkdir(parents=True, exist_ok=True)
            with ProcessPoolExecutor() as pool:
                list(pool.map(_write_bursts, [folder] * _SCENES, range(_SCENES)))
            (folder / _FINISHED).touch()
        self._bodies = [path.read_bytes() for path in self.paths()]

    def paths(self) -> Iterator[Path]:
        """All frames, burst by burst."""
        for burst in range(BURSTS):
            for frame in range(FRAMES):
                yield self.folder / _name(burst, frame)

    def with_exif(self, number: int, exif: bytes) -> bytes:
        """The frame with this number, counted through all bursts and begun again at the end, with an EXIF block."""
        return with_exif(self._bodies[number % len(self._bodies)], exif)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a photograph, without EXIF."""
        return sum(map(len, self._bodies)) / len(self._bodies)


def _name(burst: int, frame: int) -> str:
    return f"burst_{burst:03}_{frame}.jpg"


def _write_bursts(folder: Path, scene: int) -> None:
    """All bursts that show one scene, in turns."""
    with Image.open(io.BytesIO(make(scene))) as picture:
        whole = picture.convert("RGB").resize((WIDTH + 2 * _MARGIN, HEIGHT + 2 * _MARGIN), Image.Resampling.LANCZOS)
    for burst in range(scene, BURSTS, _SCENES):
        random = np.random.default_rng(burst)
        left, top = (int(value) for value in random.integers(8, 2 * _MARGIN - 8, 2))
        for frame in range(FRAMES):
            x, y = (int(value) for value in random.integers(-8, 9, 2))
            light = random.uniform(0.95, 1.05)
            cut = whole.crop((left + x, top + y, left + x + WIDTH, top + y + HEIGHT))
            cut.point(lambda value, light=light: min(255, round(value * light))).save(
                folder / _name(burst, frame), "JPEG", quality=_QUALITY
            )
