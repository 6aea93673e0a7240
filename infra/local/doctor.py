"""`uncia doctor`: checks of this machine and installation; every failed check says what to do."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.text import Text

from uncia.errors import StackError, UnciaError
from uncia.infra.local import install_kafka, install_models, install_triton
from uncia.infra.local.disks import disk_warnings, inspect_disks
from uncia.infra.local.install_tools import run
from uncia.infra.local.java import find_java, major_version
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.runtime_dir import may_be_cleaned
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import is_free
from uncia.infra.local.sync_attribute import has_sync_attribute
from uncia.kafka.stream_status import bucket_problem
from uncia.terminal import echo_json, plain_console

_MIN_DISK_GB = 5.0
_MIN_MEMORY_GB = 3.0
_FIRST_RELEASE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str
    """The finding; for a failed check also what to do."""


def print_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    """Print the outcomes: as JSON, or a line each."""
    if as_json:
        echo_json([asdict(check) for check in checks], indent=2)
        return
    console = plain_console(highlight=False, soft_wrap=True)
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        mark = Text("ok  ", style="green") if check.ok else Text("fix ", style="red")
        console.print(mark, f"{check.name:{width}}", end=" ")
        console.print(check.detail, markup=False)


def run_checks(stack: Stack) -> list[Check]:
    """Run all checks: of the machine, of the installation, then of the running parts. Changes nothing."""
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
        ("folder", lambda: check_folder(stack.folder)),
        ("ports", lambda: _ports(stack)),
    ]
    return [try_check(name, check) for name, check in checks] + _parts(stack)


def try_check(name: str, check: Callable[[], str]) -> Check:
    """Run one check: what it returns is the finding, an error of it is a failure."""
    try:
        return Check(name, True, check())
    except (UnciaError, OSError) as error:
        return Check(name, False, str(error))


def _python() -> str:
    return f"{'.'.join(str(part) for part in sys.version_info[:3])}, {sys.executable}"


def _loopback() -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return "a server can listen on 127.0.0.1"
    except OSError as error:
        raise StackError(f"no server can listen on 127.0.0.1 ({error}): bring up the interface `lo`") from error


def _disk(folder: Path) -> str:
    from uncia.settings import read_settings

    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < _MIN_DISK_GB:
        raise StackError(f"{free:.1f} GB free at {folder}; {_MIN_DISK_GB:.0f} GB are needed: free up disk space")
    if lines := disk_warnings(inspect_disks(folder, read_settings().model_repository)):
        raise StackError(f"{'; '.join(lines)}: free up disk space")
    return f"{free:.0f} GB free at {folder}"


def _power(stack: Stack) -> str:
    """Check that confirmed uploads survive a power cut."""
    if (identity := stack.identity()) is None:
        return "uploads will be confirmed once they are on disk" if _sync_writes_set() else _UNSYNCED
    if not stack.settings().sync_writes:
        return _UNSYNCED
    data = stack.folder / "data" / "seaweedfs"
    if data.exists() and not has_sync_attribute(data):
        raise StackError(
            f"the file system of {data} does not support synchronous writes (`chattr +S`): a power cut can lose "
            "confirmed photographs. Set UNCIA_STACK_DIR to a folder on ext4, XFS or Btrfs"
        )
    if Path(identity.runtime_dir).is_dir() and may_be_cleaned(Path(identity.runtime_dir)):
        raise StackError(
            f"the stack's runtime directory {identity.runtime_dir} is in a temporary directory that cleaners empty: "
            "set UNCIA_STACK_DIR to a folder elsewhere, or HOME to a writable folder, and restart the stack"
        )
    return "uploads are confirmed once they are on disk"


def _sync_writes_set() -> bool:
    """The setting that a first start would use."""
    from uncia.settings import read_settings

    return read_settings().sync_writes


_UNSYNCED = "UNCIA_SYNC_WRITES is off: a power cut loses the uploads confirmed in the last 30 s"


def _memory() -> str:
    available = psutil.virtual_memory().available / 1e9
    if available < _MIN_MEMORY_GB:
        raise StackError(f"{available:.1f} GB available; {_MIN_MEMORY_GB:.0f} GB are needed: close other programs")
    return f"{available:.0f} GB available"


def _clock() -> str:
    now = datetime.now(UTC)
    if now < _FIRST_RELEASE:
        raise StackError(f"the system clock is at {now:%Y-%m-%d}: set it, S3 rejects requests with a wrong time")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC, local zone {time.tzname[0]}"


def _java() -> str:
    java = find_java()
    return f"version {major_version(java)}, {java}"


def _maven() -> str:
    if found := shutil.which("mvn"):
        return found
    if install_kafka.complete():
        return "not installed, and not needed: Kafka's jars are installed"
    raise StackError("not installed, and needed once to fetch Kafka's jars: sudo apt-get install maven")


def _jars() -> str:
    if not install_kafka.complete():
        raise StackError(
            "not installed, or from another pom.xml: run `make setup` (python -m uncia.infra.local.install)"
        )
    return f"{len(list((parts_dir() / 'kafka' / 'libs').glob('*.jar')))} jars in {parts_dir() / 'kafka'}"


def _triton() -> str:
    if not install_triton.complete():
        raise StackError(
            "not installed, or from other requirements: run `make setup` (python -m uncia.infra.local.install)"
        )
    python = parts_dir() / "triton" / "venv" / "bin" / "python3"
    version = run([python, "-c", "import numpy, onnxruntime; print(numpy.__version__)"], "Triton's Python is broken")
    if not version.startswith("1."):
        raise StackError(
            f"numpy {version.strip()} breaks Triton's python backend, which needs 1.x: delete {parts_dir()}/triton "
            "and run `make setup`"
        )
    return f"numpy {version.strip()}, {parts_dir() / 'triton'}"


def _models() -> str:
    from uncia.settings import read_settings

    if not install_models.complete():
        raise StackError("the model repository is missing or older than its recipes: run `make setup`")
    return str(read_settings().model_repository)


def check_folder(folder: Path) -> str:
    """Check that keys can be read by the owner only. Raises `StackError`."""
    if not folder.exists():
        return f"`uncia up` will create {folder}"
    if folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} belongs to another user: set UNCIA_STACK_DIR to a folder of your own")
    for secret in (folder / "stack.env", folder / "state.json", folder / "keys", *(folder / "keys").glob("*")):
        if secret.exists() and secret.stat().st_mode & 0o077:
            raise StackError(f"other users can read {secret}: chmod 600 {secret}")
    return f"{folder}, credentials readable by the owner only"


def _ports(stack: Stack) -> str:
    identity = stack.identity()
    if identity is None:
        return "will be assigned at the first start"
    taken = [f"{name} {port}" for name, port in identity.ports.items() if not is_free(port)]
    if taken and not any(part.pid for part in stack.status()):
        return f"used by other programs: {', '.join(taken)}; the next start assigns new ones"
    return f"{len(identity.ports)} assigned, {len(taken)} in use by the stack"


def _bucket(stack: Stack, status: list[PartStatus]) -> list[Check]:
    """Check that the workers' bucket can be read. No check while the store is down: its own check reports that."""
    if not any(part.name == "seaweedfs" and part.ready for part in status):
        return []
    problem = bucket_problem(stack.settings())
    return [Check("bucket", problem is None, problem or f"{stack.settings().bucket} can be listed")]


def _parts(stack: Stack) -> list[Check]:
    status = stack.status() if stack.identity() else []
    if not any(part.pid for part in status):
        return [Check("stack", True, "down; `uncia up` starts it")]
    return _bucket(stack, status) + [
        Check(
            part.name,
            part.healthy,
            part.detail if part.healthy else f"{part.state}: {part.detail or f'see `uncia logs {part.name}`'}",
        )
        for part in status
    ]
