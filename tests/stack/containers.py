"""The stack of `docker-compose.yml`, for tests on a machine with a Docker engine: `UNCIA_TEST_STACK=containers`.

Has the same methods as `uncia.infra.local.stack.Stack`: up, down, status, kill, environment, settings. Every stack is a
separate compose project with keys of its own and free ports, so several can run at the same time.
"""

import contextlib
import gc
import secrets
import shlex
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import requests
import yaml
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.compose import ComposeContainer, DockerCompose

from tests.free_ports import free_ports
from tests.paths import ROOT
from uncia.errors import StackError
from uncia.identities import OPERATOR, STORE_ADMIN, Identity
from uncia.infra.local.layout import write_private
from uncia.infra.local.part_health import PartStatus
from uncia.settings import Settings

PARTS = (
    "kafka",
    "seaweedfs",
    "triton",
    "intake",
    "predict",
    "predict-backfill",
    "explain",
    "second-look",
    "bursts",
    "crops",
    "clocks",
    "reconcile",
    "catalogue",
    "dashboard",
)
UNCIA_SERVICES = (
    "intake",
    "predict",
    "predict-backfill",
    "explain",
    "second-look",
    "bursts",
    "crops",
    "clocks",
    "reconcile",
    "catalogue",
    "dashboard",
)
ONE_SHOTS = ("keys", "topics", "buckets", "models")
_TRITON_PORTS = {"HTTP": 8000, "GRPC": 8001}
WITHOUT_CONTAINER = ("triton-keeper",)
"""The watchdog reloads dead python models. The container's Triton has none, and Docker restarts an exited server."""


def require_engine() -> None:
    """Raise `StackError`, with advice, unless a Docker engine responds and its client has `compose`."""
    alternative = "or unset UNCIA_TEST_STACK to test on the embedded stack"
    if reason := _engine_problem():
        raise StackError(
            f"UNCIA_TEST_STACK=containers needs a Docker engine, and none answers ({reason}): start one, {alternative}"
        )
    program = shutil.which("docker")
    if program is None or subprocess.run([program, "compose", "version"], capture_output=True, check=False).returncode:
        raise StackError(f"UNCIA_TEST_STACK=containers needs the `docker compose` plugin: install it, {alternative}")


