"""Read a dataset of any supported format."""

from collections.abc import Callable
from pathlib import Path

from uncia.camtrap.camtrap_dp import DESCRIPTOR
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import FORMATS, Dataset
from uncia.training.datasets.readers.burst_grouping import assign_bursts
from uncia.training.datasets.readers.camtrap_dp import read_camtrap_dp
from uncia.training.datasets.readers.class_folders import read_folders
from uncia.training.datasets.readers.coco import is_coco, read_coco
from uncia.training.datasets.readers.table import read_header, read_table
from uncia.training.datasets.readers.wildlife_insights import is_wildlife_insights, read_wildlife_insights
from uncia.training.progress import ProgressCallback

TABLE_NAME = "pictures.csv"
"""A folder that contains a table of this name is read as that table, whatever its subfolders are called."""

Reader = Callable[[Path], Dataset]


def read_dataset(
    source: Path, kind: str = "auto", *, gap_s: float = 60.0, progress: ProgressCallback | None = None
) -> Dataset:
    """Read a dataset in the format `kind`: one of `FORMATS`, or `auto` to detect it.

    Where the source does not group images into bursts, images of one camera with at most `gap_s` seconds between them
    form a burst; this reads the EXIF of the files, and reports to `progress`. No image is decoded. Raises `DataError`.
    """
    dataset = choose_reader(source, kind)(source)
    return dataset.with_samples(assign_bursts(dataset.samples, gap_s=gap_s, progress=progress))


def choose_reader(source: Path, kind: str = "auto") -> Reader:
    """The reader for a source. Raises `DataError` where the source does not exist or its format is unknown."""
    if kind not in ("auto", *FORMATS):
        raise DataError(f"unknown format {kind!r}: choose auto or one of {', '.join(FORMATS)}")
    if not source.exists():
        raise DataError(f"{source} does not exist")
    found = _detect_format(source) if kind == "auto" else kind
    if found == "folders":
        return read_folders
    if found == "camtrap-dp":
        return read_camtrap_dp
    if found == "table":
        return _read_any_table
    return lambda path: read_coco(_only_coco_file(path) if path.is_dir() else path)


def coco_file(source: Path, kind: str = "auto") -> Path | None:
    """The COCO file that `read_dataset` reads for this source; None where the source has another format.

    Raises `DataError` as `choose_reader` does.
    """
    choose_reader(source, kind)
    if (_detect_format(source) if kind == "auto" else kind) != "coco":
        return None
    return _only_coco_file(source) if source.is_dir() else source


def _read_any_table(path: Path) -> Dataset:
    """A table of ours or of another program, which its heading reveals."""
    path = path / TABLE_NAME if path.is_dir() else path
    if is_wildlife_insights(read_header(path)):
        return read_wildlife_insights(path)
    return read_table(path)


def _detect_format(source: Path) -> str:
    if source.is_file():
        if source.name == DESCRIPTOR:
            return "camtrap-dp"
        if source.suffix.lower() == ".json":
            return "coco"
        if source.suffix.lower() in (".csv", ".tsv", ".txt"):
            return "table"
        raise DataError(f"{source} is not a dataset: name a folder, a table (.csv) or a COCO file (.json)")
    if (source / DESCRIPTOR).exists():
        return "camtrap-dp"
    if (source / TABLE_NAME).exists():
        return "table"
    if any(entry.is_dir() and not entry.name.startswith(".") and entry.name != "images" for entry in source.iterdir()):
        return "folders"
    return "coco"


def _only_coco_file(folder: Path) -> Path:
    found = sorted(path for path in folder.glob("*.json") if is_coco(path))
    if len(found) != 1:
        count = f"{len(found)} COCO files" if found else "no COCO file"
        raise DataError(
            f"{count} in {folder}, no {TABLE_NAME}, no class folders: name the file that describes the images"
        )
    return found[0]
