"""Identity of a stack: its id and ports, generated at the first start and stored in its folder.

Its keys are in `credentials.py`.
"""

import errno
import json
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.layout import write_private

PORTS = (
    "kafka",
    "kafka_internal",
    "kafka_controller",
    "s3",
    "s3_grpc",
    "filer",
    "filer_grpc",
    "master",
    "master_grpc",
    "volume",
    "volume_grpc",
    "seaweedfs_admin",
    "triton_http",
    "dashboard",
)

TRITON_SOCKET_PORT = 1
"""Part of the name of Triton's socket; nothing listens on a port of this number."""

_LOWEST, _HIGHEST = 12_000, 32_000
"""Range of our ports: below Linux's ephemeral ports, so that no outgoing connection takes one of them later."""

_PAIRED = {"seaweedfs_admin": 10_000}
"""SeaweedFS's worker expects the admin server's gRPC at its port plus this offset, whatever its configuration."""


@dataclass(frozen=True)
class StackIdentity:
    """Generated values of one stack. `stack_id` is in the environment of its processes; only those are ever ended."""

    stack_id: str
    ports: dict[str, int]
    kafka_cluster: str
    runtime_dir: str = ""
    """Path of the runtime directory of the latest start; `short` in state.json."""

    @property
    def all_ports(self) -> dict[str, int]:
        """The ports, and those that a part opens at a fixed distance from its own."""
        paired = {f"{name} + {offset}": self.ports[name] + offset for name, offset in _PAIRED.items()}
        return {**self.ports, **paired}

    @property
    def shm_prefix(self) -> str:
        """Prefix of the shared memory regions of this stack's Triton."""
        return f"uncia_{self.stack_id}_"

    @property
    def triton_dir(self) -> Path:
        """The folder of Triton's socket and temporary files. Its user alone can enter it."""
        return Path(self.runtime_dir) / "triton"

    @property
    def triton_socket(self) -> Path:
        """The socket on which Triton serves gRPC. Its folder is closed to other users."""
        # Triton appends the port to every address, also to the path of a socket.
        return self.triton_dir / f"triton.sock:{TRITON_SOCKET_PORT}"


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when nothing listens on the port. Connections in TIME_WAIT do not count.

    Raises `OSError` when `host` is no address of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise
            return False
        return True


def assign_ports(previous: dict[str, int], free: Callable[[int], bool] = is_free) -> dict[str, int]:
    """A free port per name: the previous one when it is still free, else a random one. Raises `StackError`."""

    def fits(name: str, port: int) -> bool:
        return all(free(number) and number not in taken for number in (port, port + _PAIRED.get(name, 0)))

    taken: set[int] = set()
    ports = {name: port for name, port in previous.items() if name in PORTS and fits(name, port)}
    taken.update(*((port, port + _PAIRED.get(name, 0)) for name, port in ports.items()))
    for name in PORTS:
        for _ in range(1000):
            if name in ports:
                break
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST - _PAIRED.get(name, 0))
            if fits(name, port):
                ports[name] = port
                taken |= {port, port + _PAIRED.get(name, 0)}
        else:
            raise StackError(
                f"no free port between {_LOWEST} and {_HIGHEST}: stop programs that listen there (see `ss -ltnp`)"
            )
    return ports


def read_identity(folder: Path) -> StackIdentity | None:
    """Read the identity of the stack in this folder; None before its first start. Raises `StackError` when damaged."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return StackIdentity(
            stack_id=state["id"],
            ports={name: int(port) for name, port in state["ports"].items()},
            kafka_cluster=state["kafka_cluster"],
            runtime_dir=state["short"],
        )
    except FileNotFoundError:
        return None
    except (KeyError, ValueError, TypeError) as error:
        raise StackError(
            f"{folder}/state.json is damaged ({type(error).__name__}: {error}): "
            f"to start over, remove the folder {folder} with all that the stack has stored"
        ) from error


def ensure_identity(folder: Path, runtime_dir: Path) -> StackIdentity:
    """Read the identity, generate what is missing, replace ports that are taken, and store the result."""
    known = read_identity(folder)
    identity = StackIdentity(
        stack_id=known.stack_id if known else secrets.token_hex(8),
        ports=assign_ports(known.ports if known else {}),
        kafka_cluster=known.kafka_cluster if known else new_kafka_id(),
        runtime_dir=str(runtime_dir),
    )
    state = {
        "id": identity.stack_id,
        "ports": identity.ports,
        "kafka_cluster": identity.kafka_cluster,
        "short": identity.runtime_dir,
    }
    write_private(folder / "state.json", json.dumps(state, indent=2) + "\n")
    return identity


def environment_of(identity: StackIdentity) -> dict[str, str]:
    """The environment variables with the addresses of this stack's parts; their keys are in `StackKeys.environment`."""
    at = {name: f"127.0.0.1:{port}" for name, port in identity.ports.items()}
    # A stack of an older version has no port of the dashboard until its next start.
    dashboard = {"UNCIA_DASHBOARD_PORT": str(identity.ports["dashboard"])} if "dashboard" in identity.ports else {}
    return {
        "UNCIA_KAFKA": at["kafka"],
        "UNCIA_S3_ENDPOINT": f"http://{at['s3']}",
        "UNCIA_TRITON": f"unix:{identity.triton_socket}",
        "UNCIA_TRITON_HTTP": at["triton_http"],
        "UNCIA_REPLAY_KEY_ISSUER": "uncia.infra.local.replay_keys:StackReplayKeys",
        **dashboard,
    }


def assignment(name: str, value: str) -> str:
    """A line that a shell and Uncia's own settings read alike, also where a path has spaces or quotes."""
    if not value or re.fullmatch(r"[\w@%+=:,./-]+", value, re.ASCII):
        return f"{name}={value}"
    if "'" not in value:
        return f"{name}='{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def write_environment(folder: Path, ours: Mapping[str, str]) -> None:
    """Write these variables into `stack.env`, and keep all other lines unchanged."""
    path = folder / "stack.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else _HEADING
    others = [line for line in lines if line.partition("=")[0].strip() not in ours]
    write_private(path, "\n".join([*others, *(assignment(name, value) for name, value in ours.items())]) + "\n")


_HEADING = [
    "# Settings of this stack. `uncia up` rewrites the addresses and keys below;",
    "# any other UNCIA_... line that you add is kept and takes effect at the next start.",
]


def new_kafka_id() -> str:
    """A new id of a cluster or a folder: 16 bytes in URL-safe base64, without a dash at the start, as of an option."""
    while (drawn := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return drawn
