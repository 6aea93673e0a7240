"""Where cameras stand: places out of genuine landscape photographs, where a package brings some, and made-up ones.

`photographs.csv` lists pictures of Debian's packages of wallpapers that show outdoor places with nobody in them.
Without them all places are made up, and what is learnt before such places takes the texture of a photograph for an
animal.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from uncia.training.datasets import DataError
from uncia.training.scenes.scenes import Scene, nearness, scene

ROOT = Path("/")
"""What the paths in the table begin from."""

_MADE_UP = 3
"""Every third place is made up where there are photographs: those are few, and only made-up ones have trunks to stand
behind."""
_KEPT = 3
"""In frame widths: how large a photograph is kept, so that a third of it still fills a frame."""
_LOWEST = 0.32
"""In frame heights: ground that begins farther down would be out of the flash's reach where animals stand."""


@dataclass(frozen=True)
class Photograph:
    """The part of a picture file that can be a place. Edges and horizon are shares of the whole picture's sides."""

    package: str
    path: Path
    left: float
    top: float
    right: float
    bottom: float
    horizon: float
    """Where the ground begins; 0 where all of it is ground, or leaves."""


def photographs(root: Path | None = ROOT) -> tuple[Photograph, ...]:
    """Those of the table that are there below `root`; none for `root=None`."""
    if root is None:
        return ()
    with (Path(__file__).parent / "photographs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shares = ("left", "top", "right", "bottom", "horizon")
    found = [
        Photograph(row["package"], root / row["file"].lstrip("/"), *(float(row[name]) for name in shares))
        for row in rows
    ]
    return tuple(one for one in found if one.path.exists())


def in_words(found: Sequence[Photograph]) -> str:
    """Which places these photographs make, in words."""
    packages = list(dict.fromkeys(one.package for one in found))
    return f"photographs of {' and '.join(packages)} and made-up places" if packages else "made-up places"


def place(camera: int, seed: int, width: int, height: int, found: Sequence[Photograph] = ()) -> Scene:
    """The same place for the same camera, seed, size and photographs. Raises `DataError` for a broken picture file."""
    if not found or camera % _MADE_UP == 0:
        return scene(camera, seed, width, height)
    before = camera - camera // _MADE_UP - 1
    return _photographed(found[(before + seed) % len(found)], camera, seed, width, height)


def _photographed(photograph: Photograph, camera: int, seed: int, width: int, height: int) -> Scene:
    """A part of the photograph, at another scale, mirrored and developed anew for each camera."""
    rng = np.random.default_rng([seed, camera, 43])
    whole = _opened(photograph, width)
    room = min(whole.width / width, whole.height / height)
    scale = float(rng.uniform(min(1.0, room), room))
    wide, tall = scale * width, scale * height
    left, top = float(rng.uniform(0, whole.width - wide)), float(rng.uniform(0, whole.height - tall))
    part = whole.resize((width, height), Image.Resampling.LANCZOS, box=(left, top, left + wide, top + tall))
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    colours = np.asarray(part, np.float32) / np.float32(255)
    grey = colours.mean(axis=2, keepdims=True)
    # Wallpapers are gaudier than what a camera trap sees.
    colours = np.clip(grey + (colours - grey) * np.float32(rng.uniform(0.45, 1.1)), 0, 1)
    colours **= np.float32(rng.uniform(0.75, 1.35))
    share = (photograph.horizon - photograph.top) / (photograph.bottom - photograph.top)
    horizon = min(max((share * whole.height - top) / tall, 0.0), _LOWEST)
    nowhere = np.zeros((height, width), np.float32)
    return Scene(np.clip(colours, 0.01, 1), nearness(horizon, width, height), nowhere, horizon)


@lru_cache(maxsize=4)
def _opened(photograph: Photograph, width: int) -> Image.Image:
    """The part that is used, RGB, no larger than frames of this width need it."""
    try:
        with Image.open(photograph.path, formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (width * _KEPT, 1))
            whole = image.convert("RGB")
    except (OSError, ValueError) as error:
        raise DataError(f"{photograph.path} of {photograph.package} cannot be read: install it anew") from error
    part = whole.crop(
        (
            round(photograph.left * whole.width),
            round(photograph.top * whole.height),
            round(photograph.right * whole.width),
            round(photograph.bottom * whole.height),
        )
    )
    if part.width > width * _KEPT:
        part = part.resize((width * _KEPT, part.height * width * _KEPT // part.width), Image.Resampling.BOX)
    return part
