"""`uncia doctor`: what could keep the stack from working here, each with what to do about it."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from uncia.errors import StackError, UnciaError
from uncia.infra.local import install_kafka, install_models, install_triton
from uncia.infra.local.disks import concerns, disks_of
from uncia.infra.local.installing import run
from uncia.infra.local.java import find_java, java_version
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.short_folder import may_be_cleaned
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import is_free
from uncia.infra.local.stream import bucket_problem
from uncia.infra.local.synchronous import is_written_through

LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 3.0
_FIRST_RELEASE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str
    """What was found; where it is not ok, what to do."""


def examine(stack: Stack) -> list[Check]:
    """All checks, the machine first, then what is installed, then what runs. Changes nothing."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("loopback", _loopback),
        ("disk", lambda: _disk(stack.folder)),
        ("power cuts", lambda: _power(stack)),
        ("memory", _memory),
        ("clock", _clock),
        ("java", _java),
        ("maven", _maven),
        ("kafka jars", _jars),
        ("triton", _triton),
        ("models", _models),
        ("folder", lambda: _folder(stack.folder)),
        ("ports", lambda: _ports(stack)),
    ]
    return [_try(name, check) for name, check in checks] + _parts(stack)


def _try(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except (UnciaError, OSError) as error:
        return Check(name, False, str(error))


def _python() -> str:
    return f"{'.'.join(str(part) for part in sys.version_info[:3])}, {sys.executable}"


def _loopback() -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return "127.0.0.1 can be listened on"
    except OSError as error:
        raise StackError(f"127.0.0.1 cannot be listened on ({error}): bring up the interface `lo`") from error


def _disk(folder: Path) -> str:
    from uncia.settings import read_settings

    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < LEAST_DISK_GB:
        raise StackError(f"{free:.1f} GB free at {folder}; make room, {LEAST_DISK_GB:.0f} GB are needed")
    if lines := concerns(disks_of(folder, read_settings().model_repository)):
        raise StackError(f"{'; '.join(lines)}: make room")
    return f"{free:.0f} GB free at {folder}"


def _power(stack: Stack) -> str:
    """Whether what was confirmed is there after a power cut."""
    if (drawn := stack.drawn()) is None:
        return "uploads will be confirmed once they are on disk" if stack_syncs() else _UNSYNCED
    if not stack.settings().sync_writes:
        return _UNSYNCED
    data = stack.folder / "data" / "seaweedfs"
    if data.exists() and not is_written_through(data):
        raise StackError(
            f"the file system of {data} cannot write through (`chattr +S`): a power cut can take photographs back "
            "that were confirmed. Let UNCIA_STACK_DIR name a folder on ext4, XFS or Btrfs"
        )
    if Path(drawn.short).is_dir() and may_be_cleaned(Path(drawn.short)):
        raise StackError(
            f"the stack's links lie in {drawn.short}, which programs that clean temporary folders empty: let "
            "UNCIA_STACK_DIR name a folder elsewhere, or HOME one that can be written, and start the stack anew"
        )
    return "uploads are confirmed once they are on disk"


def stack_syncs() -> bool:
    """What the settings say before there is a stack."""
    from uncia.settings import read_settings

    return read_settings().sync_writes


_UNSYNCED = "UNCIA_SYNC_WRITES is off: a power cut takes back what was confirmed in the last half minute"


def _memory() -> str:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1e6
    if available < LEAST_MEMORY_GB:
        raise StackError(f"{available:.1f} GB available; end other programs, {LEAST_MEMORY_GB:.0f} GB are needed")
    return f"{available:.0f} GB available"


def _clock() -> str:
    now = datetime.now(UTC)
    if now < _FIRST_RELEASE:
        raise StackError(f"the clock says {now:%Y-%m-%d}: set it, S3 refuses requests from another time")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC, local zone {time.tzname[0]}"


def _java() -> str:
    java = find_java()
    return f"version {java_version(java)}, {java}"


def _maven() -> str:
    if found := shutil.which("mvn"):
        return found
    if install_kafka.complete():
        return "absent, and not needed any more: the jars are there"
    raise StackError("absent: sudo apt-get install maven; it fetches Kafka's jars once")


def _jars() -> str:
    if not install_kafka.complete():
        raise StackError("not installed, or from another pom.xml: `make setup` (python -m uncia.infra.local.install)")
    return f"{len(list((parts_dir() / 'kafka' / 'libs').glob('*.jar')))} jars in {parts_dir() / 'kafka'}"


def _triton() -> str:
    if not install_triton.complete():
        raise StackError("not installed, or from another list: `make setup` (python -m uncia.infra.local.install)")
    python = parts_dir() / "triton" / "venv" / "bin" / "python3"
    version = run([python, "-c", "import numpy, onnxruntime; print(numpy.__version__)"], "Triton's Python is broken")
    if not version.startswith("1."):
        raise StackError(
            f"its numpy is {version.strip()}, and models would answer nothing: remove {parts_dir()}/triton"
        )
    return f"numpy {version.strip()}, {parts_dir() / 'triton'}"


def _models() -> str:
    from uncia.settings import read_settings

    if not install_models.complete():
        raise StackError("the model repository is missing or older than its recipes: `make setup` builds it")
    return str(read_settings().model_repository)


def _folder(folder: Path) -> str:
    if not folder.exists():
        return f"{folder} will be made by `uncia up`"
    if folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} belongs to another user: set UNCIA_STACK_DIR to a folder of your own")
    for secret in (folder / "stack.env", folder / "state.json"):
        if secret.exists() and secret.stat().st_mode & 0o077:
            raise StackError(f"others can read {secret}: chmod 600 {secret}")
    return f"{folder}, only its owner reads the credentials"


def _ports(stack: Stack) -> str:
    drawn = stack.drawn()
    if drawn is None:
        return "will be drawn at the first start"
    taken = [f"{name} {port}" for name, port in drawn.ports.items() if not is_free(port)]
    if taken and not any(part.pid for part in stack.status()):
        return f"taken by other programs: {', '.join(taken)}; others will be drawn at the next start"
    return f"{len(drawn.ports)} drawn, {len(taken)} in use by the stack"


def _bucket(stack: Stack, status: list[PartStatus]) -> list[Check]:
    """Whether the bucket that the workers read is there; not while the store is down, which is told by itself."""
    if not any(part.name == "seaweedfs" and part.ready for part in status):
        return []
    problem = bucket_problem(stack.settings())
    return [Check("bucket", problem is None, problem or f"{stack.settings().bucket} can be listed")]


def _parts(stack: Stack) -> list[Check]:
    status = stack.status() if stack.drawn() else []
    if not any(part.pid for part in status):
        return [Check("stack", True, "down; `uncia up` starts it")]
    return _bucket(stack, status) + [
        Check(
            part.name,
            part.healthy,
            part.detail if part.healthy else f"{part.state}: {part.detail or f'`uncia logs {part.name}` says why'}",
        )
        for part in status
    ]
