"""What a stack draws at its first start and remembers: its id, its ports, its credentials."""

import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from uncia.errors import StackError
from uncia.infra.local.layout import write_private

PORTS = (
    "kafka",
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
    "triton_grpc",
    "triton_metrics",
)

_LOWEST, _HIGHEST = 12_000, 32_000
"""Below the range from which Linux gives ports to outgoing connections, so that none of them takes ours later."""

_PAIRED = {"seaweedfs_admin": 10_000}
"""SeaweedFS's worker looks for the admin server's gRPC at its port plus this, wherever it was told to be."""


@dataclass(frozen=True)
class Drawn:
    """Drawn values of one stack. `stack_id` marks its processes, so that no others are ever ended."""

    stack_id: str
    ports: dict[str, int]
    access_key: str
    secret_key: str
    kafka_cluster: str
    signing_key: str
    """With it SeaweedFS's own servers trust each other; nobody else has it."""
    short: str = ""

    @property
    def shm_prefix(self) -> str:
        """Shared memory regions of this stack's Triton begin with this."""
        return f"uncia_{self.stack_id}_"


def is_free(port: int) -> bool:
    """True when nothing listens there. Connections that are only fading away do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def draw_ports(kept: dict[str, int], free: Callable[[int], bool] = is_free) -> dict[str, int]:
    """A free port per name: the remembered one where it is still free, another where it was taken."""

    def fits(name: str, port: int) -> bool:
        return all(free(one) and one not in taken for one in (port, port + _PAIRED.get(name, 0)))

    taken: set[int] = set()
    ports = {name: port for name, port in kept.items() if name in PORTS and fits(name, port)}
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
            raise StackError(f"no free port between {_LOWEST} and {_HIGHEST}: is another program holding them all?")
    return ports


def read_drawn(folder: Path) -> Drawn | None:
    """What the stack in this folder has drawn; None before its first start."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        kept = dotenv_values(folder / "stack.env")
        return Drawn(
            stack_id=state["id"],
            ports={name: int(port) for name, port in state["ports"].items()},
            access_key=str(kept["UNCIA_S3_ACCESS_KEY"]),
            secret_key=str(kept["UNCIA_S3_SECRET_KEY"]),
            kafka_cluster=state["kafka_cluster"],
            signing_key=state["signing_key"],
            short=state["short"],
        )
    except FileNotFoundError:
        return None
    except (KeyError, ValueError, TypeError) as error:
        raise StackError(
            f"{folder}/state.json or stack.env is damaged ({type(error).__name__}: {error}): "
            f"remove the folder {folder} to begin anew; what the stack has stored goes with it"
        ) from error


def draw(folder: Path, short: Path) -> Drawn:
    """Draw what is missing, keep the rest, and write it down. Ports that were taken meanwhile are drawn anew."""
    known = read_drawn(folder)
    drawn = Drawn(
        stack_id=known.stack_id if known else secrets.token_hex(8),
        ports=draw_ports(known.ports if known else {}),
        access_key=known.access_key if known else secrets.token_hex(10),
        secret_key=known.secret_key if known else secrets.token_urlsafe(30),
        kafka_cluster=known.kafka_cluster if known else _cluster_id(),
        signing_key=known.signing_key if known else secrets.token_urlsafe(32),
        short=str(short),
    )
    _write_environment(folder / "stack.env", environment_of(drawn))
    state = {
        "id": drawn.stack_id,
        "ports": drawn.ports,
        "kafka_cluster": drawn.kafka_cluster,
        "signing_key": drawn.signing_key,
        "short": drawn.short,
    }
    write_private(folder / "state.json", json.dumps(state, indent=2) + "\n")
    return drawn


def environment_of(drawn: Drawn) -> dict[str, str]:
    """The settings that lead to this stack's parts."""
    at = {name: f"127.0.0.1:{port}" for name, port in drawn.ports.items()}
    return {
        "UNCIA_KAFKA": at["kafka"],
        "UNCIA_S3_ENDPOINT": f"http://{at['s3']}",
        "UNCIA_S3_ACCESS_KEY": drawn.access_key,
        "UNCIA_S3_SECRET_KEY": drawn.secret_key,
        "UNCIA_TRITON": at["triton_grpc"],
        "UNCIA_TRITON_HTTP": at["triton_http"],
    }


def _write_environment(path: Path, ours: dict[str, str]) -> None:
    """Rewrite our lines and leave every other one as its author wrote it."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else _HEADING
    others = [line for line in lines if line.partition("=")[0].strip() not in ours]
    write_private(path, "\n".join([*others, *(f"{name}={value}" for name, value in ours.items())]) + "\n")


_HEADING = [
    "# Settings of this stack. `uncia up` rewrites the addresses and keys below;",
    "# any other UNCIA_... line that you add stays and counts at the next start.",
]


def _cluster_id() -> str:
    """16 bytes in URL-safe base64, as Kafka wants; not beginning with a dash, which would be read as an option."""
    while (drawn := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return drawn
