"""Exports of a catalogue whose texts are all hostile: valid files, no formula, and nothing outside of the folder."""

import csv
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from sqlalchemy import Engine, make_url
from typer.testing import CliRunner

from tests.unit.dashboard.catalogue.catalogue_data import fill_catalogue
from tests.unit.dashboard.hostile_events import NAMES, hostile_events
from uncia.commands import export
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.exports.formats import ExportFormat, export_catalogue
from uncia.settings import Settings

ALL = {**NAMES, "a path": "../../../../tmp/../etc", "an absolute path": "/etc/passwd"}


@pytest.fixture(params=list(ALL.values()), ids=list(ALL))
def name(request: pytest.FixtureRequest) -> str:
    """What everything is called."""
    found: str = request.param
    return found


@pytest.fixture
def engine(tmp_path: Path, name: str) -> Iterator[Engine]:
    """A catalogue of one burst, in which everything is called `name`."""
    opened = open_database(make_url(f"sqlite:///{tmp_path}/catalogue.sqlite"))
    fill_catalogue(opened, list(hostile_events(name)))
    yield opened
    opened.dispose()


@pytest.mark.parametrize("kind", list(ExportFormat))
def test_an_export_is_complete_and_stays_in_its_place(engine: Engine, tmp_path: Path, kind: ExportFormat) -> None:
    out = tmp_path / "out"
    out.mkdir()
    summary = export_catalogue(engine, kind, out / "export")
    assert summary.bursts == 1
    assert [path.name for path in out.iterdir()] == ["export"]
    for path in [out / "export", *(out / "export").rglob("*")]:
        assert path.resolve().is_relative_to(out)
        if path.suffix == ".json" or (path.is_file() and path.name == "export"):
            json.loads(path.read_text("utf-8"))
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                columns, *rows = csv.reader(file)
            assert {len(row) for row in rows} <= {len(columns)}
            # Camtrap DP keeps text as it is, for programs; Timelapse finds a photograph by its file and folder.
            if kind in (ExportFormat.CSV, ExportFormat.TIMELAPSE):
                exempt = {columns.index(one) for one in ("File", "RelativePath") if one in columns}
                cells = [cell for row in rows for at, cell in enumerate(row) if at not in exempt]
                assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "@"))]


def test_the_command_prints_no_control_character(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(_env_file=None, catalogue_url=str(engine.url))
    monkeypatch.setattr(export, "settings", lambda: settings)
    app = typer.Typer()
    app.command()(export.export)
    for kind in ("csv", "camtrap-dp"):
        result = CliRunner().invoke(app, [kind, str(tmp_path / kind)])
        assert result.exit_code == 0, result.output
        assert not [one for one in result.output if unicodedata.category(one) in ("Cc", "Cf") and one != "\n"]


@pytest.mark.parametrize("kind", [one for one in ExportFormat if one is not ExportFormat.CAMTRAP_DP])
def test_a_filter_that_matches_nothing_gives_an_export_without_rows(tmp_path: Path, kind: ExportFormat) -> None:
    engine = open_database(make_url(f"sqlite:///{tmp_path}/catalogue.sqlite"))
    fill_catalogue(engine, list(hostile_events("ridge")))
    summary = export_catalogue(engine, kind, tmp_path / "export", BurstFilter(taxon="Pan troglodytes"))
    assert (summary.bursts, summary.photographs, summary.boxes) == (0, 0, 0)
    assert (tmp_path / "export").exists()
    engine.dispose()
