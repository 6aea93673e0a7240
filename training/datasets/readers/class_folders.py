"""Class folders: `folder/<class>/…/image.jpg`. The name of the folder is the label."""

import os
from collections.abc import Iterator
from pathlib import Path

from uncia.camtrap.names import is_card_folder
from uncia.camtrap.vocabulary import group_of, is_unknown
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import intern_name, is_image_file, require_samples

_HINT = "one folder per class with its images in it is needed, as `animals/fox/0001.jpg`"


def read_folders(source: Path) -> Dataset:
    """Read class folders; samples have no burst yet, and folders between class and image name the camera.

    Files that are not images and classes called `unknown` are left out and counted. Raises `DataError` where nothing
    remains.
    """
    samples: list[Sample] = []
    others = unknown = 0
    for folder in sorted(entry for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if is_card_folder(folder.name):
            raise DataError(f"{folder} is a folder of a camera's memory card, not a class: {_HINT}")
        label, group = intern_name(folder.name), intern_name(group_of(folder.name))
        for path in _files(folder):
            if not is_image_file(path):
                others += 1
            elif is_unknown(label):
                unknown += 1
            else:
                samples.append(Sample(path, label, "", _camera(path.parent.relative_to(folder)), group=group))
    require_samples(len(samples), source, _HINT)
    left_out = [(unknown, "images of unknown class"), (others, "other files")]
    notes = [f"{count:,} {kind} left out" for count, kind in left_out if count]
    return Dataset(tuple(samples), "; ".join([f"class folders {source.name}", *notes]))


def _camera(folders: Path) -> str:
    return intern_name("/".join(name for name in folders.parts if not is_card_folder(name)))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(parent, name)
