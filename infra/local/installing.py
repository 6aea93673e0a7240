"""What the steps of the installation share: a complete folder or none, the system's packages, and running tools."""

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
    """Identifies what a part was installed from."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.encode() if isinstance(part, str) else part)
        sha.update(b"\0")
    return sha.hexdigest()[:16]


def is_complete(part: str, made_from: str) -> bool:
    """True when the part is there, whole, and made from the same recipe."""
    try:
        stamp = json.loads((parts_dir() / part / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp["made_from"] == made_from)


@contextlib.contextmanager
def building(part: str, made_from: str, **facts: str) -> Iterator[Path]:
    """A folder to build the part in; it takes the part's place when the block ends well, and vanishes otherwise."""
    with atomic_directory(parts_dir() / part) as folder:
        yield folder
        (folder / _STAMP).write_text(json.dumps({"made_from": made_from, **facts}) + "\n", encoding="utf-8")


def run(command: Sequence[str | Path], failure: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a tool and return what it printed. Raises `StackError`: `failure`, then the tool's last lines."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
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
        raise StackError(f"{failure}. It said:\n{tail}")
    return done.stdout


def system_packages(*choices: str, otherwise: str) -> None:
    """Install the first of these system packages that there is, where that is allowed; else say what to do.

    Allowed means: a Debian-like system, and we are root, as in a container. Nobody is asked for a password.
    """
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise StackError(otherwise)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    print(f"        installing by apt: {' or '.join(choices)}", file=sys.stderr, flush=True)
    # Other people's sources may be broken; what counts is whether the package can be installed then.
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
