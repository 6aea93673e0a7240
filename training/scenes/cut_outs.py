"""Cut-outs that are composed with the scenes: animals, people, vehicles and other objects, with a soft edge.

Debian's `tuxpaint-stamps-default` provides photographs that were cut out by hand, under free licences. `stamps.csv`
lists which of them are photographs and what they show; `things.csv` lists objects that no camera trap is meant for.
Without the package there are four cut-outs from photographs of scikit-image: coarse, and sufficient for tests.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from uncia.training.datasets import DataError
from uncia.training.scenes.pixels import Pixels

STAMPS = Path("/usr/share/tuxpaint/stamps")
"""Folder into which Debian installs the stamps."""
DEFAULT_CLASSES = ("badger", "bear", "chamois", "deer", "fox", "marmot", "person", "vehicle", "wild boar", "yak")
"""Classes that are rendered unless others are chosen: few enough that a hundred bursts contain some of each."""
NOTHING = "nothing"
"""Label of a frame without an animal, person or vehicle."""

_LONGEST_SIDE = 420
"""Pixels to which cut-outs are scaled down; a few stamps are far larger than an animal in any frame."""


@dataclass(frozen=True)
class CutOut:
    """An image with a matte: RGBA, float32 0 to 1, (height, width, 4); colours are not premultiplied."""

    name: str
    label: str
    taxon: str
    group: str
    pixels: Pixels


@dataclass(frozen=True)
class CutOutSet:
    """Cut-outs by label, and a phrase that names their origin."""

    by_label: dict[str, tuple[CutOut, ...]]
    source: str
    distractors: tuple[CutOut, ...] = ()
    """Objects that are no animal, person or vehicle. Without them a model learns that every cut-out is an animal."""


def load_cut_outs(classes: tuple[str, ...] = (), *, stamps: Path | None = STAMPS, things: bool = False) -> CutOutSet:
    """Load the cut-outs of these classes, or of all. `stamps=None`, or a missing folder, selects scikit-image's.

    `things` adds the distractors of `things.csv`; there are none without the stamps. Raises `DataError` for a class
    without a cut-out.
    """
    entries = (_stamp_entries(stamps) if stamps is not None else []) or _scikit_image_entries()
    source = "tuxpaint-stamps-default" if entries[0][0].is_absolute() else "scikit-image's photographs"
    known = sorted({label for _, label, _, _ in entries})
    wanted = [name for name in classes or known if name != NOTHING]
    for name in wanted:
        if name not in known:
            raise DataError(f"no cut-out of {name!r} from {source}: there are {', '.join([*known, NOTHING])}")
    by_label = {
        name: tuple(
            CutOut(path.stem, label, taxon, group, _load(path))
            for path, label, taxon, group in entries
            if label == name
        )
        for name in wanted
    }
    return CutOutSet(by_label, source, _load_distractors(stamps) if things and stamps is not None else ())


def _load_distractors(folder: Path) -> tuple[CutOut, ...]:
    with (Path(__file__).parent / "things.csv").open(encoding="utf-8", newline="") as file:
        paths = [folder.absolute() / f"{row['file']}.png" for row in csv.DictReader(file)]
    return tuple(CutOut(path.stem, NOTHING, "", "nothing", _load(path)) for path in paths if path.exists())


_Entry = tuple[Path, str, str, str]
"""File (absolute), or name of a photograph of scikit-image (relative); label, taxon, group."""


def _stamp_entries(folder: Path) -> list[_Entry]:
    with (Path(__file__).parent / "stamps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paths = [(folder.absolute() / f"{row['file']}.png", row) for row in rows]
    return [(path, row["label"], row["taxon"], row["group"]) for path, row in paths if path.exists()]


def _scikit_image_entries() -> list[_Entry]:
    return [
        (Path("chelsea"), "cat", "Felis catus", "animal"),
        (Path("horse"), "horse", "Equus caballus", "animal"),
        (Path("astronaut"), "person", "Homo sapiens", "person"),
        (Path("motorcycle_left"), "vehicle", "", "vehicle"),
    ]


@lru_cache(maxsize=512)
def _load(path: Path) -> Pixels:
    image = _open_png(path) if path.is_absolute() else _cut_from_scikit_image(path.name)
    image = crop_to_matte(image)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)


def crop_to_matte(image: Image.Image) -> Image.Image:
    """Cut away the margins in which an RGBA image is transparent, or nearly so."""
    return image.crop(image.getchannel("A").point([255 * (level > 24) for level in range(256)]).getbbox())


def _open_png(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as image:
        return image.convert("RGBA")


_OUTLINES = {
    # Traced by hand, in pixels: the head of the cat, the woman down to her waist, the motorcycle with its seat.
    "chelsea": [(100, 60), (120, 20), (180, 8), (260, 4), (330, 10), (380, 40), (400, 100), (404, 150), (390, 190),
                (360, 230), (320, 262), (270, 290), (220, 292), (170, 270), (125, 240), (100, 190), (92, 130)],
    "astronaut": [(180, 30), (215, 6), (260, 10), (290, 50), (295, 130), (278, 180), (330, 215), (400, 240), (450, 330),
                  (470, 511), (60, 511), (70, 400), (40, 330), (60, 260), (130, 220), (170, 190), (160, 120)],
    "motorcycle_left": [(60, 300), (90, 230), (160, 190), (230, 110), (300, 90), (370, 120), (450, 130), (540, 150),
                        (620, 210), (660, 290), (650, 390), (590, 430), (480, 420), (330, 430), (170, 440), (80, 400)],
}  # fmt: skip


def _cut_from_scikit_image(name: str) -> Image.Image:
    """A photograph of scikit-image with a soft matte; the horse is a silhouette filled with the fur of the cat."""
    from skimage import data

    if name == "horse":
        body = ~data.horse()
        fur = np.asarray(Image.fromarray(data.chelsea()[150:290, 10:110]).resize((body.shape[1], body.shape[0])))
        matte = Image.fromarray((body * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
        image = Image.fromarray(fur)
    else:
        pixels = data.stereo_motorcycle()[0] if name == "motorcycle_left" else getattr(data, name)()
        image = Image.fromarray(pixels)
        matte = Image.new("L", image.size)
        ImageDraw.Draw(matte).polygon(_OUTLINES[name], fill=255)
        matte = matte.filter(ImageFilter.GaussianBlur(3))
    image.putalpha(matte)
    return image
