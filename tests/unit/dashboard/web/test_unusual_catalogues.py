"""A clock in 1970, an empty catalogue, databases of a newer version, and a full disk."""

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url, text

from tests.paths import ROOT
from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents
from tests.unit.dashboard.web.conftest import SignIn, form_token
from tests.unit.dashboard.web.running_server import environment_of
from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.tables import AccountsError, open_accounts
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.services import Services
from uncia.events import BurstCategory, BurstResolved, Event, ImagePredicted
from uncia.settings import Settings

PAGES = (
    "/",
    "/alerts",
    "/individuals",
    "/individuals/review",
    "/browse",
    "/review",
    "/numbers",
    "/health",
    "/operations",
    "/live/pipeline",
    "/accounts",
    "/account",
)
RESET = datetime(1970, 1, 1, 0, 0, 9)
ADDED = "reset/cam-1"


def photographed(started: datetime, name: str) -> Iterator[Event]:
    """The events of a burst of a camera without a deployment."""
    events = list(ProjectEvents(60, seed=5))
    burst = next(one for one in events if isinstance(one, BurstResolved) and one.category is BurstCategory.ANIMAL)
    images = [one for one in events if isinstance(one, ImagePredicted)]
    frames = []
    for at, frame in enumerate(burst.frames):
        taken = started + timedelta(seconds=at)
        new = {"station": "reset", "camera": ADDED, "image_id": f"img-{name}-{at}", "upload_id": f"upl-{name}-{at}"}
        image = images[at]
        yield image.model_copy(update={**new, "capture": image.capture.model_copy(update={"time": taken})})
        frames.append(
            frame.model_copy(update={"image_id": new["image_id"], "upload_id": new["upload_id"], "captured_at": taken})
        )
    ended = started + timedelta(seconds=len(frames) - 1)
    yield burst.model_copy(
        update={
            "station": "reset",
            "camera": ADDED,
            "burst_id": f"bst-{name}",
            "started_at": started,
            "ended_at": ended,
            "frames": tuple(frames),
        }
    )


def fold(engine: Engine, *events: Event) -> None:
    """Fold events in a generation of their own, since their offsets begin again."""
    log = Log()
    records = [replace(log.append(one), generation=1) for one in events]
    store = CatalogueStore(engine)
    store.set_partitions({place: PartitionState("again", 1, 0) for place in log.partitions()})
    assert store.apply(records).skipped == ()


@pytest.fixture
def reset_clock(writable_catalogue: Engine) -> None:
    """A camera whose clock was set back to 1970 between two bursts."""
    today = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    fold(
        writable_catalogue,
        *photographed(today - timedelta(days=8), "before"),
        *photographed(RESET, "reset"),
        *photographed(today - timedelta(days=2), "after"),
    )


@pytest.mark.usefixtures("reset_clock")
def test_a_burst_of_a_clock_in_1970_is_shown_by_all_pages(sign_in: SignIn) -> None:
    admin = sign_in(Role.ADMIN)
    for address in (*PAGES, "/bursts/bst-reset", f"/browse?camera={ADDED}", "/numbers?station=reset"):
        page = admin.get(address)
        assert page.status_code == 200, address
        # No row for each day since then.
        assert len(page.content) < 500_000, address
    assert "1970-01-01 00:00:09" in admin.get("/bursts/bst-reset").text
    listed = admin.get(f"/browse.json?camera={ADDED}&order=oldest").json()["bursts"]
    assert [one["burst_id"] for one in listed] == ["bst-reset", "bst-before", "bst-after"]
    assert [one["burst_id"] for one in admin.get("/browse.json?until=1999-12-31").json()["bursts"]] == ["bst-reset"]
    around = admin.get("/bursts/bst-before.json").json()
    assert (around["before"]["burst_id"], around["after"]["burst_id"]) == ("bst-reset", "bst-after")


def test_a_burst_of_a_clock_that_is_ahead_is_listed_live_only_where_there_are_no_others(
    services: Services, sign_in: SignIn, engine_of: Any, writable_catalogue: Engine
) -> None:
    viewer = sign_in()
    fold(writable_catalogue, *photographed(datetime(2199, 1, 1), "ahead"))
    listed = viewer.get("/index.json").json()
    assert (listed["ahead"], "bst-ahead" in {one["burst_id"] for one in listed["bursts"]}) == (False, False)
    alone = engine_of(*photographed(datetime(2199, 1, 1), "ahead"))
    services.catalogue = Catalogue(alone)
    listed = viewer.get("/index.json").json()
    assert (listed["ahead"], [one["burst_id"] for one in listed["bursts"]]) == (True, ["bst-ahead"])
    assert " data-ahead" in viewer.get("/").text


@pytest.mark.usefixtures("reset_clock")
def test_a_clock_in_1970_makes_no_trap_nights_of_the_years_since(sign_in: SignIn) -> None:
    viewer = sign_in()
    (effort,) = viewer.get(f"/numbers.json?camera={ADDED}").json()["effort"]
    assert (effort["nights"], effort["active_days"], effort["deployed"]) == (6, 2, False)
    days = viewer.get(f"/numbers.json?camera={ADDED}").json()["days"]
    assert days[0]["day"] == "1970-01-01"
    assert len(days) == 3
    assert viewer.get("/numbers/days.csv").text.count("\n") < 2000


