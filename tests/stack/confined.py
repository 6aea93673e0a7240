"""Runs services of `docker-compose.yml` without an engine: as root, with the namespaces of Linux and the parts of this
machine instead of images.

Each process gets what the file says about it: its user, no capabilities, no new privileges, a read-only file system
with its volumes and `tmpfs` at their paths, its environment, command and working directory. All share one network of
their own, in which the names of the services resolve. Limits and the order of the start are left to the tests.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import services
from uncia.infra.local.java import find_java
from uncia.infra.local.layout import parts_dir

_SYSTEM = ("bin", "lib", "lib64", "sbin", "usr")
_PROGRAMS = Path(sys.executable).parent
_WORKDIR = "/var/lib/uncia"
"""That of our own images."""

_LOOPBACK_UP = """
import fcntl, socket, struct, time
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
print("up", flush=True)
time.sleep(100_000)
"""


def missing_right() -> str:
    """Why services cannot be run here; empty when they can."""
    if os.geteuid() != 0:
        return "needs root, to run processes as other users"
    if not all(map(shutil.which, ("chroot", "nsenter", "setpriv", "unshare"))):
        return "needs chroot, nsenter, setpriv and unshare"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False)
    return "needs the right to create namespaces" if tried.returncode else ""


class Machine:
    """One network, and the volumes of the services in `folder`."""

    def __init__(self, folder: Path, models: Path) -> None:
        self._folder = folder
        self._models = models
        self._network = 0

    @contextlib.contextmanager
    def on(self) -> Iterator["Machine"]:
        """Create the network, and remove it with the block."""
        command = ["unshare", "--net", sys.executable, "-c", _LOOPBACK_UP]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
            try:
                assert holder.stdout is not None and holder.stdout.readline() == b"up\n"
                self._network = holder.pid
                yield self
            finally:
                holder.kill()

    def run(self, name: str, *arguments: str) -> str:
        """Run a one-shot service, with these arguments instead of its command. Returns what it prints."""
        return self._printed(name, self._command(name, arguments or services()[name]["command"]))

    @staticmethod
    def _printed(name: str, command: Sequence[str]) -> str:
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, f"{name}: {completed.stderr[-5000:]}{completed.stdout[-5000:]}"
        return completed.stdout

    def run_instead(self, name: str, script: str) -> str:
        """Run a shell script in place of a service, with all that it has. Returns what it prints."""
        return self._printed(name, self._command(name, ["sh", "-euc", script], entry=[]))

    def volume(self, name: str) -> Path:
        """The folder of a volume. A new one belongs to the user of the containers, as the Dockerfile says."""
        if name == "models":
            return self._models
        folder = self._folder / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            os.chown(folder, 10001, 10001)
        return folder

    def _command(self, name: str, arguments: Sequence[str], entry: Sequence[str] | None = None) -> list[str]:
        service = services()[name]
        if entry is None:
            # Images of others have no entry point that matters: their services name it, or it executes the command.
            entry = service.get("entrypoint", ["uncia"] if "build" in service else [])
        network = ["nsenter", f"--target={self._network}", "--net"]
        if service.get("network_mode") == "none":
            network = ["unshare", "--net"]
        root = self._folder / "roots" / name
        root.mkdir(parents=True, exist_ok=True)
        script = f'{self._mounts(service, root)}\nexec chroot {shlex.quote(str(root))} "$@"'
        command = _as_user(service, [*entry, *arguments])
        return [*network, "unshare", "--mount", "sh", "-euc", script, "sh", *command]

    def _mounts(self, service: dict[str, Any], root: Path) -> str:
        """Lines of a shell that mount the file system of a service at `root`."""
        hosts = self._folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(services())}\n", encoding="ascii")
        # What the images contain, at the same paths where the file names them.
        image = {path: path for path in (ROOT, _PROGRAMS.parent, Path(sys.base_prefix))}
        image |= {find_java().resolve().parent.parent: Path("/opt/java")}
        image |= {parts_dir() / "kafka" / "libs": Path("/opt/kafka/libs")}
        image |= {Path("/", name): Path("/", name) for name in _SYSTEM if Path("/", name).exists()}
        lines = ["mount --make-rprivate /", f"mount -t tmpfs -o mode=755 tmpfs {_quoted(root)}"]
        for source, target in image.items():
            lines += _bind(source, root, target, writable=False)
        # A copy, because some images have volumes there.
        lines += [f"cp -a /etc {_quoted(root)}", f"cp {_quoted(hosts)} {_quoted(root / 'etc' / 'hosts')}"]
        for kernel in ("/dev", "/proc"):
            lines += [f"mkdir -p {_quoted(root)}{kernel}", f"mount --rbind {kernel} {_quoted(root)}{kernel}"]
        for entry in service["tmpfs"]:
            path, _, options = entry.partition(":")
            at = _quoted(f"{root}{path}")
            given = ",".join(["nosuid", "nodev", "mode=1777", *(["noexec"] * ("exec" not in options.split(",")))])
            lines += [f"mkdir -p {at}", f"mount -t tmpfs -o {given},{options} tmpfs {at}"]
        for entry in service.get("volumes", []):
            volume, path, *modes = entry.split(":")
            lines += _bind(self.volume(volume), root, Path(path), writable=not modes)
        assert service["read_only"]
        lines.append(f"mount -o remount,ro {_quoted(root)}")
        return "\n".join(lines)


def _as_user(service: dict[str, Any], command: Sequence[str]) -> list[str]:
    user, group = service["user"].split(":")
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    variables = {
        "PATH": f"{_PROGRAMS}:/opt/java/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: str(value) for name, value in service.get("environment", {}).items()},
    }
    folder = service.get("working_dir", _WORKDIR if "build" in service else "/")
    return [
        *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"),
        *("--inh-caps=-all", "--bounding-set=-all"),
        *("env", "-i", f"--chdir={folder}", *(f"{name}={value}" for name, value in variables.items())),
        *command,
    ]


def _bind(source: Path, root: Path, target: Path, *, writable: bool) -> list[str]:
    at = _quoted(f"{root}{target}")
    bound = [f"mkdir -p {at}", f"mount --bind {_quoted(source)} {at}"]
    return bound if writable else [*bound, f"mount -o remount,bind,ro {at}"]


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
