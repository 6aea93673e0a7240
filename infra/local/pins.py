"""`python -m uncia.infra.local.pins > constraints.txt`: pins the versions of all dependencies as installed here.

Writes names and versions only, without URLs and hashes, so that any registry or mirror can serve them.
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HEADING = (
    "# What `make setup` installs, to the version: tested together. Written by `python -m uncia.infra.local.pins`."
)


def pins(requirements: list[str]) -> dict[str, str]:
    """`name==version` of these requirements and all their dependencies, by canonical name.

    Raises `PackageNotFoundError` for a package that is not installed: a partial set of pins would be misleading.
    """
    found: dict[str, str] = {}
    todo = [Requirement(text) for text in requirements]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in done:
            continue
        done.add(key)
        installed = distribution(requirement.name)
        # A local version such as `+cpu` names the origin of a build, which other registries do not have.
        found[key[0]] = f"{installed.metadata['Name']}=={installed.version.partition('+')[0]}"
        extras = [*requirement.extras, ""]
        for needed in map(Requirement, installed.requires or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return found


def main() -> None:
    """Print the constraints file."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    everything = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    try:
        found = pins(everything)
    except PackageNotFoundError as error:
        sys.exit(f"uncia: {error.name} is not installed here: run `make setup` first")
    print("\n".join([_HEADING, *(found[name] for name in sorted(found))]))


if __name__ == "__main__":
    main()
