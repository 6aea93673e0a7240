"""`python -m uncia.infra.local.pins > constraints.txt`: the exact versions of all dependencies, as installed here.

Only names and versions: no addresses and no hashes, so that any registry or mirror can serve them.
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
    """`name==version` of these requirements and of everything that they need in turn, by canonical name.

    Raises `PackageNotFoundError` for one that is not installed: pins of half a set would be worse than none.
    """
    found: dict[str, str] = {}
    todo = [Requirement(text) for text in requirements]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement = todo.pop()
        asked = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if asked in done:
            continue
        done.add(asked)
        installed = distribution(requirement.name)
        # What follows a plus is where a build came from, not which version it is.
        found[asked[0]] = f"{installed.metadata['Name']}=={installed.version.partition('+')[0]}"
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
        sys.exit(f"uncia: {error.name} is not installed here: `make setup` first")
    print("\n".join([_HEADING, *(found[name] for name in sorted(found))]))


if __name__ == "__main__":
    main()
