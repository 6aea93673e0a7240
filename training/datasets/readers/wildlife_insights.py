"""Wildlife Insights' `images.csv`, as its download has it: one line per image and species.

https://wildlifeinsights.org/get-started/download. The pictures lie in Google's cloud (`location` is a `gs://` address);
who fetched them has them beside the table under their names, in a folder for each deployment where names repeat.
"""

from collections.abc import Callable
from pathlib import Path

from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.table import parse_time, read_rows
from uncia.training.datasets.readers.vocabulary import (
    existing_path,
    group_of,
    intern_name,
    is_unknown_label,
    require_samples,
)

COLUMNS = frozenset({"deployment_id", "image_id", "filename", "is_blank", "common_name", "timestamp"})
_YES = frozenset({"1", "true", "t"})
_LOOKED_FOR = 200
"""Of so many rows at least one picture must be there."""


def is_wildlife_insights(heading: tuple[str, ...]) -> bool:
    """By the names of the columns."""
    return set(heading) >= COLUMNS


def read_wildlife_insights(source: Path) -> Dataset:
    """Left out and counted: what a model named and no person looked at, and what nobody could name.

    A class is the common name, else genus and species; `blank` where the row says so. The deployment is the camera.
    Raises `DataError` where none of the pictures is there.
    """
    pictures: list[Sample] = []
    left_out = {"named by computer vision alone": 0, "of unknown class": 0}
    place = _Places(source)
    for line, row in read_rows(source):
        if row.get("identified_by", "").lower() == "computer vision":
            left_out["named by computer vision alone"] += 1
            continue
        label, taxon, group = _what(row)
        if is_unknown_label(label):
            left_out["of unknown class"] += 1
            continue
        try:
            taken = parse_time(row["timestamp"])
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}") from error
        path, camera = place.of(row), intern_name(row["deployment_id"])
        pictures.append(
            Sample(path, intern_name(label), "", camera, taken, None, intern_name(taxon), intern_name(group))
        )
    told = [f"{count:,} rows {why} left out" for why, count in left_out.items() if count]
    require_samples(len(pictures), source, "; ".join(told) or "the table is empty")
    if not any(one.path.exists() for one in pictures[:_LOOKED_FOR]):
        raise DataError(
            f"{source} is an images.csv of Wildlife Insights, and none of its first pictures is beside it: fetch them "
            "from the addresses in its column location, and put each there as DEPLOYMENT_ID/FILENAME"
        )
    return Dataset(tuple(pictures), "; ".join([f"Wildlife Insights {source.parent.name}/{source.name}", *told]))


def _what(row: dict[str, str]) -> tuple[str, str, str]:
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


class _Places:
    """Where a row's picture lies. Each way is tried for a row; the first that leads to a file is taken first later."""

    def __init__(self, source: Path) -> None:
        folder = source.parent
        self._ways: list[Callable[[dict[str, str]], Path]] = [
            lambda row: folder / row["deployment_id"] / row["filename"],
            lambda row: folder / "images" / row["deployment_id"] / row["filename"],
            lambda row: folder / row.get("location", "").partition("://")[2].partition("/")[2],
            lambda row: folder / f"{row['image_id']}{Path(row['filename']).suffix}",
        ]
        names: dict[str, set[str]] = {}
        for _, row in read_rows(source):
            names.setdefault(row["filename"], set()).add(row["image_id"])
        # A name of two images says nothing of which of them lies there.
        alone = frozenset(name for name, images in names.items() if len(images) == 1)
        missing = folder / "not fetched"
        self._ways += [
            lambda row: folder / row["filename"] if row["filename"] in alone else missing / row["image_id"],
            lambda row: folder / "images" / row["filename"] if row["filename"] in alone else missing / row["image_id"],
        ]

    def of(self, row: dict[str, str]) -> Path:
        for way in list(self._ways):
            path = existing_path(way(row))
            if path.is_file():
                self._ways.remove(way)
                self._ways.insert(0, way)
                return path
        return self._ways[0](row)
