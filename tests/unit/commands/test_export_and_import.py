"""`uncia export` and `uncia import`: options, refusals and what they print."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.commands import export, import_
from uncia.dashboard.catalogue.schema import CatalogueRefused
from uncia.dashboard.exports.output import ExportFailed
from uncia.errors import UnciaError
from uncia.settings import Settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    config = Settings(_env_file=None, catalogue_url=f"sqlite:///{tmp_path}/catalogue.sqlite")
    for module in (export, import_):
        monkeypatch.setattr(module, "settings", lambda: config)
    return config


def _invoke(command: object, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def _export(*arguments: str) -> str:
    done = _invoke(export.export, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_export_is_cut_by_the_options_and_counted(config: Settings, tmp_path: Path) -> None:
    sqlite_catalogue(tmp_path, 60).dispose()
    place = str(tmp_path / "md.json")
    options = ("--category", "animal", "--hours", "20:00-04:30", "--since", "2026-05-10", "--reviewer", "nobody")
    assert "0 bursts" in _export("megadetector", place, *options)
    shown = json.loads(_export("megadetector", place, "--category", "blank", "--overwrite", "--json"))
    assert 0 < shown["bursts"] < 60
    assert shown["photographs"] >= shown["bursts"]
    assert shown["left_out"] == {}


def test_an_export_without_a_catalogue_names_the_command(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").touch()
    with pytest.raises(CatalogueRefused, match="uncia catalogue migrate"):
        _export("coco", str(tmp_path / "coco.json"))


def test_an_existing_file_stays_without_overwrite(config: Settings, tmp_path: Path) -> None:
    sqlite_catalogue(tmp_path, 3).dispose()
    (tmp_path / "coco.json").write_text("mine")
    with pytest.raises(ExportFailed, match="--overwrite"):
        _export("coco", str(tmp_path / "coco.json"))
    assert (tmp_path / "coco.json").read_text() == "mine"


@pytest.mark.parametrize("hours", ["20-04", "25:00-04:00", "10:61-11:00", "evening"])
def test_hours_that_no_day_has_are_refused(config: Settings, tmp_path: Path, hours: str) -> None:
    with pytest.raises(UnciaError, match="20:00-04:30"):
        _export("csv", str(tmp_path / "csv"), "--hours", hours)


def test_metadata_that_is_no_json_object_is_refused(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[]")
    with pytest.raises(UnciaError, match="not a JSON object"):
        _export("camtrap-dp", str(tmp_path / "p"), "--metadata", str(tmp_path / "m.json"))


def test_an_import_creates_the_catalogue_and_prints_problems_with_lines(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "past.csv").write_text(
        "File,RelativePath,DateTime,Species\n1.JPG,ridge\\c,2021-05-01 10:00:00,Vulpes vulpes\n2.JPG,ridge\\c,then,\n"
    )
    done = _invoke(import_.import_command, str(tmp_path / "past.csv"), "--utc-offset", "+05:45")
    assert done.exit_code == 0
    assert "past.csv, line 3: 'then' is not a time" in done.stdout
    assert "1 bursts" in done.stdout
    shown = json.loads(_export("csv", str(tmp_path / "csv"), "--taxon", "Vulpes vulpes", "--json"))
    assert shown["bursts"] == 1


def test_an_offset_that_is_none_is_refused(config: Settings, tmp_path: Path) -> None:
    with pytest.raises(UnciaError, match=r"\+05:45"):
        _invoke(import_.import_command, str(tmp_path), "--utc-offset", "noon")
