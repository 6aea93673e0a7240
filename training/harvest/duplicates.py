"""Leave out near duplicates: one photograph that several sources hold in other sizes and encodings."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from uncia.training.dataset_check.contents import read_contents
from uncia.training.dataset_check.near_duplicates import ComparedFiles, find_near_duplicates
from uncia.training.datasets.dataset import Sample
from uncia.training.harvest.query import LOCAL
from uncia.training.harvest.store import StoredPicture
from uncia.training.progress import ProgressCallback

__all__ = ["capture_time", "find_duplicate_pictures"]


def find_duplicate_pictures(
    pictures: Sequence[StoredPicture], folder: Path, progress: ProgressCallback | None = None
) -> tuple[dict[int, int], dict[int, str]]:
    """The pictures that show the photograph of an earlier one, with its id; and files that can no longer be read.

    Of several copies the first one stays: positives come before negatives. Pictures of one burst are never duplicates.
    """
    paths = {folder / picture.file: picture for picture in pictures}
    contents, broken = read_contents(list(paths), progress)
    readable = [(picture, contents[path]) for path, picture in paths.items() if path in contents]
    unreadable = {paths[file.path].id: file.reason for file in broken}
    if not readable:
        return {}, unreadable
    files = ComparedFiles.of([(_compared(picture, folder), content) for picture, content in readable])
    duplicates = {}
    for group in find_near_duplicates(files):
        first, *others = sorted(readable[index][0].id for index in group)
        duplicates.update(dict.fromkeys(others, first))
    return duplicates, unreadable


def _compared(picture: StoredPicture, folder: Path) -> Sample:
    # Sources write the time of one photograph in different zones; only those of one camera can be compared.
    taken = capture_time(picture.record.taken) if picture.record.source == LOCAL else None
    return Sample(folder / picture.file, picture.label, picture.record.burst or str(picture.id), "", taken)


def capture_time(text: str) -> datetime | None:
    """The time that a source states, without its offset; None where it states none with an hour."""
    if len(text) < 16:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
