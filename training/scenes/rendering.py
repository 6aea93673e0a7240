"""Render a planned dataset into a folder, with a table that states what each image shows."""

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
from uncia.events.values import Box
from uncia.ids import digest
from uncia.storage.atomic_dir import atomic_directory
from uncia.training.datasets import DataError
from uncia.training.datasets.readers.table import COMPOSITES_FILE
from uncia.training.datasets.reading import TABLE_NAME
from uncia.training.progress import ProgressCallback, no_progress
from uncia.training.scenes.backgrounds import ROOT, Photograph, describe_backgrounds, installed_photographs
from uncia.training.scenes.cut_outs import NOTHING, STAMPS, CutOut, CutOutSet, load_cut_outs
from uncia.training.scenes.frames import FrameRenderer
from uncia.training.scenes.info_strips import print_strips
from uncia.training.scenes.plan import Burst, CompositeRecipe, camera_name, plan

COLUMNS = (
    *("path", "label", "taxon", "group", "burst", "camera", "taken", "x", "y", "width", "height"),
    *("frame", "frames", "infrared"),
)
_FORMAT = 2
"""Bump when the same recipe renders other pixels; part of the fingerprint in `drawn.json`."""


@dataclass(frozen=True)
class RenderedDataset:
    """A rendered dataset; the fields are keys of the JSON that `uncia data draw --json` prints."""

    folder: Path
    bursts: int
    pictures: int
    """Number of images."""
    labels: tuple[str, ...]
    source: str
    fresh: bool
    """False where the folder held the same dataset already."""


def render_dataset(
    folder: Path,
    recipe: CompositeRecipe,
    *,
    stamps: Path | None = STAMPS,
    root: Path | None = ROOT,
    progress: ProgressCallback = no_progress,
) -> RenderedDataset:
    """Render into a folder that does not exist yet, or is empty; it appears when all images are complete.

    `stamps` is the folder of cut-outs, `root` the root folder of the landscape photographs; None renders without them.
    A folder that the same recipe rendered is left unchanged. Raises `DataError` where the folder holds anything else.
    """
    cut_outs = load_cut_outs(recipe.classes, stamps=stamps, things=recipe.things > 0)
    photographs = installed_photographs(root)
    source = f"{cut_outs.source} before {describe_backgrounds(photographs)}"
    assets = _digest_of_assets(cut_outs, photographs)
    fingerprint = digest(json.dumps([_FORMAT, asdict(recipe), source, assets, _jpeg_codec()]))
    if existing := _existing(folder, fingerprint):
        return existing
    bursts = plan(recipe, tuple(sorted(cut_outs.by_label)), NOTHING)
    description: dict[str, Any] = {
        "fingerprint": fingerprint,
        "source": f"composites of {source}, seed {recipe.seed}; no photographs from the field",
        "recipe": asdict(recipe),
        "bursts": len(bursts),
        "pictures": sum(len(burst.poses) for burst in bursts),
        "labels": sorted({burst.label for burst in bursts}),
    }
    with _staged(folder) as staging:
        _render_all(staging, recipe, cut_outs, photographs, bursts, progress)
        (staging / COMPOSITES_FILE).write_text(json.dumps(description, indent=1), encoding="utf-8")
    return _rendered(folder, description, fresh=True)


def _render_all(
    folder: Path,
    recipe: CompositeRecipe,
    cut_outs: CutOutSet,
    photographs: tuple[Photograph, ...],
    bursts: list[Burst],
    progress: ProgressCallback,
) -> None:
    renderer = FrameRenderer(
        recipe.width, recipe.height, recipe.seed, photographs=photographs, distractors=cut_outs.distractors
    )
    total, done = sum(len(burst.poses) for burst in bursts), 0
    with (folder / TABLE_NAME).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for burst in bursts:
            variants = cut_outs.by_label.get(burst.label, ())
            cut_out = variants[burst.variant % len(variants)] if variants else None
            for frame, pose in enumerate(burst.poses):
                image, box = renderer.render(burst, frame, cut_out, pose)
                row = _row(_save(folder, image, burst, frame), burst, frame, cut_out, box)
                table.writerow({name: escape_formula(value) for name, value in row.items()})
                done += 1
                progress(done, total)


def _row(path: str, burst: Burst, frame: int, cut_out: CutOut | None, box: Box | None) -> dict[str, object]:
    # An animal that is completely hidden cannot be seen, so the frame counts as empty.
    visible = cut_out if box is not None else None
    shares = zip(("x", "y", "width", "height"), box or (), strict=False)
    return {
        "path": path,
        "label": visible.label if visible else NOTHING,
        "taxon": visible.taxon if visible else "",
        "group": visible.group if visible else "nothing",
        "burst": f"{camera_name(burst.camera)}/{burst.number:05}",
        "camera": camera_name(burst.camera),
        "taken": burst.time(frame).isoformat(sep=" ", timespec="milliseconds"),
        **{name: f"{share:.5f}" for name, share in shares},
        "frame": frame + 1,
        "frames": len(burst.poses),
        "infrared": int(burst.infrared),
    }


def _save(folder: Path, image: Image.Image, burst: Burst, frame: int) -> str:
    """Write a frame as JPEG; returns its path relative to the folder."""
    camera, taken = camera_name(burst.camera), burst.time(frame)
    celsius = -6 + burst.seed % 9 if burst.infrared else 7 + burst.seed % 15
    print_strips(image, camera, taken, celsius, sequence=(frame + 1, len(burst.poses)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=72 + burst.seed % 16, exif=_exif(burst, camera, frame))
    name = f"{camera}/{taken:%Y%m%d-%H%M%S}-{burst.number:05}-{frame + 1}.JPG"
    path = folder / name
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


def _digest_of_assets(cut_outs: CutOutSet, photographs: tuple[Photograph, ...]) -> str:
    shown = [cut_out for _, variants in sorted(cut_outs.by_label.items()) for cut_out in variants]
    return digest(
        *(cut_out.pixels.tobytes().hex() for cut_out in (*shown, *cut_outs.distractors)),
        *(f"{photograph.path.name} {photograph.path.stat().st_size}" for photograph in photographs),
    )


def _jpeg_codec() -> str:
    """Version of the JPEG library: another version encodes the same pixels differently."""
    return str(features.version_codec("jpg"))


def _existing(folder: Path, fingerprint: str) -> RenderedDataset | None:
    """The dataset in the folder, or None where it is empty or missing. Raises `DataError` for another content."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        description = json.loads((folder / COMPOSITES_FILE).read_bytes())
        if description["fingerprint"] == fingerprint:
            return _rendered(folder, description, fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DataError(f"{folder} holds files that this recipe did not render: name another folder, or remove it")


def _rendered(folder: Path, description: dict[str, Any], *, fresh: bool) -> RenderedDataset:
    return RenderedDataset(
        folder=folder,
        bursts=description["bursts"],
        pictures=description["pictures"],
        labels=tuple(description["labels"]),
        source=description["source"],
        fresh=fresh,
    )


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder that becomes `folder` when the block succeeds, and is removed when it raises."""
    try:
        with atomic_directory(folder.absolute()) as staging:
            yield staging
            if folder.exists():
                folder.rmdir()  # only an empty folder is replaced
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
