"""The dashboard of the running stack over HTTP: what its forms change arrives in the stream, and comes back."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.stack.conftest import KIND, Send
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from uncia.events import BurstResolved, ReviewDecision
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.topics import STORAGE_CHANGED

PASSWORD = "a leopard in the snow"
SignIn = Callable[..., "Operator"]

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


class Operator:
    """A browser without scripts: it keeps cookies, and sends back the token of the forms."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._token = ""

    def open(self, address: str) -> str:
        """A page."""
        answer = self._http.get(address)
        assert answer.status_code == 200, answer.text
        found = re.search(r'name="form_token" value="([^"]+)"', answer.text)
        assert found, answer.text
        self._token = found[1]
        return str(answer.text)

    def send(self, address: str, **fields: object) -> httpx2.Response:
        """A form of the page that was opened last."""
        return self._http.post(address, data={**fields, "form_token": self._token})

    def send_json(self, address: str, body: dict[str, object]) -> Any:
        """What a script of the page sends."""
        answer = self._http.post(address, json=body, headers={"X-Form-Token": self._token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def read(self, address: str) -> Any:
        """The JSON twin of a page; None where there is none yet."""
        answer = self._http.get(address, headers={"Accept": "application/json"})
        return answer.json() if answer.status_code == 200 else None

    def picture(self, address: str) -> bytes:
        """A picture."""
        answer = self._http.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        return bytes(answer.content)


@pytest.fixture
def sign_in(stack: Stack) -> Iterator[SignIn]:
    """Follow the one-time link of a new account."""
    opened: list[httpx2.Client] = []

    def follow(role: str, name: str) -> Operator:
        printed = subprocess.run(
            [sys.executable, "-m", "uncia", "dashboard", "link", "--role", role],
            env={**os.environ, **stack.environment(), "UNCIA_STACK_DIR": str(stack.folder)},
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        ).stdout
        link = httpx2.URL(printed.split()[-1])
        http = httpx2.Client(base_url=f"http://{link.netloc.decode()}", timeout=120)
        opened.append(http)
        operator = Operator(http)
        operator.open(link.path)
        answer = operator.send(link.path, name=name, password=PASSWORD, repeated=PASSWORD)
        assert answer.status_code == 303, answer.text
        return operator

    yield follow
    for http in opened:
        http.close()


def test_a_review_revises_the_burst_and_the_page_shows_it(
    sign_in: SignIn,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    results: ResultConsumer,
    station: str,
) -> None:
    reviewer = sign_in("reviewer", station)
    upload(f"{station}/cam-1/IMG_0001.JPG", photograph(41))
    (burst,) = settled(f"{station}/cam-1")
    address = f"/bursts/{burst.burst_id}"

    def shown() -> Any:
        page = reviewer.read(address)
        return page if page and page["burst"]["revision"] >= burst.revision else None

    page = results.wait_for(shown, 30, "the burst on its page")
    assert reviewer.picture(f"/pictures/{burst.frames[0].image_id}/view.jpg").startswith(b"\xff\xd8")
    reviewer.open("/account")
    reviewer.send_json(
        "/review/decisions.json",
        {"burst_id": burst.burst_id, "revision": page["burst"]["revision"], "decision": "blank"},
    )

    def revised() -> BurstResolved | None:
        newest = max(results.bursts(f"{station}/cam-1"), key=lambda event: event.revision)
        return newest if newest.revision > burst.revision else None

    review = results.wait_for(revised, 30, "the reviewed burst").review
    assert review is not None and (review.reviewer, review.decision) == (station, ReviewDecision.BLANK)
    reviews = results.wait_for(lambda: reviewer.read(address)["reviews"], 30, "the review on the page")
    assert [(review["reviewer"], review["decision"]) for review in reviews] == [(station, "blank")]


def test_an_operator_drops_a_dead_letter_and_a_reviewer_may_not(
    sign_in: SignIn,
    send: Send,
    settings: Settings,
    results: ResultConsumer,
    station: str,
) -> None:
    operator, reviewer = sign_in("operator", f"{station}-operator"), sign_in("reviewer", f"{station}-reviewer")
    send(STORAGE_CHANGED.full_name(settings), b"no notification", station.encode())

    def letters() -> list[dict[str, Any]]:
        listed = operator.read("/operations?reason=notification-malformed")["dead_letters"]["letters"]
        return [letter for letter in listed if letter["key"] == station]

    (letter,) = results.wait_for(letters, 30, "the dead letter on the page")
    reviewer.open("/account")
    assert reviewer.send("/operations/dead-letters", action="drop", letter=letter["id"]).status_code == 403
    operator.open("/operations")
    assert operator.send("/operations/dead-letters", action="drop", letter=letter["id"]).status_code == 303

    assert letters() == []
    settled = operator.read(f"/operations/dead-letters/{letter['id']}")["details"]["settled"]
    assert settled.startswith(f"dropped by {station}-operator")


def test_the_page_of_operations_names_the_workers_and_the_models_of_the_stream(
    sign_in: SignIn, settings: Settings, station: str
) -> None:
    page = sign_in("operator", station).read("/operations")

    assert page["problem"] is None
    assert {"predict", "bursts", "catalogue"} <= {worker["name"] for worker in page["workers"]}
    assert settings.model in {version["model"] for version in page["models"]["versions"] if version["in_stream"]}
