"""The stack's short folder: a place with a short, plain path that lasts as long as the stack is up.

supervisord's control socket and links to the real folders lie in it. A folder in the temporary directory did until a
cleaner removed it under a running stack, and Kafka could not start again.
"""

import contextlib
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from uncia.errors import StackError

PREFIX = "uncia-"
INSIDE = "short"
"""Its name where it lies in the stack's own folder."""

_ODD = set(" %;:,'\"$`\\#=*?[]{}()<>|&!~")
"""Characters that one of Java's class path, supervisord's file, a shell, or Triton's stub reads in its own way."""

_LONGEST = 60
"""A Unix socket's path may have 107 bytes; our part of it, with supervisord's own suffix, takes under 40."""


def make_short_folder(stack: Path) -> Path:
    """Make it, new and for the owner alone.

    In the stack's own folder where that path is short and plain; else where this user's programs keep their state
    (`/var/lib/uncia` for root, `$XDG_STATE_HOME/uncia`, `~/.local/state/uncia`). The temporary directory comes last,
    where no home can be written. Raises `StackError`.
    """
    if is_plain(stack):
        inside = stack / INSIDE
        try:
            inside.mkdir(mode=0o700)
            return inside
        except FileExistsError:
            # Of a stack that was killed; or, where others may write into the stack's folder, somebody's trap.
            if _is_ours(inside):
                return inside
        except OSError:
            pass
    for home in state_homes():
        if is_plain(home) and (made := _in_home(home)):
            return made
    temporary = tempfile.gettempdir() if is_plain(Path(tempfile.gettempdir())) else "/tmp"
    try:
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
    except OSError as error:
        raise StackError(
            f"there is no folder for the stack's control socket ({error.strerror}): let UNCIA_STACK_DIR name a folder "
            "whose path is short and has no spaces"
        ) from error


def is_ours_to_remove(short: Path, stack: Path) -> bool:
    """True for a folder that `make_short_folder` made for this stack, by its name and place."""
    return short == stack / INSIDE or short.name.startswith(PREFIX)


def may_be_cleaned(short: Path) -> bool:
    """True where programs that clean temporary directories look."""
    cleaned = {Path(named).resolve() for named in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/run", "/dev/shm")}
    return bool(cleaned & set(short.resolve().parents))


def is_plain(path: Path) -> bool:
    """True for an absolute path that is short enough for a socket and has no character that a part reads wrongly."""
    text = str(path)
    return path.is_absolute() and len(text) <= _LONGEST and text.isascii() and text.isprintable() and not _ODD & {*text}


def state_homes() -> Iterator[Path]:
    """Folders of Uncia's own among those in which this user's programs keep their state, best first."""
    if os.geteuid() == 0:
        yield Path("/var/lib/uncia")
    if named := os.environ.get("XDG_STATE_HOME"):
        yield Path(named) / "uncia"
    homes = [os.environ.get("HOME", "")]
    # A container's user may have a number and no name.
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    for home in dict.fromkeys(home for home in homes if home):
        yield Path(home) / ".local" / "state" / "uncia"


def _in_home(home: Path) -> Path | None:
    """A new folder in it; None where it cannot be written, or another user could replace what is in it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.lstat().st_uid == os.geteuid() and not home.is_symlink():
            home.chmod(0o700)
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=home)) if _is_ours(home) and _is_safe_below(home) else None
    except OSError:
        return None


def _is_ours(folder: Path) -> bool:
    """A real folder, no link, that belongs to us and that nobody else may write."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _is_safe_below(folder: Path) -> bool:
    """No folder above lets another user rename what is in it: all belong to us or root, or are sticky."""
    for above in folder.resolve().parents:
        found = above.stat()
        if found.st_uid not in (0, os.geteuid()):
            return False
        # Many systems give each user a group of their own, and let it write.
        others = stat.S_IWOTH | (0 if found.st_gid in (0, os.getegid()) else stat.S_IWGRP)
        if found.st_mode & others and not found.st_mode & stat.S_ISVTX:
            return False
    return True
