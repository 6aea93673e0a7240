"""Times the pages of the dashboard through the application, as a browser or a program gets them."""

import gc
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import URL, select

from benchmarks.figures import percentile
from tests.unit.dashboard.catalogue.catalogue_data import TAXA
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.tables import bursts
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.server import open_services
from uncia.dashboard.web.services import Services
from uncia.kafka.stream_status import StreamStatus
from uncia.settings import Settings

__all__ = ["Page", "dashboard_settings", "measure_pages"]

_BUILD_LIMIT_S = 1800


@dataclass(frozen=True)
class Page:
    """How long one page took."""

    name: str
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    """CPU time of this process, on average; PostgreSQL's own is not in it."""


def dashboard_settings(url: URL, folder: Path) -> Settings:
    """Settings of a dashboard that reads this catalogue and no picture."""
    return Settings(
        dashboard_dir=folder / "dashboard",
        dashboard_assets=folder / "assets",
        catalogue_url=SecretStr(url.render_as_string(hide_password=False)),
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key="key",
        s3_secret_key=SecretStr("secret"),
    )


def measure_pages(
    url: URL, folder: Path, repeats: int, seed: int, report: Callable[[Page], None]
) -> tuple[list[Page], float]:
    """The time of each page, and how long the columns in memory took to build, in seconds.

    Every run has other values. The first run of each page is not counted. `report` is called with each page.
    """
    services = open_services(dashboard_settings(url, folder))
    services.read_status = StreamStatus
    account = services.accounts.create("benchmark", None, Role.ADMIN)
    secret = services.accounts.create_token(account.id, "benchmark")
    found = []
    # The events of this process, which no dashboard holds, would otherwise be walked through by the garbage collector
    # during some of the requests: 0.4 s each time.
    gc.collect()
    gc.freeze()
    with TestClient(create_app(services), headers={"authorization": f"Bearer {secret}"}) as client:
        built_s = _wait_for_columns(services)
        for name, address in _addresses(url, client, seed).items():
            found.append(_measure(client, name, address, repeats))
            report(found[-1])
    services.close()
    shutil.rmtree(folder / "dashboard")
    return found, built_s


def viewer_token(config: Settings) -> str:
    """A token of a new account that sees all stations, for the dashboard of these settings."""
    services = open_services(config)
    account = services.accounts.create("viewer", None, Role.VIEWER)
    secret = services.accounts.create_token(account.id, "benchmark")
    services.close()
    return secret


def _wait_for_columns(services: Services) -> float:
    began = time.monotonic()
    while time.monotonic() - began < _BUILD_LIMIT_S:
        with services.columns.current() as columns:
            if columns is not None:
                return time.monotonic() - began
        time.sleep(0.05)
    raise RuntimeError("the columns were not built in time")


def _measure(client: TestClient, name: str, address: Callable[[], str], repeats: int) -> Page:
    times: list[float] = []
    used = 0.0
    for number in range(repeats + 1):
        target = address()
        began, cpu = time.perf_counter(), time.process_time()
        response = client.get(target)
        elapsed, own = time.perf_counter() - began, time.process_time() - cpu
        if response.status_code != 200:
            raise RuntimeError(f"{target}: {response.status_code} {response.text[:300]}")
        if number:
            times.append(1000 * elapsed)
            used += 1000 * own
    return Page(name, percentile(times, 0.5), percentile(times, 0.95), used / repeats)


def _addresses(url: URL, client: TestClient, seed: int) -> dict[str, Callable[[], str]]:
    """Addresses by name of the page; each call gives another one where the page has filters."""
    chance = random.Random(seed)
    database = open_database(url, read_only=True)
    with database.begin() as connection:
        some = connection.execute(select(bursts.c.burst_id, bursts.c.camera).limit(3000)).all()
    database.dispose()
    newest = date.fromisoformat(client.get("/browse.json").json()["bursts"][0]["started_at"][:10])

    def day() -> date:
        return newest - timedelta(days=chance.randrange(30, 600))

    def taxon() -> str:
        return chance.choice(TAXA)[0]

    def far_in() -> str:
        return str(client.get(f"/browse.json?until={day()}").json()["after"])

    positions = iter([far_in() for _ in range(12)] * 100)
    return {
        "Live": lambda: "/index.json",
        "Live, HTML": lambda: "/",
        "Browse": lambda: "/browse.json",
        "Browse, HTML": lambda: "/browse",
        "Browse, a species": lambda: f"/browse.json?taxon={taxon()}",
        "Browse, a class with all below": lambda: "/browse.json?taxon=Mammalia",
        "Browse, a camera and a category": lambda: f"/browse.json?camera={chance.choice(some).camera}&category=animal",
        "Browse, a month at night": lambda: (
            f"/browse.json?since={(since := day())}&until={since + timedelta(days=30)}&from=21:00&to=05:00"
        ),
        "Browse, hours and confidence": lambda: (
            "/browse.json?from=21:00&to=05:00&confidence_min=0.4&confidence_max=0.6"
        ),
        "Browse, a flag": lambda: "/browse.json?flag=favourite",
        "Browse, nothing found": lambda: "/browse.json?taxon=Ursus+arctos&confidence_min=0.99",
        "Browse, far in": lambda: f"/browse.json?after={next(positions)}",
        "Burst": lambda: f"/bursts/{chance.choice(some).burst_id}.json",
        "Burst, HTML": lambda: f"/bursts/{chance.choice(some).burst_id}",
        "Review": lambda: "/review.json",
        "Look-alikes": lambda: "/alike.json",
        "Look-alikes of a species, HTML": lambda: f"/alike?taxon={taxon()}",
        "Numbers": lambda: "/numbers.json",
        "Numbers, HTML": lambda: "/numbers",
        "Numbers of a species in a year": lambda: f"/numbers.json?taxon={taxon()}&since={newest - timedelta(days=365)}",
        "Health": lambda: "/health.json",
        "Health, 90 days": lambda: "/health.json?days=90",
        "Health, 90 days, HTML": lambda: "/health?days=90",
    }
