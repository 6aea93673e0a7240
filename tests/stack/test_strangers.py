"""Every door of the stack refuses another user of the machine.

What each identity may do is in test_strangers_at_store.py, test_strangers_at_kafka.py and test_triton_clients.py.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import psutil
import pytest

from tests.paths import ROOT
from tests.stack.stranger import call_grpc
from tests.waiting import SCALE
from uncia.infra.local import processes
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.network import network_addresses
from uncia.infra.local.security_checks import run_security_checks
from uncia.infra.local.stack import Stack
from uncia.serving.triton_access import key_headers

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
    ),
    # A gRPC client of a server that refuses it leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

GRPC = {
    "master_grpc": "/master_pb.Seaweed/CollectionList",
    "filer_grpc": "/filer_pb.SeaweedFiler/GetFilerConfiguration",
    "volume_grpc": "/volume_server_pb.VolumeServer/VolumeServerStatus",
    "s3_grpc": "/messaging_pb.SeaweedS3IamCache/ListUsers",
}
HTTP = {
    "master": [("GET", "/dir/assign"), ("GET", "/dir/status"), ("POST", "/col/delete?collection=nothing")],
    "filer": [("GET", "/buckets/"), ("POST", "/buckets/camera-uploads/x.txt"), ("DELETE", "/buckets/camera-uploads")],
    "volume": [("GET", "/1,0123456789"), ("POST", "/1,0123456789"), ("DELETE", "/1,0123456789")],
    "s3": [("GET", "/camera-uploads"), ("PUT", "/camera-uploads/ridge/cam-1/x.jpg"), ("DELETE", "/camera-uploads")],
    "seaweedfs_admin": [("GET", "/metrics"), ("GET", "/health"), ("GET", "/api/cluster/topology")],
    "dashboard": [("GET", "/index.json"), ("GET", "/operations.json"), ("POST", "/review/decisions.json")],
}


def all_ports(stack: Stack) -> dict[str, tuple[str, int]]:
    """Every address that the stack may listen at, and every one at which it does: a new part needs no line here."""
    identity, network = stack.require_identity(), network_addresses(stack.settings())
    ports = {name: ("127.0.0.1", port) for name, port in identity.all_ports.items()}
    if network is not None:
        ports |= {f"network {port}": (network.bind, port) for port in network.ports}
    parts = {process.pid: process.part for process in processes.of_stack(identity.stack_id)}
    listening = {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port): parts[connection.pid]
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in parts and connection.laddr
    }
    assert listening.keys() & set(ports.values()), "the stack runs"
    return ports | {
        f"{part} {address[1]}": address for address, part in listening.items() if address not in ports.values()
    }


@pytest.fixture(scope="module")
def attempts(stack: Stack) -> dict[str, str]:
    """What came of each attempt of another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    identity, runtime_dir = stack.require_identity(), Path(stack.require_identity().runtime_dir)
    control = stack.settings()
    # So that the stack's own folder is what stops others, as it is wherever people put it.
    stack.folder.parent.chmod(0o755)
    doors = {
        "files": [
            *(str(stack.folder / name) for name in ("stack.env", "state.json", "keys", "data", "logs", "run", "short")),
            *(str(path) for path in (stack.folder / "keys").iterdir()),
            *(str(path) for path in Path("/dev/shm").glob(f"{identity.shm_prefix}*")),
            str(runtime_dir),
        ],
        "sockets": [
            str(path) for folder in (runtime_dir, identity.triton_dir) for path in folder.iterdir() if path.is_socket()
        ],
        "ports": all_ports(stack),
        "http": {name: (identity.ports[name], requests) for name, requests in HTTP.items()},
        "grpc": {name: (identity.ports[name], method) for name, method in GRPC.items()},
        "kafka": {name: identity.ports[name] for name in ("kafka", "kafka_internal", "kafka_controller")},
        "triton": control.triton,
        "triton_headers": key_headers(control),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.stack.stranger"],
        input=json.dumps(doors),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SCALE * 600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout)
    assert any(name.startswith("connect ") and "triton.sock" in name for name in outcomes)
    return outcomes


def test_another_user_is_refused_at_every_door(attempts: dict[str, str], stack: Stack) -> None:
    for name in stack.require_identity().all_ports:
        assert {f"{name} GET /", f"{name} GET / by TLS"} <= attempts.keys()
    assert {name: outcome for name, outcome in attempts.items() if not outcome.startswith("refused")} == {}


@pytest.mark.parametrize("name", ["master_grpc", "filer_grpc", "volume_grpc"])
def test_the_same_request_is_answered_with_the_certificate_of_the_stack(stack: Stack, name: str) -> None:
    ca, key, certificate = (
        (stack.folder / "keys" / file).read_bytes() for file in ("ca.pem", "seaweedfs.key", "seaweedfs.pem")
    )
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    channel = grpc.secure_channel(f"127.0.0.1:{stack.require_identity().ports[name]}", credentials)
    assert call_grpc(channel, GRPC[name]).endswith(" bytes")


def test_tritons_shared_memory_is_hidden_or_readable_by_its_owner_only(stack: Stack) -> None:
    """It contains frames. The Python backend's own mode would let every user read them."""
    regions = Path("/dev/shm").glob(f"{stack.require_identity().shm_prefix}*")
    assert {oct(region.stat().st_mode & 0o077) for region in regions} <= {"0o0"}


def test_tritons_shared_memory_is_readable_by_its_owner_only_where_it_cannot_be_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = tmp_path / "bin" / "unshare"
    refused.parent.mkdir()
    refused.write_text("#!/bin/sh\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refused.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("UNCIA_TRITON_OWN_USER", "false")
    own = Stack(tmp_path / "stack")
    with stop_on_exit(own):
        own.up(["triton"], timeout_s=SCALE * 120)
        regions = list(Path("/dev/shm").glob(f"{own.require_identity().shm_prefix}*"))
        assert {oct(region.stat().st_mode & 0o777) for region in regions} == {"0o600"}
        user = next(check for check in run_security_checks(own) if check.name == "triton: user")
        assert user.ok == (os.geteuid() != 0)


def test_triton_listens_on_no_port(stack: Stack) -> None:
    identity = stack.require_identity()
    pids = {process.pid for process in processes.of_stack(identity.stack_id) if process.part == "triton"}
    listening = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add(f"socket:[{fields[9]}]")
    held = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            held |= {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert pids
    assert not held & listening


def test_doctor_finds_every_door_closed(stack: Stack) -> None:
    known = {"user"} if os.geteuid() == 0 else set()
    identity = stack.require_identity()
    triton = next(one.pid for one in processes.of_stack(identity.stack_id) if one.part == "triton")
    if os.geteuid() == 0 and psutil.Process(triton).uids().effective == 0:
        # This system lets root make no other view of the file system, such as a container without the right to mount.
        known |= {"triton: user"}
    assert {check.name: check.detail for check in run_security_checks(stack) if not check.ok}.keys() == known
