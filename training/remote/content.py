"""Which files an input of a run consists of, and their hashes."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel

from uncia.camtrap.camtrap_dp import DESCRIPTOR
from uncia.training.datasets.reading import choose_reader
from uncia.training.remote.errors import RemoteError

__all__ = ["InputFile", "RunInput", "collect_dataset", "collect_tree", "hash_file"]

HashProgress = Callable[[int, int], None]
"""Called with the number of files hashed, and how many there are."""


class InputFile(BaseModel):
    """One file of an input."""

    name: str
    """Path relative to the folder that contains the input; slashes."""
    size: int
    """In bytes."""
    sha256: str


class RunInput(BaseModel):
    """A file or folder that a run reads: a dataset, weights, a package."""

    source: str
    """The path here, absolute."""
    base: str
    """The folder that the names are relative to."""
    argument: str
    """What the command names, relative to `base`; slashes."""
    files: list[InputFile]


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content. Raises `RemoteError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RemoteError(f"{path} cannot be read: {error.strerror}") from error


def collect_dataset(source: Path, kind: str, progress: HashProgress) -> RunInput:
    """The files of a dataset: those of its folder or, for a table or COCO file, the photographs that it lists.

    Hidden files are left out. Raises `DataError` where it is no dataset, and `RemoteError` where a photograph is
    outside its folder, because the paths there would differ.
    """
    if source.is_file() and source.name == DESCRIPTOR:
        source = source.parent
    # A relative source, so that a photograph that the source names by an absolute path is recognised.
    relative = Path(os.path.relpath(source))
    samples = choose_reader(relative, kind)(relative).samples
    folder = relative if source.is_dir() else relative.parent
    named = {sample.path for sample in samples}
    for path in sorted(named):
        if path.is_absolute() or ".." in path.relative_to(folder).parts:
            raise RemoteError(
                f"{source} names the photograph {path}, which is not in its folder: use paths relative to it, below it"
            )
    if source.is_dir():
        return collect_tree(source, progress)
    present = [path for path in sorted(named) if path.is_file()]
    return _collect(source, folder.resolve(), [relative, *present], progress)


def collect_tree(source: Path, progress: HashProgress) -> RunInput:
    """A file, or all files of a folder that are not hidden; links are followed. Raises `RemoteError`."""
    if not source.exists():
        raise RemoteError(f"{source} does not exist")
    paths = [source] if source.is_file() else list(_visible_files(source))
    return _collect(source, source.resolve().parent, paths, progress)


def _visible_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def _collect(source: Path, base: Path, paths: list[Path], progress: HashProgress) -> RunInput:
    """Hash the files. A folder's name is kept, because reports name the dataset by it."""
    top = source.absolute() if source.is_dir() else source.absolute().parent
    argument = Path(source.resolve().name if source.is_dir() else source.name)
    files = []
    for number, path in enumerate(paths, 1):
        inside = Path(os.path.relpath(path.absolute(), top))
        name = argument / inside if source.is_dir() else inside
        try:
            name.as_posix().encode()
        except UnicodeEncodeError as error:
            raise RemoteError(f"{path!r} has a name that is no UTF-8: rename it") from error
        files.append(InputFile(name=name.as_posix(), size=path.stat().st_size, sha256=hash_file(path)))
        progress(number, len(paths))
    return RunInput(source=str(source.absolute()), base=str(base), argument=argument.as_posix(), files=files)
