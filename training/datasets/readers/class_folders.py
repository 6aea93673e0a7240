"""Class folders: `folder/<class>/…/picture.jpg`. The folder's name is the label."""

import os
from collections.abc import Iterator
from pathlib import Path

from uncia.camtrap.names import is_card_folder
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.vocabulary import (
    group_of,
    intern_name,
    is_image_file,
    is_unknown_label,
    require_samples,
)

HINT = "one folder per class with its pictures in it, as `animals/fox/0001.jpg`"


def read_folders(source: Path) -> Dataset:
    """Pictures without bursts; folders between class and picture name the camera. Files that are no pictures, and
    classes called `unknown`, are left out and counted. Raises `DataError` where nothing is left."""
    pictures: list[Sample] = []
    others = unknown = 0
    for folder in sorted(entry for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if is_card_folder(folder.name):
            raise DataError(f"{folder} is a folder of a camera's card and no class: {HINT}")
        label, group = intern_name(folder.name), intern_name(group_of(folder.name))
        for path in _files(folder):
            if not is_image_file(path):
                others += 1
            elif is_unknown_label(label):
                unknown += 1
            else:
                camera = intern_name(
                    "/".join(each for each in path.parent.relative_to(folder).parts if not is_card_folder(each))
                )
                pictures.append(Sample(path, label, "", camera, group=group))
    require_samples(len(pictures), source, HINT)
    told = f"class folders {source.name}"
    if unknown:
        told += f"; {unknown:,} pictures of unknown class left out"
    if others:
        told += f"; {others:,} other files left out"
    return Dataset(tuple(pictures), told)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(where, name)
