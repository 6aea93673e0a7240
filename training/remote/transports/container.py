"""A container on this machine, or on the one that the engine's client is set up for: `docker` or `podman`."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.transports.transport import run_client, tail

__all__ = ["DEFAULT_IMAGE", "ContainerTransport"]

DEFAULT_IMAGE = "python:3.12-slim"
_VOLUME = "uncia-training"
_ROOT = "/var/lib/uncia-training"
_CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
_NO_ENGINE = "neither docker nor podman is installed here: --on container needs one of them"


@dataclass
class ContainerTransport:
    """A container per run; environments, content and runs are on one volume, which outlives it."""

    target: str
    run: str
    image: str = DEFAULT_IMAGE
    root: str = _ROOT

    @classmethod
    def parse(cls, target: str, run: str) -> "ContainerTransport":
        """From `container` or `container://image`."""
        return cls(target, run, target.partition("://")[2] or DEFAULT_IMAGE)

    @property
    def name(self) -> str:
        """The container's name."""
        return f"uncia-training-{self.run}"

    @property
    def engine(self) -> str:
        """The client that is installed; docker first. Raises `RemoteError`."""
        found = next((name for name in ("docker", "podman") if shutil.which(name)), None)
        if found is None:
            raise RemoteError(_NO_ENGINE)
        return found

    def open(self) -> None:
        """Start the container, or create it."""
        done = run_client(
            [self.engine, "container", "inspect", "--format", "{{.State.Running}}", self.name], _NO_ENGINE
        )
        if done.returncode == 0 and done.stdout.strip() == "true":
            return
        if done.returncode == 0:
            self._run(["container", "start", self.name])
        elif "no such" in done.stderr.lower():
            self._run(self.create_arguments(self._gpu_options()))
        else:
            raise self.explain(done.returncode, done.stderr)

    def create_arguments(self, gpu: Sequence[str]) -> list[str]:
        """The engine's arguments that create the container, which then waits for commands."""
        options = ["--detach", "--init", "--name", self.name, "--volume", f"{_VOLUME}:{_ROOT}"]
        # Worker processes of PyTorch exchange batches in shared memory, of which a container has 64 MB.
        options += ["--shm-size", "2g", "--security-opt", "no-new-privileges", "--cap-drop", "ALL", *gpu]
        return ["run", *options, self.image, "sleep", "infinity"]

    def _gpu_options(self) -> list[str]:
        """The options that give the container all of NVIDIA's GPUs; none where the engine knows none."""
        if self.engine == "podman":
            described = any(folder.is_dir() and any(folder.glob("nvidia*")) for folder in _CDI_FOLDERS)
            return ["--device", "nvidia.com/gpu=all"] if described else []
        done = run_client(["docker", "info", "--format", "{{json .Runtimes}}"], _NO_ENGINE)
        try:
            runtimes = json.loads(done.stdout)
        except ValueError:
            return []
        return ["--gpus", "all"] if isinstance(runtimes, dict) and "nvidia" in runtimes else []

    def _run(self, arguments: Sequence[str]) -> None:
        done = run_client([self.engine, *arguments], _NO_ENGINE)
        if done.returncode != 0:
            raise self.explain(done.returncode, done.stderr)

    def command(self, argv: Sequence[str]) -> list[str]:
        """`exec` with standard input."""
        return [self.engine, "exec", "--interactive", self.name, *argv]

    def explain(self, status: int, stderr: str) -> RemoteError:
        """From what the engine's client writes."""
        text = tail(stderr)
        lower = stderr.lower()
        if "cannot connect to the docker daemon" in lower or "cannot connect to podman" in lower:
            return LinkBroken(f"the container engine does not run: {text}")
        if "permission denied" in lower and "socket" in lower:
            return RemoteError(f"you may not use the container engine: {text}")
        if "is not running" in lower or "no such container" in lower:
            return LinkBroken(f"the container {self.name} was stopped")
        if "no such image" in lower or "manifest unknown" in lower or "pull access denied" in lower:
            return RemoteError(f"there is no image {self.image}: {text}")
        return LinkBroken(f"the container {self.name} gave no answer (status {status}): {text}")

    def release(self) -> None:
        """Remove the container; the volume stays."""
        run_client([self.engine, "rm", "--force", self.name], _NO_ENGINE)
