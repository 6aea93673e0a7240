"""The stack of `docker-compose.yml`, for tests on a machine with a Docker engine: `UNCIA_TEST_STACK=containers`.

The same small face as `uncia.infra.local.stack.Stack`: up, down, status, kill, environment. Each stack is a compose
project of its own, with drawn credentials and free ports, so that several run side by side.
"""

import contextlib
import gc
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
import requests
import yaml
from docker.errors import DockerException
from testcontainers.compose import ComposeContainer, DockerCompose

from tests.paths import ROOT
from uncia.errors import StackError
from uncia.infra.local.part_health import PartStatus
from uncia.settings import Settings

PARTS = ("kafka", "seaweedfs", "triton", "intake", "predict", "predict-backfill", "bursts", "clocks", "reconcile")
OURS = ("intake", "predict", "predict-backfill", "bursts", "clocks", "reconcile")
ONE_SHOTS = ("topics", "models")
WITHOUT_CONTAINER = ("triton-keeper",)
"""Cures a dead python stub; the containers' Triton has none, and a server that ends is started again."""


def require_engine() -> None:
    """Raise `StackError`, with what to do, unless a Docker engine answers and its client knows `compose`."""
    way_out = "or unset UNCIA_TEST_STACK to test on the embedded stack"
    if silence := _silence():
        raise StackError(
            f"UNCIA_TEST_STACK=containers needs a Docker engine and none answers ({silence}): start one, {way_out}"
        )
    program = shutil.which("docker")
    if program is None or subprocess.run([program, "compose", "version"], capture_output=True, check=False).returncode:
        raise StackError(f"UNCIA_TEST_STACK=containers needs the `docker compose` plugin: install it, {way_out}")


def _silence() -> str | None:
    """Why no engine answers; None when one does."""
    with warnings.catch_warnings():
        # The client leaves its socket to the garbage collector when nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        reason = None
        try:
            with contextlib.closing(docker.from_env(timeout=5)) as client:
                client.ping()
        except (DockerException, requests.RequestException, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        gc.collect()
    return reason


class ContainerStack:
    """One compose project whose drawn values and logs are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def up(
        self,
        parts: Sequence[str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = 1200,
        report: object = None,
    ) -> None:
        """Start parts and what they depend on, and wait until each is healthy. The first time builds two images."""
        require_engine()
        services = [_known(name) for name in parts or PARTS if name not in WITHOUT_CONTAINER]
        self._write(extra_env or {})
        command = [*self._compose().docker_compose_command(), "up", "--detach", "--wait", "--build"]
        ended = subprocess.run(
            [*command, f"--wait-timeout={timeout_s:.0f}", *services],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            self._keep_logs()
            self.down()
            raise StackError(f"the containers did not start (logs in {self.folder}):\n{ended.stderr[-3000:]}")

    def down(self) -> None:
        """Remove this project's containers, networks and volumes; the logs stay."""
        if (self.folder / "compose.env").exists():
            self._keep_logs()
            self._compose().stop()

    def status(self) -> list[PartStatus]:
        """Every part, by what the engine says of its container and by its health check."""
        running = {container.Service: container for container in self._compose().get_containers(include_all=True)}
        return [_status(name, running.get(name)) for name in PARTS]

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to a part's first process; return its pid as the engine's machine counts.

        An engine takes this for a wish that the container stay down, so it is started again here, as the restart
        policy would after a crash.
        """
        with contextlib.closing(docker.from_env()) as client:
            container = client.containers.get(self._compose().get_container(_known(name)).ID)
            pid = int(container.attrs["State"]["Pid"])
            container.kill(signal=signal.Signals(signal_number).name)
            if signal_number == signal.SIGKILL:
                container.wait(timeout=30)
                container.start()
        return pid

    def environment(self) -> dict[str, str]:
        """Variables that point a process outside the containers at this stack."""
        drawn = self._drawn()
        return {
            "UNCIA_STACK_DIR": str(self.folder),
            "UNCIA_KAFKA": f"127.0.0.1:{drawn['KAFKA_PORT']}",
            "UNCIA_S3_ENDPOINT": f"http://127.0.0.1:{drawn['S3_PORT']}",
            "UNCIA_S3_ACCESS_KEY": drawn["S3_ACCESS_KEY"],
            "UNCIA_S3_SECRET_KEY": drawn["S3_SECRET_KEY"],
            "UNCIA_TRITON": f"127.0.0.1:{drawn['TRITON_GRPC_PORT']}",
            "UNCIA_TRITON_HTTP": f"127.0.0.1:{drawn['TRITON_HTTP_PORT']}",
        }

    def settings(self) -> Settings:
        """Settings that lead to this stack."""
        ours = {name.removeprefix("UNCIA_").lower(): value for name, value in self.environment().items()}
        return Settings(_env_file=None, **{name: value for name, value in ours.items() if name != "stack_dir"})

    def _compose(self) -> DockerCompose:
        return DockerCompose(
            context=ROOT,
            compose_file_name=["docker-compose.yml", str(self.folder / "override.yml")],
            env_file=str(self.folder / "compose.env"),
            profiles=["cpu"],
        )

    def _write(self, extra_env: Mapping[str, str]) -> None:
        """The project's own values: drawn once, kept from one `up` to the next."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = self.folder / "compose.env"
        if not values.exists():
            values.touch(mode=0o600)
            values.write_text("".join(f"{name}={value}\n" for name, value in _draw().items()), encoding="utf-8")
        # A name of its own keeps this project apart from one that somebody runs from the same file.
        override = {
            "name": self._drawn()["PROJECT"],
            "services": {name: {"environment": dict(extra_env)} for name in OURS},
        }
        (self.folder / "override.yml").write_text(yaml.safe_dump(override), encoding="utf-8")

    def _drawn(self) -> dict[str, str]:
        try:
            lines = (self.folder / "compose.env").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise StackError(f"there is no stack in {self.folder} yet: `up` makes it") from error
        return dict(line.split("=", 1) for line in lines)

    def _keep_logs(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError, OSError):
            out, err = self._compose().get_logs()
            (self.folder / f"containers-{time.time():.0f}.log").write_text(out + err, encoding="utf-8")


def _known(name: str) -> str:
    if name not in PARTS:
        raise StackError(f"no such part: {name}; there are {', '.join(PARTS)}")
    return name


def _status(name: str, container: ComposeContainer | None) -> PartStatus:
    if container is None:
        return PartStatus(name, "down", None, False, "")
    return PartStatus(name, container.State or "", None, container.Health == "healthy", container.Health or "")


def _draw() -> dict[str, str]:
    ports = dict(zip(("KAFKA_PORT", "S3_PORT", "TRITON_HTTP_PORT", "TRITON_GRPC_PORT"), _free_ports(4), strict=True))
    return {
        "PROJECT": f"uncia-test-{secrets.token_hex(4)}",
        "S3_ACCESS_KEY": secrets.token_hex(10),
        "S3_SECRET_KEY": secrets.token_hex(20),
        "S3_SIGNING_KEY": secrets.token_hex(20),
        "KAFKA_CLUSTER_ID": urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        **{name: str(port) for name, port in ports.items()},
    }


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, all different: they are held open until the last is known."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
