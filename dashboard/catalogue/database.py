"""Opens the catalogue's database: SQLite in the stack's folder, or PostgreSQL."""

import sqlite3
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from uncia.errors import DependencyDown, SettingsError
from uncia.settings import Settings, stack_dir

__all__ = ["DatabaseDown", "catalogue_url", "database_url", "open_database", "sqlite_path"]

_BUSY_S = 30
_CACHE_KIB = 64 * 1024
_MMAP_BYTES = 1 << 30


class DatabaseDown(DependencyDown):
    """The database cannot be reached, or its disk is full."""


def catalogue_url(settings: Settings) -> URL:
    """The address of the database: `UNCIA_CATALOGUE_URL`, or SQLite in the folder of the stack.

    Raises `SettingsError` for an address of another kind of database.
    """
    if settings.catalogue_url is None:
        stack = stack_dir()
        folder = (stack / "data" if (stack / "stack.env").exists() else settings.data_dir) / "catalogue"
        return URL.create("sqlite", database=str(folder / "catalogue.sqlite"))
    return database_url(settings.catalogue_url, "UNCIA_CATALOGUE_URL")


def database_url(address: SecretStr, setting: str) -> URL:
    """The address of a database, with the driver that is installed.

    Raises `SettingsError`, which names the setting and not the address, for another kind of database.
    """
    try:
        url = make_url(address.get_secret_value())
    except (ArgumentError, ValueError):
        # The error repeats the address, which has a password.
        raise SettingsError(f"{setting} is not the address of a database: {_FORM}") from None
    backend = url.get_backend_name()
    if backend == "postgresql":
        # Without a driver, SQLAlchemy takes psycopg2.
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database:
        return url.set(drivername="sqlite")
    raise SettingsError(f"{setting} names a database that is not supported ({backend}): {_FORM}")


_FORM = "use sqlite:////FOLDER/FILE.sqlite or postgresql://USER:PASSWORD@HOST/DATABASE"


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def open_database(url: URL, *, read_only: bool = False) -> Engine:
    """An engine for the worker, or with `read_only` for pages, which can then write nothing.

    Transactions of a writer on SQLite take the lock when they begin, so that none fails in its middle.
    """
    path = sqlite_path(url)
    if path is None:
        # The server's own limit; without it, a page waits for a server that a firewall has cut off.
        arguments: dict[str, Any] = {"connect_timeout": 10, "options": "-c timezone=UTC"}
        if read_only:
            arguments["options"] += " -c default_transaction_read_only=on"
        return create_engine(url, connect_args=arguments, pool_pre_ping=True)
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, connect_args={"timeout": _BUSY_S, "check_same_thread": False})
    pragmas = [
        f"PRAGMA cache_size=-{_CACHE_KIB}",
        f"PRAGMA mmap_size={_MMAP_BYTES}",
        # NORMAL: a power cut can lose the newest transactions, whole; they are then read from the log again.
        "PRAGMA query_only=ON" if read_only else "PRAGMA synchronous=NORMAL",
    ]

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        # SQLAlchemy begins the transactions, see `begin`.
        connection.isolation_level = None
        cursor = connection.cursor()
        if not read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    if read_only:
        # Otherwise SQLite would create an empty file where there is none.
        address = f"{path.absolute().as_uri()}?mode=rw"

        def connect(*_: object) -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=_BUSY_S, check_same_thread=False)

        event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
    return engine


def table_names(engine: Engine) -> set[str]:
    """The tables that the database has. Raises `DatabaseDown`."""
    try:
        return set(inspect(engine).get_table_names())
    except DBAPIError as error:
        raise DatabaseDown(describe(error, engine.url)) from error


def describe(error: SQLAlchemyError, url: URL) -> str:
    """What is wrong with the database, in one sentence, without its password."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    return f"the catalogue at {url.render_as_string(hide_password=True)} cannot be used ({cause})"
