"""The assets of composites are installed where that is allowed; their absence stops nothing."""

import csv
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import install_stamps
from uncia.infra.local.install_stamps import PACKAGES, install
from uncia.training.scenes import backgrounds


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the packages that the code asked to install; nothing is installed."""
    names: list[str] = []
    monkeypatch.setattr(install_stamps, "system_packages", lambda package, otherwise: names.append(package))
    return names


def create_assets(root: Path, *names: str) -> None:
    for package in PACKAGES:
        if package.name in names:
            (root / package.provides).mkdir(parents=True)


def test_nothing_is_installed_if_all_assets_exist(tmp_path: Path, requested: list[str]) -> None:
    create_assets(tmp_path, *(package.name for package in PACKAGES))
    assert install(tmp_path) == ""
    assert requested == []


def test_only_missing_packages_are_installed(tmp_path: Path, requested: list[str]) -> None:
    create_assets(tmp_path, "tuxpaint-stamps-default")
    assert "lomiri-wallpapers-16.04 is installed" in install(tmp_path)
    assert requested == [package.name for package in PACKAGES[1:]]


def test_a_package_that_cannot_be_installed_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_cut_outs(package: str, otherwise: str) -> None:
        if package != "tuxpaint-stamps-default":
            raise StackError(otherwise)

    monkeypatch.setattr(install_stamps, "system_packages", only_cut_outs)
    lines = install(tmp_path).splitlines()
    assert lines[0] == "tuxpaint-stamps-default is installed."
    assert [line.split(" (")[0] for line in lines[1:]] == [f"Without {package.name}" for package in PACKAGES[1:]]


def test_a_user_who_may_not_install_learns_the_consequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    message = install(tmp_path)
    assert "four coarse cut-outs" in message
    assert "backgrounds of composites are photographs" in message


def test_the_packages_are_those_of_the_table_of_photographs() -> None:
    with (Path(backgrounds.__file__).parent / "photographs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["package"] for row in rows} == {package.name for package in PACKAGES[1:]}
    for package in PACKAGES[1:]:
        assert any(row["file"].startswith(f"/{package.provides}") for row in rows if row["package"] == package.name)
