"""Lets other users of a machine read files, whatever the umask with which they were written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["make_readable", "visible_files"]


def make_readable(folder: Path) -> None:
    """Let every user read a folder with all that is in it. Nothing else about the permissions changes.

    Hidden names and links are left alone, as are files that another user owns or that disappear meanwhile.
    """
    for path in (folder, *visible_files(folder)):
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode & 0o7777
            wanted = mode | (0o055 if path.is_dir() else 0o044)
            if mode != wanted:
                path.chmod(wanted)


def visible_files(folder: Path) -> Iterator[Path]:
    """All folders and files below a folder, without links and hidden names."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *names):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path
