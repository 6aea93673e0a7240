"""Helpers of the installation steps: atomic part directories, system packages, and external commands."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.layout import parts_dir
from uncia.storage.atomic_dir import atomic_directory

_STAMP = "complete.json"


def digest(*parts: str | bytes) -> str:
    """Fingerprint of what a part is installed from: 16 hexadecimal digits of SHA-256."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.encode() if isinstance(part, str) else part)
        sha.update(b"\0")
    return sha.hexdigest()[:16]


def is_complete(part: str, made_from: str) -> bool:
    """True when the part is completely installed, from sources with the fingerprint `made_from`."""
    try:
        stamp = json.loads((parts_dir() / part / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp["made_from"] == made_from)


@contextlib.contextmanager
def build_directory(part: str, made_from: str, **facts: str) -> Iterator[Path]:
    """Yield a staging directory for the part. It replaces the part when the block succeeds and is deleted otherwise."""
    with atomic_directory(parts_dir() / part) as folder:
        yield folder
        (folder / _STAMP).write_text(json.dumps({"made_from": made_from, **facts}) + "\n", encoding="utf-8")


def run(command: Sequence[str | Path], failure: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output. Raises `StackError`: `failure`, then the last lines of the output."""
    try:
        done = subprocess.run(
            [str(argument) for argument in command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise StackError(f"{failure}: {error}") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise StackError(f"{failure}. Its output ends with:\n{tail}")
    return done.stdout


def note(text: str) -> None:
    """Print a line about the step that runs, below the line that names it."""
    print(f"        {text}", file=sys.stderr, flush=True)


def install_system_package(*choices: str, otherwise: str) -> None:
    """Install the first available of these system packages.

    Only as root on a Debian-like system, as in a container; never prompts for a password. Everywhere else, and when
    the installation fails, raises `StackError` with `otherwise`, which says what to do.
    """
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise StackError(otherwise)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    note(f"installing with apt: {' or '.join(choices)}")
    # Ignores failures: one broken package source does not matter when the package itself can be installed.
    subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    for choice in choices:
        try:
            run(
                ["apt-get", "install", "-y", "-qq", "--no-install-recommends", choice],
                f"apt could not install {choice}. {otherwise}",
                quiet,
            )
            return
        except StackError as error:
            last = error
    raise last
