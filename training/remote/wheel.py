"""A wheel of the sources that run here, so that the same code runs there."""

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import uncia
from uncia.training.remote.errors import RemoteError

__all__ = ["write_wheel"]

_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time of a zip archive: the same sources give the same bytes, which are then copied once."""


def write_wheel(folder: Path) -> Path:
    """Write the installed package as a wheel into `folder`: a checkout or an installation, without a build or network.

    Not by `python -m build`, which needs the sources of the project, an isolated environment and the network; what
    `make dist` builds has the same modules. Raises `RemoteError`.
    """
    try:
        installed = distribution("uncia")
    except PackageNotFoundError as error:
        raise RemoteError("uncia is not installed as a package: run `make setup`, or pip install .") from error
    info = f"uncia-{installed.version}.dist-info"
    files = dict(_modules(Path(uncia.__file__).parent))
    for name in ("METADATA", "entry_points.txt"):
        files[f"{info}/{name}"] = (installed.read_text(name) or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: uncia\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    path = folder / f"uncia-{installed.version}-py3-none-any.whl"
    # That of an earlier version, whose run ended with an error: a run has one wheel.
    for other in folder.glob("*.whl"):
        other.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return path


def _modules(package: Path) -> Iterator[tuple[str, bytes]]:
    """All files of the package below `uncia/`; the links of a checkout are followed."""
    for path in sorted(_files(package)):
        name = path.relative_to(package).as_posix()
        yield f"uncia/{name}", path.read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name == "__pycache__" or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _record(files: dict[str, bytes], own: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, content in files.items():
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={sha256}", len(content)])
    writer.writerow([own, "", ""])
    return text.getvalue().encode()
