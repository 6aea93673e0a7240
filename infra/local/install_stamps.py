"""`python -m uncia.infra.local.install_stamps`: installs the image material for the composites of `make models-report`.

System packages with cut-outs of animals, people, vehicles and objects, and with landscape photographs as backgrounds.
They are optional. Without cut-outs, composites use four coarse built-in ones; without photographs, generated
backgrounds. A package that may not be installed is reported in one sentence and is no error.
"""

from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import install_system_package

ROOT = Path("/")


@dataclass(frozen=True)
class MaterialPackage:
    """One system package."""

    package: str
    provides: str
    """A file or folder below the root that only this package contains."""
    without: str
    """The consequence of not having it."""

    @property
    def hint(self) -> str:
        """The consequence of not having the package, and the command that installs it."""
        return f"Without {self.package} {self.without}. On Debian and Ubuntu: apt-get install {self.package}"


PACKAGES = (
    MaterialPackage(
        "tuxpaint-stamps-default",
        "usr/share/tuxpaint/stamps/animals",
        "(161 MB) composites use four coarse cut-outs",
    ),
    MaterialPackage(
        "lomiri-wallpapers-16.04",
        "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg",
        "(16 MB) fewer backgrounds of the composites are photographs",
    ),
    MaterialPackage(
        "plasma-workspace-wallpapers",
        "usr/share/wallpapers/Path",
        "(94 MB) fewer backgrounds of the composites are photographs",
    ),
)


def install(root: Path = ROOT) -> str:
    """Install the missing packages where permitted. Returns one line per missing package; empty when none is."""
    lines = []
    for material in PACKAGES:
        if (root / material.provides).exists():
            continue
        try:
            install_system_package(material.package, otherwise=material.hint)
            lines.append(f"{material.package} is installed.")
        except StackError as error:
            lines.append(str(error))
    return "\n".join(lines)


if __name__ == "__main__":
    if report := install():
        print(report, flush=True)
