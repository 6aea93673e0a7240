"""`python -m uncia.infra.local.install_stamps`: install the Debian packages that provide the assets of composites.

The packages hold cut-outs of animals, people, vehicles and other objects, and landscape photographs for backgrounds.
`make models-report` uses them; all of them are optional. Without the cut-outs there are four coarse ones, without the
photographs all backgrounds are synthetic, and the command prints what a missing package means.
"""

from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.installing import system_packages

ROOT = Path("/")


@dataclass(frozen=True)
class AssetPackage:
    """A Debian package with assets."""

    name: str
    provides: str
    """A file or folder, relative to the root, that only this package installs."""
    consequence: str
    """What follows from its absence, as the rest of a sentence; begins with the download size."""

    @property
    def advice(self) -> str:
        """What follows from the absence of the package, and how to install it."""
        return f"Without {self.name} {self.consequence}. On Debian and Ubuntu: apt-get install {self.name}"


PACKAGES = (
    AssetPackage(
        "tuxpaint-stamps-default",
        "usr/share/tuxpaint/stamps/animals",
        "(161 MB) composites are rendered from four coarse cut-outs",
    ),
    AssetPackage(
        "lomiri-wallpapers-16.04",
        "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg",
        "(16 MB) fewer backgrounds of composites are photographs",
    ),
    AssetPackage(
        "plasma-workspace-wallpapers",
        "usr/share/wallpapers/Path",
        "(94 MB) fewer backgrounds of composites are photographs",
    ),
)


def install(root: Path = ROOT) -> str:
    """Install the missing packages, where the user may. Returns one line per package; empty if none was missing."""
    messages = []
    for package in PACKAGES:
        if (root / package.provides).exists():
            continue
        try:
            system_packages(package.name, otherwise=package.advice)
            messages.append(f"{package.name} is installed.")
        except StackError as error:
            messages.append(str(error))
    return "\n".join(messages)


if __name__ == "__main__":
    if messages := install():
        print(messages, flush=True)
