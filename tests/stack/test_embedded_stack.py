"""The embedded stack: readiness, restarts of killed parts, a complete `down`, access only with credentials."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.waiting import SCALE, wait_until
from uncia.errors import DependencyDown, StackError
from uncia.infra.local import processes
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.part_order import wanted_parts
from uncia.infra.local.security_checks import requires_certificate
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import is_free
from uncia.settings import Settings

STORAGE = ("kafka", "seaweedfs")
PARTS = tuple(wanted_parts(Settings(_env_file=None)))
"""Of a stack with default settings."""

SERVERS = ("kafka", "seaweedfs", "triton")
"""The parts on which all others depend."""

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
    ),
    # The clients leave the sockets of a server that was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def small_stack() -> Iterator[Stack]:
    """A second stack in addition to the session's: Kafka and the store, in a folder whose name is hard to quote."""
    with tempfile.TemporaryDirectory(prefix="uncia 100% 'odd'; ") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            yield stack
        finally:
            stack.down()


def running_processes(stack: Stack) -> list[processes.Process]:
    identity = stack.identity()
    return list(processes.of_stack(identity.stack_id)) if identity else []


def part(stack: Stack, name: str) -> PartStatus:
    return next(status for status in stack.status() if status.name == name)


def wait_until_restarted(stack: Stack, name: str, old_pid: int, limit_s: float = 60) -> PartStatus:
    deadline = time.monotonic() + SCALE * limit_s
    while time.monotonic() < deadline:
        now = {status.name: status for status in stack.status() if status.pid}
        if all(status.ready for status in now.values()) and name in now and now[name].pid != old_pid:
            return now[name]
        time.sleep(0.1)
    raise AssertionError(f"{name} did not come back: {part(stack, name)}")


