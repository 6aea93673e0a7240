"""Tokens by client credentials: requested once for most of their lifetime, and again afterwards."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from uncia.kafka.tokens import ClientCredentials


class Issuer(BaseHTTPRequestHandler):
    """Issues numbered tokens for ten minutes; `answer` replaces what it returns."""

    answer = b""
    requests: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.headers["Authorization"], body))
        self.send_response(200)
        self.end_headers()
        token = f'{{"access_token": "token-{len(self.requests)}", "expires_in": 600}}'
        self.wfile.write(self.answer or token.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Issuer, "requests", [], raising=False)
    with HTTPServer(("127.0.0.1", 0), Issuer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()
        thread.join()


def test_a_token_is_used_for_most_of_its_lifetime(issuer: str) -> None:
    now = 1000.0
    source = ClientCredentials(issuer, "uncia", "a secret:1", clock=lambda: now)
    assert [source(), source()] == ["token-1", "token-1"]
    now += 479
    assert source() == "token-1"
    now += 1
    assert source() == "token-2"
    authorization, body = Issuer.requests[0]
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"uncia:a+secret%3A1"
    assert body == b"grant_type=client_credentials"


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"access_token": "t", "expires_in": "soon"}'])
def test_an_answer_without_a_token_is_an_error(issuer: str, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(Issuer, "answer", answer)
    with pytest.raises(OSError, match="did not return a token"):
        ClientCredentials(issuer, "uncia", "secret")()


def test_an_issuer_that_is_down_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        ClientCredentials("http://127.0.0.1:1/token", "uncia", "secret")()
