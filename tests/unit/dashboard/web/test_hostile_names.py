"""Whatever a photograph, model, reviewer or address is called, a page shows it as text, and a table as a cell."""

import csv
import io
import unicodedata
import urllib.parse
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import Log
from tests.unit.dashboard.hostile_events import NAMES, hostile_events
from tests.unit.dashboard.web.conftest import SignIn, form_token
from tests.unit.dashboard.web.running_server import RunningServer
from tests.unit.dashboard.web.test_served import read_events
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.operations import DeadLetterRow, NoDeadLetters, Operations
from uncia.dashboard.web.services import Services


class Letters(NoDeadLetters):
    """A dead letter whose texts are all hostile."""

    def __init__(self, name: str) -> None:
        self._name = name

    def open(self, limit: int, *, stage: str = "", reason: str = "") -> list[DeadLetterRow]:
        name = self._name
        return [DeadLetterRow(name, name, name, name, name, name, name, 1)]


@pytest.fixture(params=list(NAMES.values()), ids=list(NAMES))
def name(request: pytest.FixtureRequest, writable_catalogue: Engine, services: Services) -> str:
    """A name that a catalogue and the dead letters are full of."""
    hostile: str = request.param
    log = Log()
    events = [replace(log.append(event), generation=1) for event in hostile_events(hostile)]
    store = CatalogueStore(writable_catalogue)
    # A generation of its own: the offsets begin again.
    store.set_partitions({place: PartitionState("hostile", 1, 0) for place in log.partitions()})
    assert store.apply(events).skipped == ()
    services.operations = Operations(dead_letters=Letters(hostile))
    return hostile


class Elements(HTMLParser):
    """Finds what a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {key for key, _ in attrs}
        self.addresses |= {value or "" for key, value in attrs if key in ("href", "src", "action", "hx-get")}
        self.text += " ".join(value or "" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


PAGES = (
    *("/", "/browse", "/bursts/bst-hostile", "/live/hero/bst-hostile", "/live/pipeline", "/review", "/numbers"),
    *("/health", "/operations", "/account", "/accounts"),
)


def test_pages_show_hostile_names_as_text(sign_in: SignIn, name: str) -> None:
    admin = sign_in(Role.ADMIN, name="<x-evil data-evil=1>")
    query = urllib.parse.urlencode({"taxon": name, "flag": name, "station": name, "unknown": name})
    shown = 0
    unknown = f"/{urllib.parse.quote(name)}"
    for address in (*PAGES, f"/browse?{query}", f"/numbers?{query}", f"/review?{query}", unknown):
        page = admin.get(address)
        assert page.status_code == (404 if address == unknown else 200), address
        found = Elements(page.text)
        assert "x-evil" not in found.tags, address
        assert not {one for one in found.attributes if one.startswith("on") or one == "data-evil"}, address
        assert not {one for one in found.addresses if not one.startswith(("/", "#", "?"))} - {""}, address
        assert str(77777 * 33333) not in page.text, address
        assert not [one for one in page.text if unicodedata.category(one) in ("Cc", "Cf") and one not in "\n\t"], (
            address
        )
        shown += any(part in found.text for part in ("x-evil", "red", "gpj", "HYPERLINK"))
        assert all("\n" not in value and "\r" not in value for value in page.headers.values())
    assert shown > 6


def test_their_twins_hold_the_name_itself(sign_in: SignIn, name: str) -> None:
    burst = sign_in().get("/bursts/bst-hostile.json").json()
    stored = name.replace("\x00", "\ufffd")
    assert (burst["burst"]["station"], burst["burst"]["label"], burst["models"]) == (stored, stored, [stored])


@pytest.mark.parametrize("table", ["subjects", "hours", "days", "accumulation", "confusion", "effort"])
def test_downloads_hold_hostile_names_as_single_cells_and_no_formula(sign_in: SignIn, name: str, table: str) -> None:
    response = sign_in().get(f"/numbers/{table}.csv")
    columns, *rows = csv.reader(io.StringIO(response.text, newline=""))
    assert rows
    assert {len(row) for row in rows} == {len(columns)}
    for row in rows:
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    if table in ("subjects", "accumulation"):
        assert name.lstrip("=") in response.text.replace('""', '"')


def test_a_name_cannot_add_an_event_to_the_live_stream(services: Services, name: str) -> None:
    server = RunningServer(services)
    try:
        account = services.accounts.create("program", None, Role.VIEWER, [name])
        ((number, data),) = read_events(server, services.accounts.create_token(account.id, "test"), 1)
    finally:
        server.stop()
    assert data["station"] == data["label"] == name
    assert number is not None


def test_a_saved_view_leads_to_browse_only(sign_in: SignIn, name: str) -> None:
    viewer: TestClient = sign_in()
    data = {
        "name": name,
        "query": f"{name}\r\nset-cookie: evil=1",
        "form_token": form_token(viewer.get("/browse").text),
    }
    response = viewer.post("/views", data=data)
    assert response.headers["location"].startswith("/browse")
    assert "evil" not in response.headers.get("set-cookie", "")
    found = Elements(viewer.get("/browse").text)
    assert "x-evil" not in found.tags and "data-evil" not in found.attributes
