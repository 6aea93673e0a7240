"""`uncia catalogue`: what it prints, what it refuses, and what a rebuild removes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from tests.unit.dashboard.catalogue.contents import contents
from uncia.commands import catalogue
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.schema import CatalogueRefused
from uncia.dashboard.catalogue.worker import AnotherWorker, single_worker
from uncia.dashboard.exports.formats import ExportFormat, export_catalogue
from uncia.dashboard.imports.importing import import_data
from uncia.settings import Settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a new database, with a Kafka that does not answer."""
    url = f"sqlite:///{tmp_path}/catalogue.sqlite"
    config = Settings(_env_file=None, catalogue_url=url, kafka="127.0.0.1:1")
    monkeypatch.setattr(catalogue, "settings", lambda: config)
    return config


def run(*arguments: str, answer: str = "") -> str:
    done = CliRunner().invoke(catalogue.app, list(arguments), input=answer, catch_exceptions=False)
    assert done.exit_code == (1 if answer == "n\n" else 0), done.output
    return done.output


def test_status_of_no_catalogue_names_the_command(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").touch()
    with pytest.raises(CatalogueRefused, match="uncia catalogue migrate"):
        run("status")


def test_migrate_then_status(config: Settings, tmp_path: Path) -> None:
    assert "tables of revision 0010" in run("migrate")
    sqlite_catalogue(tmp_path, 5).dispose()
    shown = json.loads(run("status", "--json"))
    assert shown["rows"]["bursts"] == 5
    assert shown["behind"] == {}
    assert "the lag is unknown" in run("status")


def test_a_rebuild_empties_the_database_after_a_question(config: Settings, tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 5)
    before = contents(engine)
    assert "Rows that the topics no longer hold are lost" in run("rebuild", answer="n\n")
    assert contents(engine) == before
    run("rebuild", "--yes")
    assert not any(contents(engine).values())
    engine.dispose()


def test_a_rebuild_keeps_imports_unless_told_otherwise(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = sqlite_catalogue(tmp_path / "source", 20)
    export_catalogue(source, ExportFormat.CAMTRAP_DP, tmp_path / "package")
    source.dispose()
    run("migrate")
    engine = open_database(catalogue_url(config))
    import_data(engine, tmp_path / "package")
    before = contents(engine)
    assert json.loads(run("status", "--json"))["imported_events"] > 20
    assert "events of imports" in run("rebuild", "--yes")
    assert contents(engine) == before
    assert "and all imports" in run("rebuild", "--without-imports", answer="n\n")
    assert "is empty" in run("rebuild", "--yes", "--without-imports")
    assert "is empty" in run("rebuild", "--yes")
    assert not any(contents(engine).values())
    engine.dispose()


def test_a_rebuild_is_refused_while_a_worker_runs(config: Settings, tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 5)
    with single_worker(engine), pytest.raises(AnotherWorker, match="stop it first"):
        run("rebuild", "--yes")
    engine.dispose()
