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
"""The table that makes a folder a data set of its own, whatever its folders are called."""

Reader = Callable[[Path], Dataset]


def read_dataset(
    source: Path, kind: str = "auto", *, gap_s: float = 60.0, progress: ProgressCallback | None = None
) -> Dataset:
    """Read a data set: `folders`, `camtrap-dp`, `coco`, `table`, or `auto` to tell by what lies there.

    Where the source tells no bursts, pictures of a camera with at most `gap_s` seconds between them are one; for that
    the photographs' EXIF is read, and `progress` told how far it is. No picture is decoded. Raises `DataError`.
    """
    data = reader_of(source, kind)(source)
    return data.with_samples(assign_bursts(data.samples, gap_s=gap_s, progress=progress))


def reader_of(source: Path, kind: str = "auto") -> Reader:
    """The reader for this source. Raises `DataError` where there is none."""
    if kind not in ("auto", *FORMATS):
        raise DataError(f"no kind of data {kind!r}: {', '.join(FORMATS)}, or auto")
    if not source.exists():
        raise DataError(f"there is no {source}")
    found = _tell(source) if kind == "auto" else kind
    if found == "folders":
        return read_folders
    if found == "camtrap-dp":
        return read_camtrap_dp
    if found == "table":
        return _read_any_table
    return lambda path: read_coco(_only_json(path) if path.is_dir() else path)


def _read_any_table(path: Path) -> Dataset:
    """A table of ours, or of another program, told by its heading."""
    path = path / TABLE_NAME if path.is_dir() else path
    if is_wildlife_insights(read_header(path)):
        return read_wildlife_insights(path)
    return read_table(path)


def _tell(source: Path) -> str:
    if source.is_file():
        if source.name == DESCRIPTOR:
            return "camtrap-dp"
        if source.suffix.lower() == ".json":
            return "coco"
        if source.suffix.lower() in (".csv", ".tsv", ".txt"):
            return "table"
        raise DataError(f"{source} is no data set: a folder, a table (.csv) or a COCO file (.json) is")
    if (source / DESCRIPTOR).exists():
        return "camtrap-dp"
    if (source / TABLE_NAME).exists():
        return "table"
    if any(entry.is_dir() and not entry.name.startswith(".") and entry.name != "images" for entry in source.iterdir()):
        return "folders"
    return "coco"


def _only_json(folder: Path) -> Path:
    found = sorted(path for path in folder.glob("*.json") if is_coco(path))
    if len(found) != 1:
        what = "no COCO file" if not found else f"{len(found)} COCO files"
        raise DataError(
            f"{what} in {folder}, no {TABLE_NAME}, no class folders: name the file that describes the pictures"
        )
    return found[0]
