"""An application with its own databases, and clients that are signed in."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from uncia.dashboard.web.accounts import passwords
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.server import open_services
from uncia.dashboard.web.services import Services
from uncia.settings import Settings

PASSWORD = "a leopard in the snow"

SignIn = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _fast_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashes take 100 ms each."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "htmx.min.js").write_text("// htmx\n")
    return Settings(dashboard_dir=tmp_path / "dashboard", dashboard_assets=assets)


@pytest.fixture
def services(config: Settings) -> Iterator[Services]:
    opened = open_services(config)
    yield opened
    opened.accounts.engine.dispose()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """Nobody is signed in; redirects are not followed."""
    with TestClient(create_app(services), follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def sign_in(services: Services, client: TestClient) -> Iterator[SignIn]:
    """Creates an account and returns a client that is signed in as it."""
    opened: list[TestClient] = []

    def make(role: Role = Role.VIEWER, stations: list[str] | None = None, name: str = "") -> TestClient:
        name = name or role.value
        services.accounts.create(name, PASSWORD, role, stations)
        signed_in = TestClient(client.app, follow_redirects=False)
        opened.append(signed_in)
        page = signed_in.get("/sign-in")
        response = signed_in.post(
            "/sign-in", data={"name": name, "password": PASSWORD, "form_token": form_token(page.text)}
        )
        assert response.status_code == 303, response.text
        return signed_in

    yield make
    for one in opened:
        one.close()


def form_token(html: str) -> str:
    """The form token of a page."""
    found = re.search(r'name="form_token" value="([^"]+)"', html)
    assert found, html
    return found[1]
