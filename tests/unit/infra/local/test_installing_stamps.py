"""What composites are made of: installed where that is allowed, and nothing stops without it."""

import csv
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import install_stamps
from uncia.infra.local.install_stamps import PARTS, install
from uncia.training.scenes import places


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The packages that were asked for, instead of installing them."""
    found: list[str] = []
    monkeypatch.setattr(install_stamps, "system_packages", lambda package, otherwise: found.append(package))
    return found


def bring(root: Path, *packages: str) -> None:
    for part in PARTS:
        if part.package in packages:
            (root / part.brings).mkdir(parents=True)


def test_what_is_there_is_left_alone(tmp_path: Path, asked: list[str]) -> None:
    bring(tmp_path, *(part.package for part in PARTS))
    assert install(tmp_path) == ""
    assert asked == []


def test_only_what_is_missing_is_installed(tmp_path: Path, asked: list[str]) -> None:
    bring(tmp_path, "tuxpaint-stamps-default")
    assert "lomiri-wallpapers-16.04 is installed" in install(tmp_path)
    assert asked == [part.package for part in PARTS[1:]]


def test_a_package_that_cannot_be_installed_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_cut_outs(package: str, otherwise: str) -> None:
        if package != "tuxpaint-stamps-default":
            raise StackError(otherwise)

    monkeypatch.setattr(install_stamps, "system_packages", only_cut_outs)
    told = install(tmp_path).splitlines()
    assert told[0] == "tuxpaint-stamps-default is installed."
    assert [line.split(" (")[0] for line in told[1:]] == [f"Without {part.package}" for part in PARTS[1:]]


def test_where_nothing_may_be_installed_one_sentence_says_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    told = install(tmp_path)
    assert "four coarse cut-outs" in told
    assert "places are photographs" in told


def test_what_the_table_of_photographs_names_is_what_is_installed() -> None:
    with (Path(places.__file__).parent / "photographs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["package"] for row in rows} == {part.package for part in PARTS[1:]}
    for part in PARTS[1:]:
        assert any(row["file"].startswith(f"/{part.brings}") for row in rows if row["package"] == part.package)
