"""The step of a connection that fails gives the reason; nothing listening, or one good server, gives none."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from uncia.kafka.connection import client_options
from uncia.kafka.refusal import refusal
from uncia.settings import Settings

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(serve: Serve) -> Iterator[str]:
    """Calls `serve` with each connection; returns the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def encrypted(certfile: Path, keyfile: Path, then: Serve = lambda _: None) -> Serve:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inner:
            then(inner)

    return serve


def broker(connection: socket.socket) -> None:
    """Answers requests as a broker does, with the least that a client reads."""
    while request := connection.recv(1000):
        connection.sendall(b"\0\0\0\x06" + request[8:12] + b"\0\0")


def reason(kafka: str, *, within_s: float = 10, **values: Any) -> str | None:
    settings = Settings(_env_file=None, kafka=kafka, **values)
    return refusal(settings, client_options(settings), within_s)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def test_nothing_that_listens_is_no_refusal() -> None:
    assert reason("127.0.0.1:1") is None
    assert reason("no port") is None


def test_a_broker_without_sign_in_accepts_a_plain_client() -> None:
    with server(broker) as address:
        assert reason(address) is None


def test_one_broker_that_accepts_is_enough() -> None:
    with server(lambda _: None) as bad, server(broker) as good:
        assert reason(bad, kafka_security_protocol="SSL") is not None
        assert reason(f"{bad},{good}") is None


def test_a_certificate_of_another_authority(authority: Authority) -> None:
    with server(encrypted(*authority.issue("broker", ["127.0.0.1"]), broker)) as address:
        assert "is not trusted by this system" in str(reason(address, kafka_security_protocol="SSL"))
        assert reason(address, kafka_security_protocol="SSL", kafka_cafile=authority.cafile) is None


def test_a_certificate_for_another_host(authority: Authority) -> None:
    with server(encrypted(*authority.issue("broker", ["127.0.0.2"]))) as address:
        found = reason(address, kafka_security_protocol="SSL", kafka_cafile=authority.cafile)
        assert f"the certificate of Kafka at {address} is not for 127.0.0.1" in str(found)


def test_a_certificate_that_has_expired(authority: Authority) -> None:
    expired = authority.issue("broker", ["127.0.0.1"], valid_for=-timedelta(hours=1))
    with server(encrypted(*expired)) as address:
        found = reason(address, kafka_security_protocol="SSL", kafka_cafile=authority.cafile)
        assert "has expired: renew it" in str(found)


def test_a_plain_client_at_a_port_with_tls(authority: Authority) -> None:
    with server(encrypted(*authority.issue("broker", ["127.0.0.1"]))) as address:
        assert "expects TLS, and UNCIA_KAFKA_SECURITY_PROTOCOL=PLAINTEXT" in str(reason(address))


def test_tls_at_a_port_without() -> None:
    with server(lambda connection: connection.close()) as address:
        assert "does not answer in TLS" in str(reason(address, kafka_security_protocol="SSL"))


def test_something_else_than_kafka() -> None:
    with server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        assert "answers, but is no Kafka broker" in str(reason(address))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_broker_that_is_suspended_refuses_nobody(protocol: str) -> None:
    released = threading.Event()

    def suspended(_: socket.socket) -> None:
        released.wait(10)

    with server(suspended) as address:
        assert reason(address, within_s=0.2, kafka_security_protocol=protocol) is None
        released.set()


def test_a_broker_that_stops_refuses_nobody() -> None:
    with server(lambda connection: connection.close()) as address:
        assert reason(address) is None


def test_a_token_that_cannot_be_had(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    values: dict[str, Any] = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "OAUTHBEARER"}
    with server(broker) as address:
        assert "is empty" in str(reason(address, **values, kafka_token_file=token))
