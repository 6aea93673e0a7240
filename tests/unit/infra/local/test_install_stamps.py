"""The optional image packages: installed where permitted, otherwise reported without failing."""

import csv
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import install_stamps
from uncia.infra.local.install_stamps import PACKAGES, install
from uncia.training.scenes import backgrounds


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the packages that would be installed."""
    found: list[str] = []
    monkeypatch.setattr(install_stamps, "install_system_package", lambda package, otherwise: found.append(package))
    return found


def provide(root: Path, *packages: str) -> None:
    for material in PACKAGES:
        if material.package in packages:
            (root / material.provides).mkdir(parents=True)


def test_nothing_is_installed_when_every_package_is_present(tmp_path: Path, requested: list[str]) -> None:
    provide(tmp_path, *(material.package for material in PACKAGES))
    assert install(tmp_path) == ""
    assert requested == []


def test_only_missing_packages_are_installed(tmp_path: Path, requested: list[str]) -> None:
    provide(tmp_path, "tuxpaint-stamps-default")
    assert "lomiri-wallpapers-16.04 is installed" in install(tmp_path)
    assert requested == [material.package for material in PACKAGES[1:]]


def test_a_package_that_cannot_be_installed_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_cut_outs(package: str, otherwise: str) -> None:
        if package != "tuxpaint-stamps-default":
            raise StackError(otherwise)

    monkeypatch.setattr(install_stamps, "install_system_package", only_cut_outs)
    lines = install(tmp_path).splitlines()
    assert lines[0] == "tuxpaint-stamps-default is installed."
    assert [line.split(" (")[0] for line in lines[1:]] == [f"Without {material.package}" for material in PACKAGES[1:]]


def test_without_permission_the_report_has_the_consequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    report = install(tmp_path)
    assert "four coarse cut-outs" in report
    assert "backgrounds of the composites are photographs" in report


def test_the_packages_match_the_table_of_background_photographs() -> None:
    with (Path(backgrounds.__file__).parent / "photographs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["package"] for row in rows} == {material.package for material in PACKAGES[1:]}
    for material in PACKAGES[1:]:
        assert any(
            row["file"].startswith(f"/{material.provides}") for row in rows if row["package"] == material.package
        )
