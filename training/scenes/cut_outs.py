"""What is put before the places: animals, people, vehicles and other things, cut out with a soft edge.

Debian's `tuxpaint-stamps-default` holds photographs cut out by hand, under free licences; `stamps.csv` says which of
them are photographs and what they show, `things.csv` which show nothing that a camera trap is there for. Without that
package there are four cut-outs from the photographs that scikit-image ships: coarse, and enough for tests.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from uncia.training.datasets import DataError

STAMPS = Path("/usr/share/tuxpaint/stamps")
"""Where the package puts them."""
DEFAULT_CLASSES = ("badger", "bear", "chamois", "deer", "fox", "marmot", "person", "vehicle", "wild boar", "yak")
"""Classes of the stamps to begin with: few enough that a hundred bursts are some of each."""
NOTHING = "nothing"
"""The label of a frame with no animal in it."""

_SHARPEST = 420
"""Pixels of the longer side that are kept; a few stamps are far larger than an animal in any frame."""


@dataclass(frozen=True)
class CutOut:
    """One picture with its edge: RGBA, float32 0 to 1, shape (height, width, 4); colours are not multiplied."""

    name: str
    label: str
    taxon: str
    group: str
    pixels: NDArray[np.float32]


@dataclass(frozen=True)
class CutOutSet:
    """The cut-outs by label, and where they come from, in words."""

    by_label: dict[str, tuple[CutOut, ...]]
    source: str
    things: tuple[CutOut, ...] = ()
    """What is no animal, person or vehicle and lies about: without it any cut-out would be something."""


def load_cut_outs(classes: tuple[str, ...] = (), *, stamps: Path | None = STAMPS, things: bool = False) -> CutOutSet:
    """The cut-outs of these classes, or of all. `stamps=None`, or a folder that is not there: scikit-image's.

    With `things` also those of `things.csv`; there are none without the stamps.

    Raises `DataError` for a class of which there is no cut-out.
    """
    entries = (_stamps(stamps) if stamps is not None else []) or _from_scikit_image()
    source = "tuxpaint-stamps-default" if entries[0][0].is_absolute() else "scikit-image's photographs"
    known = sorted({label for _, label, _, _ in entries})
    wanted = [name for name in classes or known if name != NOTHING]
    for name in wanted:
        if name not in known:
            raise DataError(f"no cut-out of {name!r} from {source}: there are {', '.join([*known, NOTHING])}")
    by_label = {
        name: tuple(
            CutOut(path.stem, label, taxon, group, _pixels(path))
            for path, label, taxon, group in entries
            if label == name
        )
        for name in wanted
    }
    return CutOutSet(by_label, source, _things(stamps) if things and stamps is not None else ())


def _things(folder: Path) -> tuple[CutOut, ...]:
    with (Path(__file__).parent / "things.csv").open(encoding="utf-8", newline="") as file:
        paths = [folder.absolute() / f"{row['file']}.png" for row in csv.DictReader(file)]
    return tuple(CutOut(path.stem, NOTHING, "", "nothing", _pixels(path)) for path in paths if path.exists())


Entry = tuple[Path, str, str, str]


def _stamps(folder: Path) -> list[Entry]:
    with (Path(__file__).parent / "stamps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paths = [(folder.absolute() / f"{row['file']}.png", row) for row in rows]
    return [(path, row["label"], row["taxon"], row["group"]) for path, row in paths if path.exists()]


def _from_scikit_image() -> list[Entry]:
    return [
        (Path("chelsea"), "cat", "Felis catus", "animal"),
        (Path("horse"), "horse", "Equus caballus", "animal"),
        (Path("astronaut"), "person", "Homo sapiens", "person"),
        (Path("motorcycle_left"), "vehicle", "", "vehicle"),
    ]


@lru_cache(maxsize=512)
def _pixels(path: Path) -> NDArray[np.float32]:
    image = _open(path) if path.is_absolute() else _cut(path.name)
    image = image.crop(image.getchannel("A").point([255 * (level > 24) for level in range(256)]).getbbox())
    image.thumbnail((_SHARPEST, _SHARPEST), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)


def _open(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as image:
        return image.convert("RGBA")


_OUTLINES = {
    # The head of the cat, the woman to her waist, the motorcycle with its rider's seat: by hand, in the photograph.
    "chelsea": [(100, 60), (120, 20), (180, 8), (260, 4), (330, 10), (380, 40), (400, 100), (404, 150), (390, 190),
                (360, 230), (320, 262), (270, 290), (220, 292), (170, 270), (125, 240), (100, 190), (92, 130)],
    "astronaut": [(180, 30), (215, 6), (260, 10), (290, 50), (295, 130), (278, 180), (330, 215), (400, 240), (450, 330),
                  (470, 511), (60, 511), (70, 400), (40, 330), (60, 260), (130, 220), (170, 190), (160, 120)],
    "motorcycle_left": [(60, 300), (90, 230), (160, 190), (230, 110), (300, 90), (370, 120), (450, 130), (540, 150),
                        (620, 210), (660, 290), (650, 390), (590, 430), (480, 420), (330, 430), (170, 440), (80, 400)],
}  # fmt: skip


def _cut(name: str) -> Image.Image:
    """A photograph of scikit-image with an edge; the horse is its silhouette, filled with the cat's fur."""
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
