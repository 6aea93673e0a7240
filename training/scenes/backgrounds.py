"""Scenes of the cameras: parts of landscape photographs, where a Debian package provides some, and synthetic ones.

`photographs.csv` lists wallpapers that show landscapes without people. Without them all scenes are synthetic, and a
model trained on composites mistakes the texture of a photograph for an animal.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from uncia.training.datasets import DataError
from uncia.training.scenes.terrain import Scene, nearness, synthetic_scene

ROOT = Path("/")
"""Root folder of the paths in `photographs.csv`."""

_SYNTHETIC_EVERY = 3
"""Every third scene is synthetic even where there are photographs: these are few, and only synthetic scenes have
trunks that hide an animal."""
_LARGEST_WIDTH = 3
"""In frame widths: photographs are scaled down to this width, so that a third of one still fills a frame."""
_LOWEST_HORIZON = 0.32
"""In frame heights: ground that begins farther down would be out of the flash's reach where animals stand."""


@dataclass(frozen=True)
class Photograph:
    """The part of an image file that can be a background. Edges and horizon are shares of the image's sides."""

    package: str
    path: Path
    left: float
    top: float
    right: float
    bottom: float
    horizon: float
    """Where the ground begins; 0 where the image shows nothing but ground or leaves."""


def installed_photographs(root: Path | None = ROOT) -> tuple[Photograph, ...]:
    """The photographs of `photographs.csv` that exist below `root`; none for `root=None`."""
    if root is None:
        return ()
    with (Path(__file__).parent / "photographs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shares = ("left", "top", "right", "bottom", "horizon")
    listed = [
        Photograph(row["package"], root / row["file"].lstrip("/"), *(float(row[name]) for name in shares))
        for row in rows
    ]
    return tuple(photograph for photograph in listed if photograph.path.exists())


def describe_backgrounds(photographs: Sequence[Photograph]) -> str:
    """The origin of the backgrounds, as a phrase for the description of a dataset."""
    packages = list(dict.fromkeys(photograph.package for photograph in photographs))
    return f"photographs of {' and '.join(packages)} and made-up places" if packages else "made-up places"


def camera_scene(camera: int, seed: int, width: int, height: int, photographs: Sequence[Photograph] = ()) -> Scene:
    """The scene of a camera; the same for the same camera, seed, size and photographs.

    Raises `DataError` for an image file that cannot be read.
    """
    if not photographs or camera % _SYNTHETIC_EVERY == 0:
        return synthetic_scene(camera, seed, width, height)
    index = camera - camera // _SYNTHETIC_EVERY - 1
    return _photographed_scene(photographs[(index + seed) % len(photographs)], camera, seed, width, height)


def _photographed_scene(photograph: Photograph, camera: int, seed: int, width: int, height: int) -> Scene:
    """A part of the photograph, with scale, mirroring, saturation and gamma chosen for each camera."""
    rng = np.random.default_rng([seed, camera, 43])
    usable = _load(photograph, width)
    largest = min(usable.width / width, usable.height / height)
    scale = float(rng.uniform(min(1.0, largest), largest))
    wide, tall = scale * width, scale * height
    left, top = float(rng.uniform(0, usable.width - wide)), float(rng.uniform(0, usable.height - tall))
    part = usable.resize((width, height), Image.Resampling.LANCZOS, box=(left, top, left + wide, top + tall))
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    colours = np.asarray(part, np.float32) / np.float32(255)
    grey = colours.mean(axis=2, keepdims=True)
    # Wallpapers are more saturated than photographs of camera traps.
    colours = np.clip(grey + (colours - grey) * np.float32(rng.uniform(0.45, 1.1)), 0, 1)
    colours **= np.float32(rng.uniform(0.75, 1.35))
    share = (photograph.horizon - photograph.top) / (photograph.bottom - photograph.top)
    horizon = min(max((share * usable.height - top) / tall, 0.0), _LOWEST_HORIZON)
    nothing_in_front = np.zeros((height, width), np.float32)
    return Scene(np.clip(colours, 0.01, 1), nearness(horizon, width, height), nothing_in_front, horizon)


@lru_cache(maxsize=4)
def _load(photograph: Photograph, width: int) -> Image.Image:
    """The usable part in RGB, scaled down to what frames of this width need."""
    try:
        with Image.open(photograph.path, formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (width * _LARGEST_WIDTH, 1))
            full = image.convert("RGB")
    except (OSError, ValueError) as error:
        raise DataError(f"{photograph.path} of {photograph.package} cannot be read: reinstall the package") from error
    part = full.crop(
        (
            round(photograph.left * full.width),
            round(photograph.top * full.height),
            round(photograph.right * full.width),
            round(photograph.bottom * full.height),
        )
    )
    if part.width > width * _LARGEST_WIDTH:
        size = (width * _LARGEST_WIDTH, part.height * width * _LARGEST_WIDTH // part.width)
        part = part.resize(size, Image.Resampling.BOX)
    return part
