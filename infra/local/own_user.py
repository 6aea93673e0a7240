"""Runs a command as a user of its own, who cannot read what the stack's user reads: for Triton, where that is root.

A model is a program: adding one runs its code in Triton. As another user this code reads no key of the stack. The
folders that the command needs are often below ones that only root may enter, such as a clone in `/root`, or the stack's
own folder. Therefore the process first gets a view of the file system of its own (a mount namespace): each closed
folder is empty there, but for what the command needs. Then it drops all rights of root.

All of this is tried in a child process first. Where it is not possible, such as in a container without the right to
mount, the fallback is run as the user that this process has, and the reason is printed.

    python -m uncia.infra.local.own_user JSON       with the fields of `Confined`
"""

import ctypes
import errno
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from uncia.errors import StackError
from uncia.infra.local.processes import ID_MARK, PART_MARK
from uncia.storage.readable import make_readable, visible_files
from uncia.terminal import echo

__all__ = ["Confined", "closed_ancestor", "needed_folders", "own_command", "scrubbed", "user_number"]

_CLONE_NEWNS = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 4096, 16384, 1 << 19
_PR_SET_NO_NEW_PRIVS = 38
"""Linux constants from `linux/sched.h`, `linux/mount.h` and `linux/prctl.h`."""

_CAP_SYS_PTRACE = 19
"""Without it root cannot read the environment of another user's process, by which the stack finds its processes."""

_SHARED_MEMORY = "/dev/shm"

_LOWEST_USER, _USERS = 61_184, 4_336
"""The numbers that systemd gives to users without an account (61184 to 65519); no account of a system has them."""


@dataclass(frozen=True)
class Confined:
    """A command and what it may use. All paths are absolute."""

    user: int
    """Number of the user and of its group, which need no account."""
    command: tuple[str, ...]
    fallback: tuple[str, ...]
    """Run as the present user where the command cannot be run as the other one."""
    own: str
    """A folder that belongs to the user, for its socket and temporary files."""
    needs: tuple[str, ...]
    """Folders, or links to them, that it reads."""
    models: str
    """The one among them whose files are made readable first: they may have been written with any umask."""
    hidden: str
    """A folder that it must not be able to read."""

    def to_json(self) -> str:
        """The argument of this module's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Confined":
        """The inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        for name in ("command", "fallback", "needs"):
            values[name] = tuple(values[name])
        return cls(**values)


def own_command(confined: Confined) -> list[str]:
    """The command line that runs it."""
    return [sys.executable, "-m", "uncia.infra.local.own_user", confined.to_json()]


def user_number(stack_id: str) -> int:
    """A user for this stack, the same at each start, who has no account."""
    first = int(stack_id, 16) % _USERS
    for step in range(_USERS):
        number = _LOWEST_USER + (first + step) % _USERS
        try:
            pwd.getpwuid(number)
        except KeyError:
            return number
    raise StackError("every number of a user without an account is taken")


def closed_ancestor(path: Path) -> Path | None:
    """The topmost folder above `path` that a user without any relation to it cannot enter; None where there is none."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


def needed_folders(paths: Iterable[Path]) -> list[Path]:
    """The real folders behind these paths, without those inside another one."""
    real = sorted({path.resolve() for path in paths})
    return [path for path in real if not set(path.parents) & set(real)]


def scrubbed(environment: Mapping[str, str], own: str) -> dict[str, str]:
    """The environment without Uncia's settings, which may contain keys, and with folders that the user may write."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in (ID_MARK, PART_MARK) or not name.startswith(("UNCIA_", "AWS_"))
    }
    return {**kept, "HOME": own, "TMPDIR": own}


def run(confined: Confined) -> NoReturn:
    """Replace this process by the command, or by its fallback."""
    if reason := _rehearse(confined):
        echo(f"uncia: runs as the stack's own user, whose files it can read: {reason}", err=True)
        os.chown(confined.own, os.geteuid(), os.getegid())
        os.execvp(confined.fallback[0], confined.fallback)
    _confine(confined)
    environment = scrubbed(os.environ, confined.own)
    os.execvpe(confined.command[0], confined.command, environment)


