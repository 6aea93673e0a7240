"""The packages that a run needs over there: what the package with the extra `models` requires, at pinned versions."""

from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import uncia
from uncia.training.remote.errors import RemoteError
from uncia.training.remote.plan import EnvironmentSpec

__all__ = ["environment_spec", "version_problems"]

_EXTRA = "models"


def environment_spec(constraints_file: Path | None = None) -> EnvironmentSpec:
    """The environment that runs here, or what `constraints.txt` of the checkout says of it."""
    requirements = [_requirement(line) for line in requires("uncia") or () if _is_needed(Requirement(line))]
    path = constraints_file or Path(uncia.__file__).resolve().parent.parent / "constraints.txt"
    constraints = _read_pins(path) if path.is_file() else _installed_pins()
    pinned = dict(line.split("==", 1) for line in constraints)
    names = sorted({canonicalize_name(Requirement(line).name) for line in requirements})
    checked = {name: pinned.get(name) or _version(name) for name in names}
    return EnvironmentSpec(requirements=sorted(set(requirements)), constraints=constraints, checked=checked)


def version_problems(checked: dict[str, str], found: dict[str, str | None]) -> list[str]:
    """What an environment lacks, a phrase per package. A local version (`+cpu`) is that of the same release."""
    problems = []
    for name, wanted in checked.items():
        installed = found.get(name)
        if installed is None:
            problems.append(f"{name} is missing")
        elif installed.split("+")[0] != wanted.split("+")[0]:
            problems.append(f"{name} is {installed}, not {wanted}")
    return problems


def _is_needed(requirement: Requirement) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({"extra": ""}) or marker.evaluate({"extra": _EXTRA})


def _requirement(line: str) -> str:
    """The requirement without its marker: it was evaluated here, where the same Python versions are supported."""
    requirement = Requirement(line)
    requirement.marker = None
    return str(requirement)


def _read_pins(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pins = []
    for line in lines:
        if line and not line.startswith("#"):
            name, _, pinned = line.partition("==")
            pins.append(f"{canonicalize_name(name)}=={pinned.partition(';')[0].strip()}")
    return pins


def _installed_pins() -> list[str]:
    """All packages of this environment, where there is no checkout."""
    return sorted({f"{canonicalize_name(one.name)}=={one.version.split('+')[0]}" for one in distributions()})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise RemoteError(f"{name} is not installed here: {error}") from error
