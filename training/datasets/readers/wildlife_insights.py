"""Wildlife Insights' `images.csv`, as downloaded: one line per image and species.

https://wildlifeinsights.org/get-started/download. The images are in Google's cloud (`location` is a `gs://` address).
Downloaded images are next to the table under their file names, in a folder per deployment where names repeat.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from uncia.camtrap.vocabulary import group_of, is_unknown
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import existing_path, intern_name, require_samples
from uncia.training.datasets.readers.table import parse_time, read_rows

COLUMNS = frozenset({"deployment_id", "image_id", "filename", "is_blank", "common_name", "timestamp"})
_YES = frozenset({"1", "true", "t"})
_MUST_EXIST_WITHIN = 200
"""At least one image of this many first rows must exist."""

_BY_MODEL = "named by computer vision alone"
_UNKNOWN = "of unknown class"

_Row = dict[str, str]


def is_wildlife_insights(header: tuple[str, ...]) -> bool:
    """Whether a table with this heading is an `images.csv` of Wildlife Insights."""
    return set(header) >= COLUMNS


def read_wildlife_insights(source: Path) -> Dataset:
    """Read an `images.csv`. The label is the common name, else genus and species, or `blank`; the camera is the
    deployment.

    Left out and counted: rows that only a model identified, and rows without an identification. Raises `DataError`
    where none of the first images exists.
    """
    samples: list[Sample] = []
    left_out: Counter[str] = Counter()
    locator = _ImageLocator(source)
    for line, row in read_rows(source):
        if row.get("identified_by", "").lower() == "computer vision":
            left_out[_BY_MODEL] += 1
            continue
        label, taxon, group = _identification(row)
        if is_unknown(label):
            left_out[_UNKNOWN] += 1
            continue
        try:
            taken = parse_time(row["timestamp"])
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}") from error
        path, camera = locator.locate(row), intern_name(row["deployment_id"])
        samples.append(
            Sample(path, intern_name(label), "", camera, taken, None, intern_name(taxon), intern_name(group))
        )
    notes = [f"{left_out[reason]:,} rows {reason} left out" for reason in (_BY_MODEL, _UNKNOWN) if left_out[reason]]
    require_samples(len(samples), source, "; ".join(notes) or "the table is empty")
    if not any(sample.path.exists() for sample in samples[:_MUST_EXIST_WITHIN]):
        raise DataError(
            f"{source} is an images.csv of Wildlife Insights, and none of its first images is in that folder: download "
            "them from the addresses in the column location, and store each as DEPLOYMENT_ID/FILENAME"
        )
    return Dataset(tuple(samples), "; ".join([f"Wildlife Insights {source.parent.name}/{source.name}", *notes]))


def _identification(row: _Row) -> tuple[str, str, str]:
    """Label, taxon and group."""
    if row["is_blank"].lower() in _YES or row["common_name"].lower() == "blank":
        return "blank", "", "nothing"
    genus, species = row.get("genus", ""), row.get("species", "")
    taxon = f"{genus} {species}".strip().capitalize() if genus else ""
    label = row["common_name"] or taxon
    if genus.lower() == "homo" or label.lower().startswith("human"):
        return label, taxon, "person"
    group = group_of(label)
    return label, taxon if group == "animal" else "", group


class _ImageLocator:
    """Finds the file of a row. The layout that led to the last file is tried first for the next row."""

    def __init__(self, source: Path) -> None:
        folder = source.parent
        images_by_name: dict[str, set[str]] = {}
        for _, row in read_rows(source):
            images_by_name.setdefault(row["filename"], set()).add(row["image_id"])
        # A file whose name belongs to several images may be any of them.
        unique = frozenset(name for name, images in images_by_name.items() if len(images) == 1)
        missing = folder / "not downloaded"
        self._layouts: list[Callable[[_Row], Path]] = [
            lambda row: folder / row["deployment_id"] / row["filename"],
            lambda row: folder / "images" / row["deployment_id"] / row["filename"],
            lambda row: folder / row.get("location", "").partition("://")[2].partition("/")[2],
            lambda row: folder / f"{row['image_id']}{Path(row['filename']).suffix}",
            lambda row: folder / row["filename"] if row["filename"] in unique else missing / row["image_id"],
            lambda row: folder / "images" / row["filename"] if row["filename"] in unique else missing / row["image_id"],
        ]

    def locate(self, row: _Row) -> Path:
        """The path of the row's image; where no layout leads to a file, the path in the last successful layout."""
        for layout in list(self._layouts):
            path = existing_path(layout(row))
            if path.is_file():
                self._layouts.remove(layout)
                self._layouts.insert(0, layout)
                return path
        return self._layouts[0](row)
