"""Folders that are there whole or not at all: filled beside their place, then moved there.

A draft lies beside the place, on its file system, and the two are exchanged in one step. Where the system cannot, what
stood in the place goes into the draft for the moment of the move, and comes back when that fails; where a kill came in
that very moment, it is still in the draft: who writes next to it calls `remove_stale_staging` first, to put it back.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from uncia.storage.durable import sync_folder, sync_tree

STAGING_PREFIX = ".writing-"
"""How the names of drafts begin that `atomic_directory` makes."""

# Names that no content of a draft has.
_REPLACED = ".replaced"
_PLACE = ".place"

_WHERE_WE_ARE = -100
_EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


@contextlib.contextmanager
def atomic_directory(place: Path) -> Iterator[Path]:
    """An empty folder that takes `place`'s when the block ends well, and is gone when it does not.

    What killed runs left for the same place is tidied first. Raises `OSError`; what was there is then as it was.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_staging(place.parent, f"{STAGING_PREFIX}{place.name}-")
    with staging_directory(place.parent, f"{STAGING_PREFIX}{place.name}-") as folder:
        made = folder / "made"
        made.mkdir()
        yield made
        made.chmod(0o755)  # for all to read, whoever wrote it
        replace_directory(made, place, folder)


@contextlib.contextmanager
def staging_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder in `parent` to make something in; gone afterwards, with all that is still in it."""
    folder, held = _new(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def replace_directory(made: Path, place: Path, staging_directory: Path) -> None:
    """Move a finished folder out of its draft to its place. What was there goes into the draft, and back when that
    fails."""
    # Its bytes first: a name that is on disk before them leads to empty files after a power cut.
    sync_tree(made)
    if place.exists() and exchange(made, place):
        sync_folder(place.parent)
        return
    replaced = staging_directory / _REPLACED
    try:
        if place.exists():
            # Said before it is done, for `tidy`.
            (staging_directory / _PLACE).write_text(os.path.relpath(place, staging_directory.parent), encoding="utf-8")
            place.rename(replaced)
        made.rename(place)
    except BaseException:
        _put_back(staging_directory)
        raise
    sync_folder(place.parent)


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, so that there is no moment without either; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_WHERE_WE_ARE, os.fsencode(one), _WHERE_WE_ARE, os.fsencode(other), _EXCHANGE)
    return done == 0


def remove_stale_staging(parent: Path, prefix: str = STAGING_PREFIX) -> None:
    """Take away the drafts that killed runs left; what one had moved aside and not replaced yet is put back.

    Drafts of runs that live are left alone, and so are those that may not be touched, or cannot be put back.
    """
    if not parent.is_dir():
        return
    for folder in [each for each in parent.iterdir() if each.name.startswith(prefix) and each.is_dir()]:
        # Somebody else may be tidying, too; and another user's drafts are no business of ours.
        with contextlib.suppress(OSError):
            if (held := _hold(folder)) is None:
                continue
            try:
                _put_back(folder)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


def _put_back(staging_directory: Path) -> None:
    replaced = staging_directory / _REPLACED
    if replaced.exists():
        place = staging_directory.parent / (staging_directory / _PLACE).read_text(encoding="utf-8")
        if not place.exists():
            replaced.rename(place)


def _new(parent: Path, prefix: str) -> tuple[Path, int]:
    """A folder, and the descriptor that holds it. One that somebody tidied away before it was held is made again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            held = _hold(folder)
            if held is not None:
                if folder.exists():
                    return folder, held
                os.close(held)


def _hold(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed or the process ends; None where another one is holding
    it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        pass  # a file system without locks: nobody can be seen holding anything there
    return descriptor
