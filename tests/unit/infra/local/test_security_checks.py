"""Doors that are open, and doors that are closed, told apart by requests without a key."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local.certificates import ensure_certificates
from uncia.infra.local.security_checks import is_loopback, refuses_http, requires_certificate, run_security_checks
from uncia.infra.local.stack import Stack

Serve = Callable[..., int]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that answers every request with one status; returns its port."""
    started: list[http.server.ThreadingHTTPServer] = []

    def start(status: int, *, tls: bool = False, client_certificate: bool = False) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A refused client is part of the test."""

        server = Server(("127.0.0.1", 0), Handler)
        if tls:
            ensure_certificates(tmp_path)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tmp_path / "keys" / "seaweedfs.pem", tmp_path / "keys" / "seaweedfs.key")
            if client_certificate:
                context.load_verify_locations(tmp_path / "keys" / "ca.pem")
                context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server.server_port

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_is_closed(serve: Serve, status: int) -> None:
    assert str(status) in refuses_http(serve(status), "/")


@pytest.mark.parametrize("status", [200, 404])
def test_a_server_that_answers_without_a_key_is_open(serve: Serve, status: int) -> None:
    with pytest.raises(StackError, match=f"answers {status} to a request without a key"):
        refuses_http(serve(status), "/")


def test_a_server_that_requires_a_certificate_is_closed(serve: Serve) -> None:
    assert "without a certificate" in requires_certificate(serve(200, tls=True, client_certificate=True))


def test_a_server_that_answers_without_a_certificate_is_open(serve: Serve) -> None:
    with pytest.raises(StackError, match="answers without a certificate"):
        requires_certificate(serve(200, tls=True))


@pytest.mark.parametrize(
    ("address", "own"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("192.168.1.4", False)]
)
def test_only_loopback_is_out_of_reach_of_others(address: str, own: bool) -> None:
    assert is_loopback(address) is own


def test_a_stack_that_is_down_cannot_be_tried(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="uncia up"):
        run_security_checks(Stack(tmp_path / "stack"))
