"""A folder, written beside its place first, then moved there whole: a kill at any moment leaves one or the other."""

import ctypes
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REPLACED = "replaced"
_WHERE_WE_ARE = -100
_EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


@contextmanager
def draft_beside(place: Path) -> Iterator[Path]:
    """A folder beside `place` to write in, gone afterwards with all that is still in it. Makes the parents.

    What killed processes left of their drafts is taken away first; what another one is still writing is not.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    _tidy(place)
    draft = Path(tempfile.mkdtemp(prefix=f".writing-{place.name}-{os.getpid()}-", dir=place.parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(made: Path, place: Path, draft: Path) -> None:
    """Move a finished folder to its place, for all to read. What was there goes into `draft`, and stays where it was
    if that fails."""
    made.chmod(0o755)
    if place.exists() and exchange(made, place):
        return
    replaced = draft / _REPLACED
    try:
        if place.exists():
            place.rename(replaced)
        made.rename(place)
    except BaseException:
        if replaced.exists() and not place.exists():
            replaced.rename(place)
        raise


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, so that there is no moment without either; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_WHERE_WE_ARE, os.fsencode(one), _WHERE_WE_ARE, os.fsencode(other), _EXCHANGE)
    return done == 0


def _tidy(place: Path) -> None:
    """Remove dead processes' drafts of this place; had one of them moved aside what was there, put that back."""
    for draft in place.parent.glob(f".writing-{glob.escape(place.name)}-*"):
        # A place may be called as another's beginning: `ridge`, and `ridge-2`.
        told = re.fullmatch(r"(\d+)-[^-]+", draft.name.removeprefix(f".writing-{place.name}-"))
        if told is None or Path("/proc", told[1]).exists():
            continue
        if not place.exists() and (draft / _REPLACED).exists():
            (draft / _REPLACED).rename(place)
        shutil.rmtree(draft, ignore_errors=True)