def _engine_problem() -> str | None:
    """Why no engine responds; None when one does."""
    with warnings.catch_warnings():
        # Without a response the client leaves its socket to the garbage collector.
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
    """One compose project whose generated values and logs are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def up(
        self,
        parts: Sequence[str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = 1200,
        report: object = None,
    ) -> None:
        """Start parts and their dependencies, and wait until all are healthy. The first start builds two images."""
        require_engine()
        services = [_check_name(name) for name in parts or PARTS if name not in WITHOUT_CONTAINER]
        self._write(extra_env or {})
        command = [*self._compose().docker_compose_command(), "up", "--detach", "--wait", "--build"]
        completed = subprocess.run(
            [*command, f"--wait-timeout={timeout_s:.0f}", *services],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode:
            self._save_logs()
            self.down()
            raise StackError(f"the containers did not start (logs in {self.folder}):\n{completed.stderr[-3000:]}")
        self._fetch_keys()

    def down(self) -> None:
        """Remove this project's containers, networks and volumes. The logs are kept."""
        if (self.folder / "compose.env").exists():
            self._save_logs()
            self._compose().stop()

    def status(self) -> list[PartStatus]:
        """Status of every part: its container's state and health check."""
        running = {container.Service: container for container in self._compose().get_containers(include_all=True)}
        return [_status(name, running.get(name)) for name in PARTS]

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to a part's first process. Returns its pid on the engine's host.

        After a kill through its API, Docker does not apply the restart policy, so this starts the container again as
        the policy would after a crash.
        """
        with contextlib.closing(docker.from_env()) as client:
            container = client.containers.get(self._compose().get_container(_check_name(name)).ID)
            pid = int(container.attrs["State"]["Pid"])
            container.kill(signal=signal.Signals(signal_number).name)
            if signal_number == signal.SIGKILL:
                container.wait(timeout=30)
                container.start()
        return pid

    def environment(self) -> dict[str, str]:
        """Environment variables that connect a process outside the containers to this stack."""
        values = self._values()
        return {
            "UNCIA_STACK_DIR": str(self.folder),
            "UNCIA_TRITON": f"127.0.0.1:{values['TRITON_GRPC_PORT']}",
            "UNCIA_TRITON_HTTP": f"127.0.0.1:{values['TRITON_HTTP_PORT']}",
            **self._keys(OPERATOR),
        }

    def settings(self) -> Settings:
        """Settings that connect to this stack as the operator."""
        return _settings(self.environment())

    def admin_settings(self) -> Settings:
        """The settings with the store's administrative key. The broker's administrator has no port on this machine."""
        store = {name: value for name, value in self._keys(STORE_ADMIN).items() if "_S3_" in name}
        return _settings({**self.environment(), **store})

    def _keys(self, identity: Identity) -> dict[str, str]:
        return _assignments(self.folder / f"{identity.name}.env", self.folder)

    def _fetch_keys(self) -> None:
        """Write the keys of the operator and the store's administrator into the folder, with the authority."""
        ca = self.folder / "ca.pem"
        ca.write_text(self._run_keys("authority"), encoding="ascii")
        for identity in (OPERATOR, STORE_ADMIN):
            text = self._run_keys("environment", identity.name, "--cafile", str(ca))
            write_private(self.folder / f"{identity.name}.env", text)

    def _run_keys(self, *arguments: str) -> str:
        command = [*self._compose().docker_compose_command(), "run", "--rm", "--no-deps", "-T", "keys", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    def _compose(self) -> DockerCompose:
        return DockerCompose(
            context=ROOT,
            compose_file_name=["docker-compose.yml", str(self.folder / "override.yml")],
            env_file=str(self.folder / "compose.env"),
            profiles=["cpu"],
        )

    def _write(self, extra_env: Mapping[str, str]) -> None:
        """Write the project's values, generated at the first `up` and kept, and the override with `extra_env`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = self.folder / "compose.env"
        if not values.exists():
            values.touch(mode=0o600)
            values.write_text("".join(f"{name}={value}\n" for name, value in _generate().items()), encoding="utf-8")
        # A unique project name, because the developer may run the same compose file.
        given = self._values()
        # Tests send requests to Triton, which has no port on this machine by default.
        triton = {"ports": [f"127.0.0.1:{given[f'TRITON_{kind}_PORT']}:{port}" for kind, port in _TRITON_PORTS.items()]}
        override = {
            "name": given["PROJECT"],
            "services": {**{name: {"environment": dict(extra_env)} for name in UNCIA_SERVICES}, "triton": triton},
        }
        (self.folder / "override.yml").write_text(yaml.safe_dump(override), encoding="utf-8")

    def _values(self) -> dict[str, str]:
        return _assignments(self.folder / "compose.env", self.folder)

    def _save_logs(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError, OSError):
            out, err = self._compose().get_logs()
            (self.folder / f"containers-{time.time():.0f}.log").write_text(out + err, encoding="utf-8")


def _assignments(path: Path, folder: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise StackError(f"there is no stack in {folder} yet: `up` creates it") from error
    # The values that may have other characters, such as a path with a space, are quoted.
    return {name: "".join(shlex.split(value)) for name, _, value in (line.partition("=") for line in lines)}


def _settings(environment: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {
        name.removeprefix("UNCIA_").lower(): value for name, value in environment.items() if name != "UNCIA_STACK_DIR"
    }
    return Settings(_env_file=None, **values)


def _check_name(name: str) -> str:
    if name not in PARTS:
        raise StackError(f"no such part: {name}; available: {', '.join(PARTS)}")
    return name


def _status(name: str, container: ComposeContainer | None) -> PartStatus:
    if container is None:
        return PartStatus(name, "down", None, False, "")
    return PartStatus(name, container.State or "", None, container.Health == "healthy", container.Health or "")


def _generate() -> dict[str, str]:
    names = ("KAFKA_PORT", "S3_PORT", "TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "DASHBOARD_PORT")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return {"PROJECT": f"uncia-test-{secrets.token_hex(4)}", **{name: str(port) for name, port in ports.items()}}
