"""The exact versions in constraints.txt suit every Python that README promises."""

import re
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.specifiers import SpecifierSet

from tests.paths import ROOT

DEBIAN_12 = "3.11.2"
"""Its Python; the Python of a developer is often newer, and packages exist that need 3.11.5."""


def pinned() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [match[1] for line in lines if (match := re.match(r"([\w.-]+)==", line))]


def test_every_pinned_version_runs_on_the_python_of_debian_12() -> None:
    refusing = []
    for name in pinned():
        try:
            required = metadata(name).json.get("requires_python")
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed here: run `make setup`")
        if required and not SpecifierSet(str(required)).contains(DEBIAN_12):
            refusing.append(f"{name}: {required}")
    assert not refusing
