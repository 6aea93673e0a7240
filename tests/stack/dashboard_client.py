"""A browser without scripts, which is signed in to a dashboard as a person would do it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2

PASSWORD = "a leopard in the snow"


class Browser:
    """Keeps cookies, and sends back the token of the forms."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._token = ""

    @property
    def address(self) -> str:
        """The dashboard's URL."""
        return str(self._http.base_url).rstrip("/")

    def create_token(self) -> str:
        """A token of the account, for programs."""
        self.open("/account")
        found = re.search(r"uncia_[A-Za-z0-9_-]{43}", self.send("/account/tokens", label="program").text)
        assert found
        return found[0]

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

    def events(self, address: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events: their names and contents, until the caller stops."""
        with self._http.stream("GET", address) as answer:
            assert answer.status_code == 200
            name = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()


SignIn = Callable[..., Browser]


def follow_link(environment: Mapping[str, str], role: str, name: str) -> Browser:
    """Create an account by its one-time link, in the dashboard that has this environment."""
    printed = subprocess.run(
        [sys.executable, "-m", "uncia", "dashboard", "link", "--role", role],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout
    link = httpx2.URL(printed.split()[-1])
    browser = Browser(httpx2.Client(base_url=f"http://{link.netloc.decode()}", timeout=120))
    browser.open(link.path)
    answer = browser.send(link.path, name=name, password=PASSWORD, repeated=PASSWORD)
    assert answer.status_code == 303, answer.text
    return browser
