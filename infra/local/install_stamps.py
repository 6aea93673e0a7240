"""`python -m infra.local.install_stamps`: cut-out animals for the composites of `make models-report`, where it may.

Nothing needs them: without them there are four coarse cut-outs, and one sentence here says so.
"""

from pathlib import Path

from infra.local.installing import system_packages
from uncia.errors import StackError

PACKAGE = "tuxpaint-stamps-default"
PLACE = Path("/usr/share/tuxpaint/stamps/animals")
"""Where Debian puts them."""

_OTHERWISE = (
    f"Without {PACKAGE} (161 MB) composites are drawn from four coarse cut-outs. On Debian and Ubuntu: "
    f"apt-get install {PACKAGE}"
)


def install(place: Path = PLACE) -> str:
    """Install the package where it is missing and may be; what came of it, in one sentence, empty when it was there."""
    if place.is_dir():
        return ""
    try:
        system_packages(PACKAGE, otherwise=_OTHERWISE)
    except StackError as error:
        return str(error)
    return f"{PACKAGE} is installed."


if __name__ == "__main__":
    if said := install():
        print(said, flush=True)
