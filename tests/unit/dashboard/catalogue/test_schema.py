"""Tables are created, migrated, and refused where they are not ours; nothing of a refused database changes."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, MetaData, Table, inspect, make_url, text

from tests.unit.dashboard.catalogue.conftest import NewUrl
from tests.unit.dashboard.catalogue.contents import contents
from tests.unit.dashboard.catalogue.test_store import fold_all, project
from uncia.dashboard.catalogue import schema
from uncia.dashboard.catalogue.database import DatabaseDown, catalogue_url, open_database
from uncia.dashboard.catalogue.schema import CatalogueRefused, check_current, clear, current_revision, migrate
from uncia.dashboard.catalogue.tables import METADATA
from uncia.errors import SettingsError
from uncia.settings import Settings


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "catalogue_version"})
        return list(compare_metadata(context, METADATA))


def columns(engine: Engine) -> dict[str, list[tuple[str, bool]]]:
    inspector = inspect(engine)
    return {
        name: [(column["name"], bool(column["nullable"])) for column in inspector.get_columns(name)]
        for name in METADATA.tables
    }


def test_migrations_make_the_tables_that_the_code_declares(engine: Engine) -> None:
    assert differences(engine) == []
    declared = {
        name: [(column.name, bool(column.nullable)) for column in t.columns] for name, t in METADATA.tables.items()
    }
    assert {name: sorted(found) for name, found in columns(engine).items()} == {
        name: sorted(found) for name, found in declared.items()
    }


def test_migrating_twice_keeps_the_rows(engine: Engine) -> None:
    fold_all(engine, project())
    before = contents(engine)
    migrate(engine)
    check_current(engine)
    assert contents(engine) == before
    assert current_revision(engine) == schema.head_revision()


def test_a_database_of_a_newer_version_is_refused_and_unchanged(engine: Engine) -> None:
    fold_all(engine, project()[:200])
    with engine.begin() as connection:
        connection.execute(text("UPDATE catalogue_version SET version_num = '9999'"))
    before = contents(engine)
    for refusing in (migrate, check_current, clear):
        with pytest.raises(CatalogueRefused, match=r"written by a newer version of Uncia .* was not changed"):
            refusing(engine)
    assert contents(engine) == before
    assert current_revision(engine) == "9999"


def test_tables_of_another_program_are_refused_and_unchanged(new_url: NewUrl) -> None:
    engine = open_database(new_url())
    other = MetaData()
    Table("bursts", other, Column("id", Integer, primary_key=True))
    other.create_all(engine)
    for refusing in (migrate, check_current, clear):
        with pytest.raises(CatalogueRefused, match="tables of other programs"):
            refusing(engine)
    assert inspect(engine).get_table_names() == ["bursts"]
    engine.dispose()


def test_tables_of_another_program_with_other_names_stay(new_url: NewUrl) -> None:
    engine = open_database(new_url())
    other = MetaData()
    Table("accounts", other, Column("id", Integer, primary_key=True))
    other.create_all(engine)
    migrate(engine)
    clear(engine)
    assert "accounts" in inspect(engine).get_table_names()
    engine.dispose()


def test_clearing_removes_rows_and_offsets(engine: Engine) -> None:
    store = fold_all(engine, project())
    clear(engine)
    assert not any(contents(engine).values())
    assert store.partitions() == {}
    assert differences(engine) == []


def test_a_reader_names_the_command_where_there_is_no_catalogue(new_url: NewUrl) -> None:
    engine = open_database(new_url())
    with pytest.raises(CatalogueRefused, match="uncia catalogue migrate"):
        check_current(engine)
    engine.dispose()


def test_a_reader_creates_no_file(tmp_path: Any) -> None:
    engine = open_database(make_url(f"sqlite:///{tmp_path}/none.sqlite"), read_only=True)
    with pytest.raises(DatabaseDown, match="cannot be used"):
        check_current(engine)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_can_write_nothing(engine: Engine) -> None:
    reader = open_database(engine.url, read_only=True)
    with pytest.raises(Exception, match=r"read.?only"), reader.begin() as connection:
        connection.execute(METADATA.tables["counters"].delete())
    reader.dispose()


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    url = catalogue_url(Settings(_env_file=None, catalogue_url="postgresql://ann:hidden@127.0.0.1:1/uncia"))
    with pytest.raises(DatabaseDown) as caught:
        migrate(open_database(url))
    assert "127.0.0.1" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("address", ["mysql://u:hidden@host/db", "hidden", "sqlite://", "://hidden", "postgresql"])
def test_an_address_of_no_supported_database_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_CATALOGUE_URL") as caught:
        catalogue_url(Settings(_env_file=None, catalogue_url=address))
    assert "hidden" not in str(caught.value)


def test_the_database_is_in_the_stacks_folder_unless_the_settings_name_another(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    own = Settings(_env_file=None, data_dir=tmp_path / "workers")
    assert catalogue_url(own).database == f"{tmp_path}/workers/catalogue/catalogue.sqlite"
    (tmp_path / "stack.env").touch()
    assert catalogue_url(own).database == f"{tmp_path}/data/catalogue/catalogue.sqlite"
    other = Settings(_env_file=None, catalogue_url="postgresql://ann@host/uncia")
    assert catalogue_url(other).render_as_string() == "postgresql+psycopg://ann@host/uncia"
