"""`python -m uncia.infra.local.install_stamps`: what the composites of `make models-report` are made of, where it may.

Cut-outs of animals, people, vehicles and things, and landscape photographs to put them before. Nothing needs them:
without cut-outs there are four coarse ones, without photographs made-up places, and a sentence here says so.
"""

from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.installing import system_packages

ROOT = Path("/")


@dataclass(frozen=True)
class Part:
    """One package, a file or folder below the root that only it brings, and what is without it."""

    package: str
    brings: str
    without: str

    @property
    def otherwise(self) -> str:
        """What follows where it may not be installed, and how somebody who may does it."""
        return f"Without {self.package} {self.without}. On Debian and Ubuntu: apt-get install {self.package}"


PARTS = (
    Part(
        "tuxpaint-stamps-default",
        "usr/share/tuxpaint/stamps/animals",
        "(161 MB) composites are drawn from four coarse cut-outs",
    ),
    Part(
        "lomiri-wallpapers-16.04",
        "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg",
        "(16 MB) fewer of the composites' places are photographs",
    ),
    Part(
        "plasma-workspace-wallpapers",
        "usr/share/wallpapers/Path",
        "(94 MB) fewer of the composites' places are photographs",
    ),
)


def install(root: Path = ROOT) -> str:
    """Install what is missing and may be; what came of it, a sentence for each, empty when all was there."""
    told = []
    for part in PARTS:
        if (root / part.brings).exists():
            continue
        try:
            system_packages(part.package, otherwise=part.otherwise)
            told.append(f"{part.package} is installed.")
        except StackError as error:
            told.append(str(error))
    return "\n".join(told)


if __name__ == "__main__":
    if said := install():
        print(said, flush=True)