# As /proc/net/tcp and tcp6 write 127.0.0.1, ::ffff:127.0.0.1 and ::1.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listening_addresses(pids: list[int]) -> set[str]:
    """Addresses on which these processes listen, as the kernel writes them."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            sockets |= {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[1].partition(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


def s3(stack: Stack, **options: Any) -> Any:
    return boto3.client("s3", endpoint_url=stack.settings().s3_endpoint, region_name="us-east-1", **options)


def test_every_part_is_ready(stack: Stack) -> None:
    assert {status.name: status.ready for status in stack.status()} == dict.fromkeys(PARTS, True)


def test_the_whole_stack_fits_in_three_gigabytes(stack: Stack) -> None:
    assert 0 < sum(status.memory_mb for status in stack.status()) < 3000


def test_kafka_reads_its_classes_from_the_archive(stack: Stack) -> None:
    identity = stack.require_identity()
    (broker,) = [one for one in processes.of_stack(identity.stack_id) if one.part == "kafka"]
    assert "kafka.jsa" in Path(f"/proc/{broker.pid}/maps").read_text(encoding="utf-8")


def test_status_as_json_has_parts_lag_and_disks(stack: Stack) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "uncia", "status", "--json"],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(shown.stdout)
    assert all(part["ready"] for part in output["parts"])
    assert {"intake", "predict", "predict-backfill", "bursts"} <= {lag["worker"] for lag in output["stream"]["lag"]}
    assert output["stream"]["problem"] is None
    assert any("data" in disk["holds"] and disk["free_gb"] > 0 for disk in output["disks"])


def test_only_the_owner_reads_the_credentials(stack: Stack) -> None:
    assert stat.S_IMODE(stack.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((stack.folder / "keys").stat().st_mode) == 0o700
    for name in ("stack.env", "state.json", *(f"keys/{path.name}" for path in (stack.folder / "keys").iterdir())):
        assert stat.S_IMODE((stack.folder / name).stat().st_mode) == 0o600


def test_every_port_is_on_loopback_alone(stack: Stack) -> None:
    addresses = listening_addresses([process.pid for process in running_processes(stack)])
    assert addresses
    assert addresses <= LOOPBACK


@pytest.mark.parametrize("wrong", ["secret", "key", "nothing"])
def test_the_store_refuses_requests_without_valid_credentials(stack: Stack, wrong: str) -> None:
    key = stack.settings().s3_access_key
    credentials: dict[str, dict[str, Any]] = {
        "secret": {"aws_access_key_id": key, "aws_secret_access_key": "guessed"},
        "key": {"aws_access_key_id": "guessed", "aws_secret_access_key": "guessed"},
        "nothing": {"config": Config(signature_version=UNSIGNED)},
    }
    with pytest.raises(ClientError, match=r"403|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch"):
        s3(stack, **credentials[wrong]).list_objects_v2(Bucket=stack.settings().bucket)


@pytest.mark.parametrize("inner", ["filer", "volume"])
def test_the_stores_internal_servers_refuse_connections_without_a_certificate(stack: Stack, inner: str) -> None:
    requires_certificate(stack.require_identity().ports[inner])


@pytest.mark.timeout(1200)
@pytest.mark.thorough
def test_two_stacks_run_at_the_same_time_and_one_leaves_nothing_behind(stack: Stack, small_stack: Stack) -> None:
    small_stack.up(STORAGE, timeout_s=SCALE * 120)
    small_identity, session_identity = small_stack.identity(), stack.identity()
    assert small_identity is not None
    assert session_identity is not None
    assert not set(small_identity.ports.values()) & set(session_identity.ports.values())

    small_stack.down()

    assert running_processes(small_stack) == []
    assert [name for name, port in small_identity.ports.items() if not is_free(port)] == []
    assert not Path(small_identity.runtime_dir).exists()
    assert all(status.ready for status in stack.status())


@pytest.mark.timeout(1200)
@pytest.mark.thorough
def test_stored_objects_ports_and_keys_are_the_same_after_down_and_up(small_stack: Stack) -> None:
    from uncia.storage.object_store import ObjectStore

    small_stack.up(STORAGE, timeout_s=SCALE * 120)
    before, keys = small_stack.require_identity(), small_stack.require_keys()
    bucket = small_stack.settings().bucket
    ObjectStore(small_stack.settings()).client.put_object(Bucket=bucket, Key="s/c/kept.jpg", Body=b"kept")
    small_stack.down()
    small_stack.up(STORAGE, timeout_s=SCALE * 120)
    assert small_stack.require_identity().ports == before.ports
    assert small_stack.require_keys() == keys
    store = ObjectStore(small_stack.settings())

    def stored() -> bytes | None:
        # On a busy machine the volume server may register with the master only after the bucket can be listed.
        with contextlib.suppress(DependencyDown):
            return store.get(bucket, "s/c/kept.jpg", max_bytes=10)
        return None

    assert wait_until(stored, 30, "the stored object") == b"kept"


@pytest.mark.timeout(1200)
@pytest.mark.thorough
def test_down_stops_the_parts_that_a_killed_supervisor_left_running(small_stack: Stack) -> None:
    small_stack.up(STORAGE, timeout_s=SCALE * 120)
    supervisor = next(process.pid for process in running_processes(small_stack) if process.part == "supervisord")
    os.kill(supervisor, signal.SIGKILL)
    while Path(f"/proc/{supervisor}").exists():
        time.sleep(0.02)
    assert part(small_stack, "kafka").state == "orphaned"
    small_stack.down()
    assert running_processes(small_stack) == []


@pytest.mark.timeout(1200)
def test_an_interrupted_start_leaves_nothing_running(small_stack: Stack) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "uncia", "up", *STORAGE],
        env={**os.environ, "UNCIA_STACK_DIR": str(small_stack.folder)},
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell started in the background inherit that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not any(process.part == "kafka" for process in running_processes(small_stack)):
        assert starting.poll() is None
        time.sleep(0.05)
    starting.send_signal(signal.SIGINT)
    _, output = starting.communicate(timeout=600)
    assert starting.returncode == 130
    assert "stopped again" in output
    assert running_processes(small_stack) == []


@pytest.mark.timeout(1200)
@pytest.mark.thorough
def test_under_systemd_a_killed_supervisor_ends_the_unit_and_its_next_start_stops_in_order(small_stack: Stack) -> None:
    def start() -> subprocess.Popen[bytes]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, tempfile.TemporaryDirectory() as folder:
            channel.bind(f"{folder}/notify")
            channel.settimeout(120)
            process = subprocess.Popen(
                [sys.executable, "-m", "uncia.infra.local.foreground", *STORAGE],
                env={**os.environ, "UNCIA_STACK_DIR": str(small_stack.folder), "NOTIFY_SOCKET": f"{folder}/notify"},
                stdin=subprocess.DEVNULL,
            )
            assert channel.recv(1000).startswith(b"READY=1")
        return process

    unit = start()
    supervisor = next(process.pid for process in running_processes(small_stack) if process.part == "supervisord")
    os.kill(supervisor, signal.SIGKILL)
    assert unit.wait(SCALE * 60) == 1

    unit = start()
    assert {part(small_stack, name).ready for name in STORAGE} == {True}
    unit.send_signal(signal.SIGTERM)
    assert unit.wait(SCALE * 60) == 0
    assert running_processes(small_stack) == []


def test_a_second_start_in_the_same_folder_is_refused(stack: Stack) -> None:
    with stack.locked(), pytest.raises(StackError, match="is running for"):
        Stack(stack.folder).up()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.thorough
def test_a_killed_server_is_restarted_and_becomes_ready(stack: Stack, name: str) -> None:
    wait_until_restarted(stack, name, stack.kill(name, signal.SIGKILL))


@pytest.mark.timeout(1200)
def test_all_other_parts_are_restarted_and_become_ready_when_they_are_killed_at_once(stack: Stack) -> None:
    killed = {name: stack.kill(name, signal.SIGKILL) for name in PARTS if name not in SERVERS}
    for name, pid in killed.items():
        wait_until_restarted(stack, name, pid)


@pytest.mark.timeout(1200)
def test_a_model_whose_process_died_is_detected_and_reloaded(stack: Stack) -> None:
    triton = part(stack, "triton").pid
    # While a process starts another one, its copy of itself shows the same command for a moment.

    def only_stub() -> int | None:
        stubs = _stubs(stack)
        return stubs[0] if len(stubs) == 1 and part(stack, "triton").ready else None

    stub = wait_until(only_stub, 60, "the process of the classifier")
    assert stub is not None
    os.kill(stub, signal.SIGKILL)

    def reloaded() -> bool:
        stubs = _stubs(stack)
        return len(stubs) == 1 and stubs != [stub] and part(stack, "triton").ready

    wait_until(reloaded, 60, "a new process of the classifier")
    assert part(stack, "triton").pid == triton


def _stubs(stack: Stack) -> list[int]:
    """Processes behind the classifier."""
    return [process.pid for process in running_processes(stack) if _is_stub(process.pid)]


def _is_stub(pid: int) -> bool:
    """Whether this is the process behind the classifier; the detector has one of its own."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
        return "python_backend_stub" in command and "/species_classifier/" in command
    except OSError:
        return False
