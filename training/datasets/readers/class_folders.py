"""Class folders: `folder/<class>/…/picture.jpg`. The folder's name is the label."""

import os
from collections.abc import Iterator
from pathlib import Path

from uncia.camtrap.names import is_card_folder
from uncia.training.datasets import DataError
from uncia.training.datasets.images import DataSet, Picture
from uncia.training.datasets.readers.vocabulary import group_of, is_picture, need_pictures, same, tells_nothing

HINT = "one folder per class with its pictures in it, as `animals/fox/0001.jpg`"


def read_folders(source: Path) -> DataSet:
    """Pictures without bursts; folders between class and picture name the camera. Files that are no pictures, and
    classes called `unknown`, are left out and counted. Raises `DataError` where nothing is left."""
    pictures: list[Picture] = []
    others = unknown = 0
    for folder in sorted(entry for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if is_card_folder(folder.name):
            raise DataError(f"{folder} is a folder of a camera's card and no class: {HINT}")
        label, group = same(folder.name), same(group_of(folder.name))
        for path in _files(folder):
            if not is_picture(path):
                others += 1
            elif tells_nothing(label):
                unknown += 1
            else:
                camera = same(
                    "/".join(each for each in path.parent.relative_to(folder).parts if not is_card_folder(each))
                )
                pictures.append(Picture(path, label, "", camera, group=group))
    need_pictures(len(pictures), source, HINT)
    told = f"class folders {source.name}"
    if unknown:
        told += f"; {unknown:,} pictures of unknown class left out"
    if others:
        told += f"; {others:,} other files left out"
    return DataSet(tuple(pictures), told)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(where, name)
