"""`uncia doctor --security`: sends every server of a running stack requests that it must refuse. Changes nothing.

Each check sends requests without a key, as any other user of the machine could. What `docs/threat-model.md` names as
not protected yet fails here, too: silence would be taken for safety.
"""

import http.client
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from pydantic import SecretStr

from uncia.errors import StackError
from uncia.infra.local import processes
from uncia.infra.local.doctor import Check, check_folder, try_check
from uncia.infra.local.mailroom_checks import camera_ports, mailroom_checks
from uncia.infra.local.network import NetworkAddresses, network_addresses
from uncia.infra.local.stack import Stack
from uncia.infra.local.triton import Triton
from uncia.settings import Settings

__all__ = ["is_loopback", "refuses_http", "requires_certificate", "run_security_checks"]

_TIMEOUT_S = 10
_LOOPBACK = ("127.", "::1", "::ffff:127.")

_HTTP_DOORS = {
    "s3": ("object store", "/{bucket}"),
    "filer": ("store: filer", "/buckets/"),
    "volume": ("store: volume", "/1,0123456789"),
    "master": ("store: master", "/dir/status"),
    "seaweedfs_admin": ("store: admin", "/metrics"),
}
"""By port name: the check's name and what is requested without a key."""

_CERTIFICATE_DOORS = {
    "master_grpc": "store: master_grpc",
    "filer_grpc": "store: filer_grpc",
    "volume_grpc": "store: volume_grpc",
    "s3_grpc": "store: s3_grpc",
    "kafka_internal": "kafka: internal",
    "kafka_controller": "kafka: controller",
}
"""By port name: the check's name."""


def run_security_checks(stack: Stack) -> list[Check]:
    """Run all checks of a stack that is up. Raises `StackError` when it is not."""
    if not any(part.pid for part in stack.supervised()):
        raise StackError("the stack is down: `uncia up` starts it, and its doors can be tried")
    identity, settings = stack.require_identity(), stack.settings()
    network = network_addresses(settings)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("user", _user),
        ("folder", lambda: check_folder(stack.folder)),
        ("ports", lambda: _ports(identity.stack_id, network, settings)),
        ("triton", lambda: _triton(identity.triton_socket, serves_http=settings.triton_serve_http)),
        ("triton: user", lambda: _triton_user(stack)),
    ]
    for port, (name, target) in _HTTP_DOORS.items():
        path = target.format(bucket=settings.bucket)
        checks.append((name, partial(refuses_http, identity.ports[port], path)))
    for port, name in _CERTIFICATE_DOORS.items():
        checks.append((name, partial(requires_certificate, identity.ports[port])))
    if network is not None:
        checks += [
            ("network: s3", lambda: _store_for_others(settings, network, stack.require_keys().authority)),
            ("network: s3_grpc", partial(requires_certificate, network.s3_grpc_port)),
            ("network: kafka", lambda: _kafka(settings.model_copy(update={"kafka": network.kafka_here}))),
        ]
    checks += [
        ("dashboard", lambda: _dashboard(settings.dashboard_port)),
        ("kafka", lambda: _kafka(settings)),
        ("versions", lambda: _versions(kept=settings.keep_versions)),
        *mailroom_checks(settings),
    ]
    return [try_check(name, check) for name, check in checks]


def _user() -> str:
    if os.geteuid() == 0:
        raise StackError(
            "the stack runs as root: a fault in any part is one of the whole machine. Run it as a user of its own"
        )
    return "the stack does not run as root"


def _ports(stack_id: str, network: NetworkAddresses | None, settings: Settings) -> str:
    cameras = frozenset() if is_loopback(settings.mailroom_host) else camera_ports(settings)
    served = {*(network.ports if network is not None else ()), *cameras}
    pids = {process.pid for process in processes.of_stack(stack_id)}
    listening = [
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in pids and connection.laddr
    ]
    inside = [port for address, port in listening if is_loopback(address) and port not in served]
    outside = {(address, port) for address, port in listening if not is_loopback(address) and port not in served}
    for_cameras = sorted({port for address, port in listening if not is_loopback(address) and port in cameras})
    if outside:
        shown = ", ".join(sorted(f"{address}:{port}" for address, port in outside))
        raise StackError(f"reachable from other machines: {shown}; find out who set these addresses")
    found = [f"{len(inside)} ports on loopback"]
    if network is not None:
        found.append(f"for other machines {', '.join(map(str, network.ports))}, which need keys and TLS")
    if for_cameras:
        found.append(f"for cameras {', '.join(map(str, for_cameras))}")
    return "; ".join(found) if found[1:] else f"{len(inside)} ports, all on loopback"


