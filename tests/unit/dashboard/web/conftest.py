"""An application with its own databases, and clients that are signed in."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import Engine, make_url

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.web.accounts import passwords
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.pictures import NoPicture, PictureService, PictureSize
from uncia.dashboard.web.publisher import Decided, Publisher
from uncia.dashboard.web.server import open_services
from uncia.dashboard.web.services import Services
from uncia.errors import DependencyDown
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.settings import Settings

PASSWORD = "a leopard in the snow"

SignIn = Callable[..., TestClient]


class FakePictures(PictureService):
    """Grey pictures for all photographs but those in `gone`."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.hidden: list[HiddenPeople | None] = []
        out = io.BytesIO()
        Image.new("L", (40, 30), 90).save(out, "JPEG")
        self.jpeg = out.getvalue()

    def photograph(self, assessed: AssessedContent, size: PictureSize, hidden: HiddenPeople | None = None) -> bytes:
        self.hidden.append(hidden)
        if assessed.image_id in self.gone:
            raise NoPicture("no longer stored")
        return self.jpeg

    def heat_map(self, bucket: str, key: str) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (40, 30), "orange").save(out, "PNG")
        return out.getvalue()

    def crop(self, bucket: str, key: str, sha256: str | None) -> bytes:
        return self.jpeg

    def spectrogram(self, bucket: str, key: str, sha256: str) -> bytes:
        return self.heat_map(bucket, key)

    def imported(self, bucket: str, key: str) -> bytes:
        return self.jpeg


class FakePublisher(Publisher):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Decided] = []
        self.down = False

    def publish(self, *events: Decided) -> None:
        if self.down:
            raise DependencyDown("Kafka is down")
        self.events += events

    def newest_event(self, camera: str, burst_id: str, offset: int) -> str | None:
        return f"{camera} {burst_id} {offset}"

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _fast_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real hash takes 100 ms."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session")
def filled_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with 120 bursts; tests copy it."""
    folder = tmp_path_factory.mktemp("catalogue")
    # Closing the last connection writes everything to the file that is copied.
    sqlite_catalogue(folder, 120).dispose()
    return folder / "catalogue.sqlite"


@pytest.fixture
def config(tmp_path: Path, filled_catalogue: Path) -> Settings:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "htmx.min.js").write_text("// htmx\n")
    shutil.copy(filled_catalogue, tmp_path / "catalogue.sqlite")
    return Settings(
        dashboard_dir=tmp_path / "dashboard",
        dashboard_assets=assets,
        catalogue_url=SecretStr(f"sqlite:///{tmp_path / 'catalogue.sqlite'}"),
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key="key",
        s3_secret_key=SecretStr("secret"),
    )


@pytest.fixture
def pictures() -> FakePictures:
    return FakePictures()


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def services(config: Settings, pictures: FakePictures, publisher: FakePublisher) -> Iterator[Services]:
    opened = open_services(config)
    opened.pictures, opened.publisher = pictures, publisher
    opened.read_status = lambda: StreamStatus(lag=(Lag("predict", "camera.image.uploaded.v1", 7),))
    yield opened
    opened.close()


@pytest.fixture
def catalogue(services: Services) -> Catalogue:
    return services.catalogue


@pytest.fixture
def writable_catalogue(config: Settings) -> Iterator[Engine]:
    """The engine of the worker that fills the catalogue."""
    assert config.catalogue_url is not None
    engine = open_database(make_url(config.catalogue_url.get_secret_value()))
    yield engine
    engine.dispose()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """Without a session; redirects are not followed."""
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
