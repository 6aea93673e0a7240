"""What was imported, after the catalogue was cleared: on both databases."""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import BUCKET, ProjectEvents, fill_catalogue, sqlite_catalogue
from tests.unit.dashboard.catalogue.contents import contents
from uncia.dashboard.catalogue.imported import count_imported, drop_imported, fold_imported
from uncia.dashboard.catalogue.schema import check_current, clear, migrate
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions, export_catalogue
from uncia.dashboard.imports.importing import ImportOptions, import_data

OPTIONS = ImportOptions(bucket=BUCKET)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with 40 bursts, reviews and deployments."""
    folder = tmp_path_factory.mktemp("package")
    engine = sqlite_catalogue(folder, 40)
    options = ExportOptions(exact_positions=True, box_score=0.0)
    export_catalogue(engine, ExportFormat.CAMTRAP_DP, folder / "made", options=options)
    engine.dispose()
    return folder / "made"


def rebuild(engine: Engine) -> int:
    clear(engine)
    check_current(engine)
    return fold_imported(engine)


def test_a_rebuilt_catalogue_has_the_rows_of_its_imports(engine: Engine, package: Path) -> None:
    import_data(engine, package, OPTIONS)
    before = contents(engine)
    assert len(before["bursts"]) == 40
    assert any(before["reviews"])
    assert rebuild(engine) == count_imported(engine) > 100
    assert contents(engine) == before
    assert rebuild(engine) == count_imported(engine)
    assert contents(engine) == before


def test_imports_are_kept_once_however_often_they_are_run(engine: Engine, package: Path) -> None:
    import_data(engine, package, OPTIONS)
    kept = count_imported(engine)
    import_data(engine, package, OPTIONS)
    assert count_imported(engine) == kept


def test_a_check_keeps_nothing(engine: Engine, package: Path) -> None:
    import_data(engine, package, ImportOptions(bucket=BUCKET, check=True))
    assert count_imported(engine) == 0
    assert rebuild(engine) == 0


def test_of_two_imports_of_one_file_the_corrected_one_is_folded_again(
    engine: Engine, package: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in package.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    import_data(engine, copy, OPTIONS)
    table = copy / "observations.csv"
    table.write_bytes(table.read_bytes().replace(b"Capra sibirica", b"Capra aegagrus"))
    os.utime(table, (2_000_000_000, 2_000_000_000))
    import_data(engine, copy, OPTIONS)
    before = contents(engine)
    assert "Capra aegagrus" in str(before["bursts"])
    rebuild(engine)
    # Names of taxa are never forgotten while the catalogue lasts; after a rebuild only those that are used remain.
    assert contents(engine) | {"taxa": []} == before | {"taxa": []}
    assert "Capra sibirica" not in str(contents(engine)["bursts"])


def test_what_a_topic_says_counts_more_than_an_import_after_a_rebuild_too(engine: Engine, package: Path) -> None:
    events = list(ProjectEvents(40))
    import_data(engine, package, OPTIONS)
    fill_catalogue(engine, events)
    before = contents(engine)
    rebuild(engine)
    fill_catalogue(engine, events)
    assert contents(engine) == before


def test_forgotten_imports_do_not_come_back(engine: Engine, package: Path) -> None:
    import_data(engine, package, OPTIONS)
    drop_imported(engine)
    assert rebuild(engine) == 0
    assert not any(contents(engine).values())


def test_migrations_and_other_programs_are_not_disturbed_by_what_is_kept(engine: Engine, package: Path) -> None:
    import_data(engine, package, OPTIONS)
    migrate(engine)
    check_current(engine)