def _rehearse(confined: Confined) -> str:
    """Confine a child process and check there what the command needs. Returns why it is not possible, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _confine(confined)
            problem = _problem(confined)
        except (OSError, StackError, subprocess.SubprocessError) as error:
            problem = str(error)
        os.write(writing, problem.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        problem = answer.read()
    _, status = os.waitpid(child, 0)
    return problem if os.waitstatus_to_exitcode(status) == 0 else problem or f"the trial ended with status {status}"


def _confine(confined: Confined) -> None:
    """Give this process its own view of the file system, and make it one of the user. Raises `OSError`."""
    if not _effective_capabilities() >> _CAP_SYS_PTRACE & 1:
        raise StackError("this system does not let root see the processes of other users (CAP_SYS_PTRACE)")
    make_readable(Path(confined.models))
    own, user = confined.own, confined.user
    os.chown(own, user, user)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(_CLONE_NEWNS), "unshare")
    _separate()
    _hide([Path(own), *map(Path, confined.needs)])
    # Python models exchange frames and scores with Triton through shared memory, which no other process sees.
    _mount("tmpfs", _SHARED_MEMORY, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=0700,uid={user},gid={user}")
    os.chdir("/")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # No program with the setuid bit gives rights back.
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def _separate() -> None:
    """Let no mount of this process be seen by others."""
    try:
        _mount("none", "/", "", _MS_SLAVE | _MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        return
    # The root is a folder of a mount that has no name here (chroot). A copy of the whole tree becomes the root; it is
    # made on a mount that has a name, and that is covered afterwards.
    _mount("none", _SHARED_MEMORY, "", _MS_SLAVE | _MS_REC)
    _mount("tmpfs", _SHARED_MEMORY, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0700,size=1m")
    root = f"{_SHARED_MEMORY}/root"
    Path(root).mkdir()
    _mount("/", root, "", _MS_BIND | _MS_REC)
    _mount("none", root, "", _MS_SLAVE | _MS_REC)
    os.chroot(root)
    os.chdir("/")


def _hide(paths: list[Path]) -> None:
    """Cover each closed folder above these paths with an empty one that holds them alone."""
    needed = needed_folders(paths)
    links = {path: real for path in paths if (real := path.resolve()) != path}
    # Through these descriptors, because the folders cannot be named once they are covered.
    handles = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in needed}
    places = [*needed, *(path.parent.resolve() / path.name for path in links)]
    closed = {folder for path in places if (folder := closed_ancestor(path)) is not None}
    umask = os.umask(0o022)
    try:
        for folder in sorted(closed):
            if not set(folder.parents) & closed:
                _mount("tmpfs", str(folder), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=1m")
        for path, handle in handles.items():
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", str(path), "", _MS_BIND | _MS_REC)
            os.close(handle)
        for path, real in links.items():
            if not os.path.lexists(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(real)
    finally:
        os.umask(umask)


def _problem(confined: Confined) -> str:
    """What this process, which is the user's now, lacks or has too much of; empty when all is well."""
    if os.access(confined.hidden, os.R_OK) or os.access("/proc/1/environ", os.R_OK):
        return "the user could read the stack's keys all the same"
    if not os.access(confined.command[0], os.X_OK):
        return f"other users cannot run {confined.command[0]}"
    if not os.access(os.devnull, os.R_OK | os.W_OK):
        return f"other users cannot use {os.devnull}"
    for folder in (confined.own, *confined.needs):
        if not os.access(folder, os.R_OK | os.X_OK):
            return f"other users cannot read {folder}"
    for path in visible_files(Path(confined.models)):
        if not os.access(path, os.R_OK):
            return f"other users cannot read {path}"
    python = shutil.which("python3") or "python3"
    done = subprocess.run([python, "-c", ""], env=scrubbed(os.environ, confined.own), capture_output=True, check=False)
    return f"other users cannot run {python}" if done.returncode else ""


def _effective_capabilities() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    names = [os.fsencode(value) if value else None for value in (source, target, kind, options)]
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.mount(*names[:3], ctypes.c_ulong(flags), names[3]), f"mount {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    run(Confined.from_json(sys.argv[1]))
