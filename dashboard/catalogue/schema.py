"""Creates and migrates the tables with Alembic, and refuses a database that is not ours."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from uncia.dashboard.catalogue.database import DatabaseDown, describe, table_names
from uncia.dashboard.catalogue.tables import METADATA
from uncia.errors import UnciaError

__all__ = ["CatalogueRefused", "check_current", "check_known", "clear", "current_revision", "head_revision", "migrate"]

_VERSION_TABLE = "catalogue_version"
"""Alembic's table. Not its default name: other programs may share a database of PostgreSQL."""


class CatalogueRefused(UnciaError):
    """The database was written by something else, or by a newer version. Nothing in it was changed.

    A worker must not be restarted: a person must decide.
    """

    exit_code = 78


def head_revision() -> str:
    """The revision of the tables that this version of Uncia reads and writes."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current_revision(engine: Engine) -> str | None:
    """The revision of the database; None where it has no catalogue. Raises `DatabaseDown`."""
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
            return context.get_current_revision()
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error


def migrate(engine: Engine) -> None:
    """Create the tables, or bring those of an older version up to date.

    Raises `CatalogueRefused` before anything is changed, and `DatabaseDown`.
    """
    current = current_revision(engine)
    _refuse_foreign(engine, current)
    if current == head_revision():
        return
    config = _config()
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two workers that start at once must not both create the tables.
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uncia catalogue migration'))"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error


def check_current(engine: Engine) -> None:
    """Raise `CatalogueRefused` unless the database has exactly the tables of this version; for readers."""
    current = current_revision(engine)
    _refuse_foreign(engine, current)
    if current != head_revision():
        raise CatalogueRefused(
            "there is no catalogue yet, or an older one: `uncia catalogue migrate` creates or updates it, and so does "
            "`uncia catalogue run` when it starts"
        )


def check_known(engine: Engine) -> None:
    """Raise `CatalogueRefused` where a newer version or another program wrote the database; for readers that start
    before there is a catalogue. Raises `DatabaseDown`."""
    _refuse_foreign(engine, current_revision(engine))


def clear(engine: Engine) -> None:
    """Remove all tables of the catalogue, and create them again, empty. Raises `CatalogueRefused`, `DatabaseDown`."""
    current = current_revision(engine)
    _refuse_foreign(engine, current)
    try:
        with engine.begin() as connection:
            METADATA.drop_all(connection)
            connection.execute(text(f"DROP TABLE IF EXISTS {_VERSION_TABLE}"))
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error
    migrate(engine)


def _refuse_foreign(engine: Engine, current: str | None) -> None:
    where = engine.url.render_as_string(hide_password=True)
    if current is None:
        if taken := sorted(table_names(engine) & set(METADATA.tables)):
            raise CatalogueRefused(
                f"{where} has tables of other programs ({', '.join(taken)}) and was not changed: "
                "set UNCIA_CATALOGUE_URL to another database"
            )
        return
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current not in known:
        raise CatalogueRefused(
            f"the catalogue at {where} was written by a newer version of Uncia (its tables are {current}, this version "
            f"knows up to {head_revision()}) and was not changed: upgrade Uncia, or set UNCIA_CATALOGUE_URL to another "
            "database, into which the topics are folded again"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["version_table"] = _VERSION_TABLE
    return config
