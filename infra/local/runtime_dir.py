"""The stack's runtime directory: a folder with a short, plain path that exists as long as the stack is up.

It holds supervisord's control socket and links to the real folders. It is not in the temporary directory where that
can be avoided: there, a cleaner removed it under a running stack, and Kafka could not be restarted.
"""

import contextlib
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from uncia.errors import StackError

_PREFIX = "uncia-"
INSIDE = "short"
"""Its name inside the stack's own folder."""

_ODD = set(" %;:,'\"$`\\#=*?[]{}()<>|&!~")
"""Characters with a special meaning in Java's class path, supervisord's configuration, a shell, or Triton's stub."""

_MAX_LENGTH = 60
"""A Unix socket's path has at most 107 bytes; ours below this folder, with supervisord's suffix, is under 40."""


def create_runtime_dir(stack: Path) -> Path:
    """Create the runtime directory of a stack, with mode 0700.

    It is in the stack's own folder when that path is short and plain, else in this user's state directory
    (`/var/lib/uncia` for root, `$XDG_STATE_HOME/uncia`, `~/.local/state/uncia`), and in the temporary directory only
    when none of these is writable. Raises `StackError`.
    """
    if is_plain(stack):
        inside = stack / INSIDE
        try:
            inside.mkdir(mode=0o700)
            return inside
        except FileExistsError:
            # Left by a stack that was killed, or planted by another user who may write into the stack's folder.
            if _is_ours(inside):
                return inside
        except OSError:
            pass
    for home in state_homes():
        if is_plain(home) and (made := _in_home(home)):
            return made
    temporary = tempfile.gettempdir() if is_plain(Path(tempfile.gettempdir())) else "/tmp"
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary))
    except OSError as error:
        raise StackError(
            f"no folder can hold the stack's control socket ({error.strerror}): set UNCIA_STACK_DIR to a folder "
            "whose path is short and has no spaces"
        ) from error


def is_removable(runtime_dir: Path, stack: Path) -> bool:
    """True when the path of `runtime_dir` is one that `create_runtime_dir` creates for this stack."""
    return runtime_dir == stack / INSIDE or runtime_dir.name.startswith(_PREFIX)


def may_be_cleaned(runtime_dir: Path) -> bool:
    """True when the folder is inside a temporary directory, which other programs may clean."""
    cleaned = {Path(named).resolve() for named in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/run", "/dev/shm")}
    return bool(cleaned & set(runtime_dir.resolve().parents))


def is_plain(path: Path) -> bool:
    """True for an absolute path that is short enough for a socket and has no character that a part misreads."""
    text = str(path)
    return (
        path.is_absolute() and len(text) <= _MAX_LENGTH and text.isascii() and text.isprintable() and not _ODD & {*text}
    )


def state_homes() -> Iterator[Path]:
    """Uncia's folders in this user's state directories, in order of preference."""
    if os.geteuid() == 0:
        yield Path("/var/lib/uncia")
    if named := os.environ.get("XDG_STATE_HOME"):
        yield Path(named) / "uncia"
    homes = [os.environ.get("HOME", "")]
    # The user of a container may have a number and no entry in the user database.
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    for home in dict.fromkeys(home for home in homes if home):
        yield Path(home) / ".local" / "state" / "uncia"


def _in_home(home: Path) -> Path | None:
    """A new folder in `home`; None when `home` is not writable or another user could replace its contents."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.lstat().st_uid == os.geteuid() and not home.is_symlink():
            home.chmod(0o700)
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home)) if _is_ours(home) and _is_safe_below(home) else None
    except OSError:
        return None


def _is_ours(folder: Path) -> bool:
    """True for a real folder (no link) that this user owns and no other may write."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _is_safe_below(folder: Path) -> bool:
    """True when no parent folder lets another user rename its contents: all belong to us or root, or are sticky."""
    for parent in folder.resolve().parents:
        found = parent.stat()
        if found.st_uid not in (0, os.geteuid()):
            return False
        # Many systems give each user a private group with write permission; that group is allowed.
        others = stat.S_IWOTH | (0 if found.st_gid in (0, os.getegid()) else stat.S_IWGRP)
        if found.st_mode & others and not found.st_mode & stat.S_ISVTX:
            return False
    return True
