"""A dashboard on a port of its own, and real Chromium. Tests are skipped, with the reason, where a part is missing.

Playwright's own browsers are never downloaded: the tests use the one of the system.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pydantic import SecretStr
from sqlalchemy import Engine, make_url

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from tests.unit.dashboard.web.alert_data import fold_events
from tests.unit.dashboard.web.conftest import FakePictures, FakePublisher
from tests.unit.dashboard.web.running_server import RunningServer
from tests.waiting import SCALE, wait_until
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.web.accounts import passwords
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.context import SESSION_COOKIE
from uncia.dashboard.web.publisher import Decided
from uncia.dashboard.web.server import open_services
from uncia.dashboard.web.services import Services
from uncia.events import Event, ObservationReviewed, ReviewDecision
from uncia.infra.local.install_browser import chromium, missing
from uncia.infra.local.layout import parts_dir
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.settings import Settings

PASSWORD = "a leopard in the snow"
ASSETS = parts_dir() / "web_assets"
WIDE, PHONE = (1280, 860), (390, 844)


expect.set_options(timeout=SCALE * 5000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Not for the whole run: Playwright's event loop runs in the main thread until it is closed, and there
    `asyncio.run` fails meanwhile.
    """
    if lacking := missing():
        pytest.skip(lacking)
    if not (ASSETS / "htmx.min.js").is_file():
        pytest.skip("the dashboard's JavaScript libraries are not installed: run `make setup`")
    with sync_playwright() as playwright:
        # Root needs --no-sandbox; the pages are our own.
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


class FoldingPublisher(FakePublisher):
    """Folds what is published into the catalogue, as Kafka and the worker do."""

    def __init__(self, fold: Callable[[Event], None]) -> None:
        super().__init__()
        self._fold = fold
        self._published = threading.Condition()

    def publish(self, *events: Decided) -> None:
        # Before it counts as published: who waits for it finds it in the catalogue.
        if not self.down:
            for event in events:
                self._fold(event)
        super().publish(*events)
        with self._published:
            self._published.notify_all()

    def wait_for(self, count: int) -> list[ObservationReviewed]:
        """The reviews, as soon as there are `count`."""

        def reviews() -> list[ObservationReviewed]:
            return [event for event in self.events if isinstance(event, ObservationReviewed)]

        with self._published:
            assert self._published.wait_for(lambda: len(reviews()) >= count, 20), reviews()
        return reviews()


@dataclass
class Site:
    """A running dashboard."""

    address: str
    services: Services
    engine: Engine
    server: RunningServer

    def fold(self, event: Event) -> None:
        """Fold an event into the catalogue."""
        fold_events(self.engine, event)


@pytest.fixture(scope="session")
def filled_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with 120 bursts; tests copy it."""
    folder = tmp_path_factory.mktemp("catalogue")
    sqlite_catalogue(folder, 120).dispose()
    return folder / "catalogue.sqlite"


@pytest.fixture
def site(tmp_path: Path, filled_catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    path = tmp_path / "catalogue.sqlite"
    shutil.copy(filled_catalogue, path)
    settings = Settings(
        dashboard_dir=tmp_path / "dashboard",
        dashboard_assets=ASSETS,
        catalogue_url=SecretStr(f"sqlite:///{path}"),
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key="key",
        s3_secret_key=SecretStr("secret"),
    )
    services = open_services(settings)
    engine = open_database(make_url(f"sqlite:///{path}"))
    services.pictures = FakePictures()
    services.read_status = lambda: StreamStatus(lag=(Lag("predict", "camera.image.uploaded.v1", 7),))
    server = RunningServer(services)
    opened = Site(server.address, services, engine, server)
    services.publisher = FoldingPublisher(opened.fold)
    yield opened
    server.stop()
    services.close()
    engine.dispose()


Open = Callable[..., Page]


def wait_for_script(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true in the page.

    `Page.wait_for_function` evaluates its expression again by `eval` in the page, which the content security policy
    forbids: it works only where the first look suffices.
    """
    wait_until(lambda: bool(page.evaluate(expression)), 5, expression)


def serious_faults(page: Page) -> list[list[str]]:
    """What axe finds: the kind of each fault, and the elements. The page was opened with `bypass_csp`."""
    page.add_script_tag(path=ASSETS / "axe.min.js")
    faults: list[list[str]] = page.evaluate(
        """async () => (await axe.run()).violations
            .filter((one) => ["serious", "critical"].includes(one.impact))
            .map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))])"""
    )
    return faults


def decisions_by_burst(reviews: list[ObservationReviewed]) -> dict[str, list[ReviewDecision]]:
    """The decisions of each burst in their order. Those of different bursts may overtake each other on their way."""
    found: dict[str, list[ReviewDecision]] = {}
    for review in reviews:
        found.setdefault(review.burst_id, []).append(review.decision)
    return found


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens a page as an account of a role. Errors in the console of the browser fail the test."""
    problems: list[str] = []
    contexts: list[BrowserContext] = []

    def open_it(
        path: str,
        role: Role = Role.ADMIN,
        *,
        stations: list[str] | None = None,
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        bypass_csp: bool = False,
    ) -> Page:
        name = f"{role.value} {len(contexts)}"
        account = site.services.accounts.create(name, PASSWORD, role, stations)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            bypass_csp=bypass_csp,
        )
        contexts.append(context)
        cookie = site.services.accounts.start_session(account.id)
        context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": site.address}])
        page = context.new_page()
        page.set_default_timeout(SCALE * 5000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(site.address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    expected = ("net::ERR_", "Failed to load resource")
    assert [problem for problem in problems if not any(part in problem for part in expected)] == []