@pytest.mark.parametrize("gaps", [(364,), (200, 200, 200), (0, 364, 1)])
def test_a_camera_that_is_silent_for_less_than_a_year_was_at_work(engine_of: Any, gaps: tuple[int, ...]) -> None:
    start = datetime(2021, 3, 4, 5)
    ends = [start + timedelta(days=sum(gaps[:at])) for at in range(len(gaps) + 1)]
    engine = engine_of(*(one for at, end in enumerate(ends) for one in photographed(end, str(at))))
    (effort,) = CatalogueNumbers(engine).effort(None, None)
    assert effort.nights == sum(gaps)


@pytest.fixture
def engine_of(tmp_path: Path) -> Iterator[Any]:
    """Fills an empty catalogue."""
    engine = open_database(make_url(f"sqlite:///{tmp_path}/empty.sqlite"))
    migrate(engine)

    def fill(*events: Event) -> Engine:
        fold(engine, *events)
        return engine

    yield fill
    engine.dispose()


def test_an_empty_catalogue_has_all_pages(services: Services, sign_in: SignIn, engine_of: Any) -> None:
    engine = engine_of()
    services.catalogue, services.numbers = Catalogue(engine), CatalogueNumbers(engine)
    services.alerts = Alerts(engine)
    admin = sign_in(Role.ADMIN)
    for address in PAGES:
        assert admin.get(address).status_code == 200, address
    assert admin.get("/index.json").json() == {
        "sequence": 0,
        "bursts": [],
        "more": False,
        "ahead": True,
        "chosen": None,
        "newest_alert": None,
    }
    headers = {"x-form-token": form_token(admin.get("/account").text)}
    assert admin.post("/review/queue.json", json={}, headers=headers).json() == {"bursts": []}
    assert admin.get("/numbers/subjects.csv").text.count("\n") == 1


@pytest.mark.parametrize("path", ["/numbers", "/review", "/browse", "/bursts/{burst}"])
def test_filters_that_match_nothing_leave_each_page_usable(sign_in: SignIn, path: str) -> None:
    admin = sign_in(Role.ADMIN)
    (burst, *_) = admin.get("/browse.json").json()["bursts"]
    path = path.format(burst=burst["burst_id"])
    query = "taxon=Nothing+such&station=nowhere&since=2031-01-01&confidence_min=0.99"
    page = admin.get(f"{path}?{query}")
    assert page.status_code == 200
    assert "Traceback" not in page.text
    assert admin.get(f"{path}.json?{query}").status_code == 200


def digests(folder: Path) -> dict[str, str]:
    """The contents of the files of a folder; without SQLite's index of its log, which any reader writes."""
    files = [path for path in folder.glob("*.sqlite*") if not path.name.endswith("-shm")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("command", ["dashboard", "export", "import"])
def test_a_catalogue_of_a_newer_version_is_refused_and_stays_as_it_is(
    config: Settings, writable_catalogue: Engine, tmp_path: Path, command: str
) -> None:
    with writable_catalogue.begin() as connection:
        connection.execute(text("UPDATE catalogue_version SET version_num = '9999'"))
    writable_catalogue.dispose()
    (tmp_path / "md.json").write_text('{"info": {"format_version": "1.6"}, "detection_categories": {}, "images": []}')
    before = digests(tmp_path)
    arguments = {
        "dashboard": ["dashboard"],
        "export": ["export", "csv", str(tmp_path / "out")],
        "import": ["import", str(tmp_path / "md.json")],
    }
    ended = subprocess.run(
        [sys.executable, "-m", "uncia", *arguments[command]],
        env=environment_of(config),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 78, ended.stderr
    assert "newer version of Uncia" in ended.stderr
    assert digests(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_accounts_of_a_newer_version_are_refused_and_stay_as_they_are(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path}/accounts.sqlite")
    open_accounts(url).dispose()
    with sqlite3.connect(tmp_path / "accounts.sqlite") as connection:
        connection.execute("UPDATE web_info SET schema_version = 99")
        connection.execute("DROP TABLE web_lease")
    connection.close()
    before = digests(tmp_path)
    with pytest.raises(AccountsError, match="a newer version of Uncia wrote"):
        open_accounts(url)
    assert digests(tmp_path) == before


def test_a_full_disk_refuses_what_must_be_stored_and_shows_the_pages(services: Services, sign_in: SignIn) -> None:
    admin = sign_in(Role.ADMIN)
    token = form_token(admin.get("/account").text)
    engine = services.accounts.engine
    with engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limited(connection: Any, _record: object) -> None:
        # SQLite's own limit of a file: the error is that of a full disk.
        connection.execute(f"PRAGMA max_page_count={pages}")

    engine.dispose()
    event.listen(engine, "connect", limited)
    refused = 0
    for number in range(40):
        data = {"name": f"view {number}", "query": "taxon=" + "x" * 1900, "form_token": token}
        answer = admin.post("/views", data=data)
        assert answer.status_code in (303, 503)
        refused += answer.status_code == 503
        assert admin.get("/browse").status_code == 200
    assert refused
    event.remove(engine, "connect", limited)
    engine.dispose()
    assert admin.post("/views", data={**data, "name": "later"}).status_code == 303
    saved = [view["name"] for view in admin.get("/browse.json").json()["views"]]
    assert len(saved) == 40 - refused + 1 and "later" in saved


def test_pictures_are_served_from_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    cache = FileCache(tmp_path / "thumbnails", max_bytes=1000)
    cache.put("one", b"picture")
    assert cache.get("one") is None
