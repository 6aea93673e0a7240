"""`python -m uncia.infra.local.install_web_assets`: fetches the JavaScript libraries of the dashboard from the npm
registry, so that its pages work without the internet.

Optional: without them the pages work by links and forms, without live filters, endless scrolling and the map.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local.install_npm import NpmPackage, download, extract
from uncia.infra.local.install_tools import build_directory, digest, is_complete
from uncia.infra.local.layout import parts_dir
from uncia.terminal import echo

PART = "web_assets"

_WITHOUT = "the dashboard works without live filters and without its map; `make setup` tries again"


@dataclass(frozen=True)
class Library:
    """One library: its package, and its files as path in the archive by name in the folder."""

    package: NpmPackage
    files: tuple[tuple[str, str], ...]


LIBRARIES = (
    Library(
        NpmPackage(
            "htmx.org",
            "2.0.11",
            "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        ),
        (("htmx.min.js", "package/dist/htmx.min.js"), ("htmx.LICENSE", "package/LICENSE")),
    ),
    Library(
        NpmPackage(
            "leaflet",
            "1.9.4",
            "sha512-nxS1ynzJOmOlHp+iL3FyWqK89GtNL8U8rvlMOsQdTTssxZwCXh8N2NB3GDQOL+YR3XnWyZAxwQixURb+FA74PA==",
        ),
        (
            ("leaflet.js", "package/dist/leaflet.js"),
            ("leaflet.css", "package/dist/leaflet.css"),
            ("leaflet.LICENSE", "package/LICENSE"),
        ),
    ),
    Library(
        # Used by the browser tests alone: finds faults of accessibility.
        NpmPackage(
            "axe-core",
            "4.14.1",
            "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        ),
        (("axe.min.js", "package/axe.min.js"), ("axe.LICENSE", "package/LICENSE")),
    ),
)


def complete() -> bool:
    """True when all files of the current versions are installed."""
    names = [name for library in LIBRARIES for name, _ in library.files]
    return is_complete(PART, _fingerprint()) and all((parts_dir() / PART / name).is_file() for name in names)


def install() -> None:
    """Download the packages and keep their files. Prints why they were left out where that fails."""
    parts_dir().mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".web-assets-", dir=parts_dir()) as temporary,
            build_directory(PART, _fingerprint()) as folder,
        ):
            for library in LIBRARIES:
                archive = download(library.package, Path(temporary))
                extract(archive, dict(library.files), folder, library.package.name)
    except UnciaError as error:
        echo(f"        left out: {' '.join(str(error).splitlines()[:1])}: {_WITHOUT}", err=True)


def main() -> None:
    """Install, for images of containers."""
    if not complete():
        install()


def _fingerprint() -> str:
    return digest(*(f"{library.package}{library.files}" for library in LIBRARIES))


if __name__ == "__main__":
    main()
