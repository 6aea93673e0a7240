"""Another user of the machine, who tries every door: `python -m tests.stack.stranger`, started by root.

Reads the addresses as JSON from standard input, becomes the user `nobody`, and prints as JSON what came of each
attempt: `open` with what was obtained, or the refusal.
"""

import encodings.idna  # noqa: F401  before the change of user, who may not read Python's files
import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import tritonclient.grpc as triton
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

NOBODY = 65534
_TIMEOUT_S = 20


def main() -> None:
    """Try every door."""
    doors: dict[str, Any] = json.load(sys.stdin)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    attempts: dict[str, Callable[[], object]] = {}
    for path in doors["files"]:
        attempts[f"read {path}"] = partial(_read, Path(path))
    for path in doors["sockets"]:
        attempts[f"connect {path}"] = partial(_connect, path)
    for name, (host, port) in doors["ports"].items():
        attempts[f"{name} GET /"] = partial(_request, port, "GET", "/", host)
        attempts[f"{name} GET / by TLS"] = partial(_request_by_tls, port, "GET", "/", host)
    for name, (port, requests) in doors["http"].items():
        for method, target in requests:
            attempts[f"{name} {method} {target}"] = partial(_request, port, method, target)
    for name, (port, method) in doors["grpc"].items():
        attempts[f"{name} {method}"] = partial(_call, port, method, tls=False)
        attempts[f"{name} {method} by TLS"] = partial(_call, port, method, tls=True)
    for name, port in doors["kafka"].items():
        attempts[f"{name}: topics"] = partial(_list_topics, port, None)
        attempts[f"{name}: topics by TLS"] = partial(_list_topics, port, "SSL")
        attempts[f"{name}: topics with a guessed password"] = partial(_list_topics, port, "SASL_SSL")
    attempts["load a model"] = partial(_load_model, doors["triton"], doors["triton_headers"])
    print(json.dumps({name: _outcome(attempt) for name, attempt in attempts.items()}))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        return f"open: {attempt()!r}"
    except (OSError, KafkaError, http.client.HTTPException, grpc.RpcError, triton.InferenceServerException) as error:
        return f"refused: {type(error).__name__} {str(error)[:200]}"


def _read(path: Path) -> str:
    return ", ".join(entry.name for entry in path.iterdir()) if path.is_dir() else path.read_bytes()[:20].hex()


def _connect(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    return "connected"


def _request(port: int, method: str, target: str, host: str = "127.0.0.1") -> str:
    """Send a request over HTTP, and where the server speaks TLS alone, without a certificate over HTTPS."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, target, body=b"x" if method in ("POST", "PUT") else None)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status == 400 and b"HTTPS server" in body:
        return _request_by_tls(port, method, target, host)
    return _answered(response)


def _request_by_tls(port: int, method: str, target: str, host: str = "127.0.0.1") -> str:
    """Send a request over HTTPS, without a certificate, to whatever server it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request(method, target)
        return _answered(connection.getresponse())
    finally:
        connection.close()


def _answered(response: http.client.HTTPResponse) -> str:
    """The status. Raises `OSError` for a refusal; to be sent to the sign-in is one."""
    signs_in = response.status == 303 and response.headers.get("Location", "").startswith("/sign-in")
    if response.status in (401, 403) or signs_in:
        raise OSError(f"status {response.status}")
    return f"status {response.status}"


def _call(port: int, method: str, *, tls: bool) -> str:
    """Call a method of a gRPC server with an empty message, without a certificate."""
    address = f"127.0.0.1:{port}"
    if not tls:
        return call_grpc(grpc.insecure_channel(address), method)
    # Trusts whatever certificate the server has.
    server = ssl.get_server_certificate(("127.0.0.1", port), timeout=_TIMEOUT_S)
    return call_grpc(grpc.secure_channel(address, grpc.ssl_channel_credentials(server.encode())), method)


def call_grpc(channel: grpc.Channel, method: str) -> str:
    """Call a method with an empty message, and close the channel. Raises `grpc.RpcError`."""
    with channel:
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        answer: bytes = call(b"", timeout=_TIMEOUT_S)
    return f"{len(answer)} bytes"


def _list_topics(port: int, protocol: str | None) -> str:
    """List Kafka's topics, by TLS without a certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    options: dict[str, Any] = {"security_protocol": protocol, "ssl_context": context} if protocol else {}
    if protocol == "SASL_SSL":
        options |= {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "operator",
            "sasl_plain_password": "guess",
        }
    client = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", bootstrap_timeout_ms=5000, **options)
    try:
        return ", ".join(client.list_topics())
    finally:
        client.close()


def _load_model(address: str, headers: dict[str, str]) -> str:
    """Load a model with both keys, which every user of the machine can read in the list of processes."""
    client = triton.InferenceServerClient(address)
    try:
        client.load_model("species_classifier", headers=headers, client_timeout=_TIMEOUT_S)
    finally:
        client.close()
    return "loaded"


if __name__ == "__main__":
    main()