def is_loopback(address: str) -> bool:
    """True for an address of this machine that no other machine reaches."""
    return address.startswith(_LOOPBACK)


def _triton(triton_socket: Path, *, serves_http: bool) -> str:
    if not triton_socket.parent.exists():
        return "does not run"
    mode = triton_socket.parent.stat().st_mode & 0o777
    if mode & 0o077:
        raise StackError(f"other users can enter {triton_socket.parent}: chmod 700 {triton_socket.parent}")
    if serves_http:
        raise StackError(
            "Triton serves HTTP, and every user of this machine can read its keys in the list of processes: "
            "set UNCIA_TRITON_SERVE_HTTP=false unless you trust them (docs/keys.md)"
        )
    return "on a socket in a folder that only its owner may enter, and on no port"


def _triton_user(stack: Stack) -> str:
    pid = next((part.pid for part in stack.supervised() if part.name == Triton.name), None)
    if pid is None:
        return "Triton does not run"
    user, owner = psutil.Process(pid).uids().effective, stack.folder.stat().st_uid
    if user != owner:
        return f"Triton runs as the user {user}, who has no account: code in a model cannot read the stack's keys"
    if owner == 0:
        raise StackError(
            "Triton runs as root, so code in a model can read all keys: UNCIA_TRITON_OWN_USER is off, or "
            "`uncia logs triton` begins with the reason. Add only models that you trust"
        )
    return "Triton runs as the stack's user: code in a model can read the stack's keys; add only models that you trust"


def refuses_http(port: int, target: str) -> str:
    """Request something without a key, by TLS where the server speaks nothing else. Raises `StackError`."""
    status, body = _get(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S), target)
    if status == http.HTTPStatus.BAD_REQUEST and b"HTTPS server" in body:
        return requires_certificate(port)
    if status not in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        raise StackError(f"port {port} answers {status} to a request without a key: report this as a fault of Uncia")
    return f"refuses requests without a key ({status})"


def _get(connection: http.client.HTTPConnection, target: str) -> tuple[int, bytes]:
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read(10_000)
    finally:
        connection.close()


def requires_certificate(port: int) -> str:
    """Connect by TLS without a certificate, and expect that the server ends the connection. Raises `StackError`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    refused = "refuses connections without a certificate of the stack"
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as plain:
        try:
            with context.wrap_socket(plain) as secure:
                # With TLS 1.3 the refusal comes after the handshake.
                secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if not secure.recv(1):
                    return refused
        except (ssl.SSLError, ConnectionError):
            return refused
    raise StackError(f"port {port} answers without a certificate: report this as a fault of Uncia")


def _dashboard(port: int) -> str:
    status, _ = _get(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S), "/operations.json")
    if status not in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN, http.HTTPStatus.SEE_OTHER):
        raise StackError(f"the dashboard answers {status} without an account: report this as a fault of Uncia")
    return f"refuses requests without an account ({status})"


def _store_for_others(settings: Settings, network: NetworkAddresses, authority: Path) -> str:
    # Imported here because the other checks need no client of the store.
    from uncia.storage.object_store import AccessRefused, ObjectStore

    update = {
        "s3_endpoint": network.s3_endpoint_here,
        "s3_cafile": authority,
        "s3_access_key": "0" * 20,
        "s3_secret_key": SecretStr("guess"),
    }
    stranger = ObjectStore(settings.model_copy(update=update), attempts=1)
    try:
        next(stranger.list(settings.bucket), None)
    except AccessRefused:
        return "refuses requests without a key, over TLS"
    finally:
        stranger.close()
    raise StackError("the store for other machines accepts an unknown key: report this as a fault of Uncia")


def _kafka(settings: Settings) -> str:
    # Imported here because the other checks need no Kafka client.
    from uncia.kafka.connection import client_options
    from uncia.kafka.refusal import refusal

    unknown = settings.model_copy(update={"kafka_username": "stranger", "kafka_password": SecretStr("guess")})
    plain: dict[str, Any] = dict.fromkeys(("kafka_sasl_mechanism", "kafka_username", "kafka_password", "kafka_cafile"))
    unencrypted = settings.model_copy(update=plain | {"kafka_security_protocol": "PLAINTEXT"})
    for stranger in (unknown, unencrypted):
        if not refusal(stranger, client_options(stranger), _TIMEOUT_S):
            raise StackError("Kafka accepts a client without a key: report this as a fault of Uncia")
    return "refuses clients without a key; each part may use the topics of its row alone"


def _versions(*, kept: bool) -> str:
    if kept:
        return "replaced photographs are kept as older versions, which no key but the store's own can delete"
    return "a holder of a gateway's key can replace its station's photographs: UNCIA_KEEP_VERSIONS is off"
