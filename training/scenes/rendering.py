"""Draws a planned data set into a folder, with the table that says what is on each picture."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, features

from uncia.camtrap.csv_cells import escape_formula
from uncia.events.images import Box
from uncia.ids import digest
from uncia.storage.atomic_dir import atomic_directory
from uncia.training.datasets import DataError
from uncia.training.datasets.readers.table import COMPOSITES_FILE
from uncia.training.datasets.reading import TABLE_NAME
from uncia.training.progress import ProgressCallback
from uncia.training.scenes.cut_outs import NOTHING, STAMPS, CutOutSet, load_cut_outs
from uncia.training.scenes.exposure import expose, light, print_strips, with_things
from uncia.training.scenes.places import ROOT, Photograph, in_words, photographs, place
from uncia.training.scenes.plan import Burst, CompositeRecipe, camera_name, plan

COLUMNS = (
    *("path", "label", "taxon", "group", "burst", "camera", "taken", "x", "y", "width", "height"),
    *("frame", "frames", "infrared"),
)
_FORM = 2
"""Raised whenever the same recipe comes to look otherwise."""


@dataclass(frozen=True)
class RenderedDataset:
    """What was drawn, or lay there already."""

    folder: Path
    bursts: int
    pictures: int
    labels: tuple[str, ...]
    source: str
    fresh: bool


def render_dataset(
    folder: Path,
    recipe: CompositeRecipe,
    *,
    stamps: Path | None = STAMPS,
    root: Path | None = ROOT,
    progress: ProgressCallback | None = None,
) -> RenderedDataset:
    """Draw into a folder that is not there yet, or is empty; it appears when all is drawn.

    `stamps` is the folder of cut-outs, `root` what the paths of the landscape photographs begin from; None: without.
    A folder that the same recipe drew is left as it is. Raises `DataError` where something else lies there.
    """
    cut_outs = load_cut_outs(recipe.classes, stamps=stamps, things=recipe.things > 0)
    grounds = photographs(root)
    source = f"{cut_outs.source} before {in_words(grounds)}"
    fingerprint = digest(json.dumps([_FORM, asdict(recipe), source, _digest_of(cut_outs, grounds), _codec()]))
    found = _found(folder, fingerprint)
    if found:
        return found
    bursts = plan(recipe, tuple(sorted(cut_outs.by_label)), NOTHING)
    told: dict[str, Any] = {
        "fingerprint": fingerprint,
        "source": f"composites of {source}, seed {recipe.seed}; no photographs from the field",
        "recipe": asdict(recipe),
        "bursts": len(bursts),
        "pictures": sum(len(burst.poses) for burst in bursts),
        "labels": sorted({burst.label for burst in bursts}),
    }
    with _beside(folder) as part:
        _draw_all(part, recipe, cut_outs, grounds, bursts, progress)
        (part / COMPOSITES_FILE).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return _drawn(folder, told, fresh=True)


def _draw_all(
    part: Path,
    recipe: CompositeRecipe,
    cut_outs: CutOutSet,
    grounds: tuple[Photograph, ...],
    bursts: list[Burst],
    progress: ProgressCallback | None,
) -> None:
    total, done = sum(len(burst.poses) for burst in bursts), 0
    with (part / TABLE_NAME).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        camera, view = -1, None
        for burst in bursts:
            if view is None or burst.camera != camera:
                camera = burst.camera
                view = place(camera, recipe.seed, recipe.width, recipe.height, grounds)
            lit = with_things(light(view, burst), cut_outs.things)
            kinds = cut_outs.by_label.get(burst.label, ())
            kind = kinds[burst.variant % len(kinds)] if kinds else None
            for frame, pose in enumerate(burst.poses):
                picture, box = expose(lit, kind, pose, frame)
                path = _save(part, picture, burst, frame)
                seen = box is not None and kind is not None
                row: dict[str, object] = {
                    "path": path,
                    # What is wholly behind a trunk is not to be seen, and so is not there.
                    "label": kind.label if kind and seen else NOTHING,
                    "taxon": kind.taxon if kind and seen else "",
                    "group": kind.group if kind and seen else "nothing",
                    "burst": f"{camera_name(burst.camera)}/{burst.number:05}",
                    "camera": camera_name(burst.camera),
                    "taken": burst.time(frame).isoformat(sep=" ", timespec="milliseconds"),
                    **_columns(box),
                    "frame": frame + 1,
                    "frames": len(burst.poses),
                    "infrared": int(burst.infrared),
                }
                table.writerow({name: escape_formula(value) for name, value in row.items()})
                done += 1
                if progress:
                    progress(done, total)


def _columns(box: Box | None) -> dict[str, str]:
    return {name: f"{share:.5f}" for name, share in zip(("x", "y", "width", "height"), box or (), strict=False)}


def _save(part: Path, picture: Image.Image, burst: Burst, frame: int) -> str:
    camera, taken, of = camera_name(burst.camera), burst.time(frame), len(burst.poses)
    celsius = -6 + burst.seed % 9 if burst.infrared else 7 + burst.seed % 15
    print_strips(picture, camera, taken, frame + 1, of, celsius)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=72 + burst.seed % 16, exif=_exif(burst, camera, frame))
    name = f"{camera}/{taken:%Y%m%d-%H%M%S}-{burst.number:05}-{frame + 1}.JPG"
    path = part / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    return name


def _exif(burst: Burst, camera: str, frame: int) -> Image.Exif:
    taken = burst.time(frame)
    block = Image.Exif()
    block[ExifTags.Base.Make] = "UNCIA"
    block[ExifTags.Base.Model] = "COMPOSITE"
    block[ExifTags.Base.DateTime] = taken.strftime("%Y:%m:%d %H:%M:%S")
    inner = block.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = taken.strftime("%Y:%m:%d %H:%M:%S")
    inner[ExifTags.Base.DateTimeDigitized] = taken.strftime("%Y:%m:%d %H:%M:%S")
    inner[ExifTags.Base.SubsecTimeOriginal] = f"{taken.microsecond // 1000:03d}"
    inner[ExifTags.Base.Flash] = 25 if burst.infrared else 24
    inner[ExifTags.Base.BodySerialNumber] = camera.replace("/", "-").upper()
    return block


def _digest_of(cut_outs: CutOutSet, grounds: tuple[Photograph, ...]) -> str:
    shown = [each for _, kinds in sorted(cut_outs.by_label.items()) for each in kinds]
    return digest(
        *(each.pixels.tobytes().hex() for each in (*shown, *cut_outs.things)),
        *(f"{each.path.name} {each.path.stat().st_size}" for each in grounds),
    )


def _codec() -> str:
    """The same pixels become other bytes with another JPEG library."""
    return str(features.version_codec("jpg"))


def _found(folder: Path, fingerprint: str) -> RenderedDataset | None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        told = json.loads((folder / COMPOSITES_FILE).read_bytes())
        if told["fingerprint"] == fingerprint:
            return _drawn(folder, told, fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DataError(f"{folder} holds something that this recipe did not draw: name another folder, or remove it")


def _drawn(folder: Path, told: dict[str, Any], *, fresh: bool) -> RenderedDataset:
    return RenderedDataset(folder, told["bursts"], told["pictures"], tuple(told["labels"]), told["source"], fresh)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder that becomes `folder` when the block ends well, and is gone when it does not."""
    try:
        with atomic_directory(folder.absolute()) as place:
            yield place
            if folder.exists():
                folder.rmdir()  # only an empty one gives way
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
