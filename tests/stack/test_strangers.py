"""Every door of the stack refuses another user of the machine, and each identity what its work does not need.

Identities at the broker are in test_strangers_at_kafka.py.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from tests.paths import ROOT
from tests.stack.stranger import call_grpc
from tests.waiting import SCALE, wait_until
from uncia.errors import DependencyDown, UnciaError
from uncia.identities import MAILROOM, OPERATOR, PART_IDENTITIES, Identity, gateway_identity
from uncia.infra.local import processes
from uncia.infra.local.key_management import issue_gateway, revoke, rotate
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.security_checks import run_security_checks
from uncia.infra.local.stack import Stack
from uncia.serving.triton_access import key_headers
from uncia.serving.triton_client import ModelControl, ModelHealth
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore

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


def test_another_user_is_refused_at_every_door(attempts: dict[str, str]) -> None:
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
        own.up(["triton"])
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


def store_of(stack: Stack, identity: Identity) -> ObjectStore:
    credential = stack.require_keys().credentials[identity.name]
    keys = {"s3_access_key": credential.access_key, "s3_secret_key": SecretStr(credential.secret_key)}
    return ObjectStore(stack.settings().model_copy(update=keys), attempts=1)


@pytest.fixture
def photograph_key(admin_store: ObjectStore, settings: Settings, station: str) -> Iterator[str]:
    """The key of a stored object that is no photograph, so that nothing follows from it."""
    key = f"{station}/cam/kept.txt"
    admin_store.put(settings.bucket, key, b"kept", content_type="text/plain")
    yield key
    assert admin_store.get(settings.bucket, key, max_bytes=10) == b"kept"


READERS = [identity for identity in PART_IDENTITIES.values() if identity.store and identity != MAILROOM]


@pytest.mark.parametrize("identity", READERS, ids=lambda identity: identity.name)
def test_a_part_reads_photographs_and_changes_none(
    stack: Stack, settings: Settings, photograph_key: str, identity: Identity
) -> None:
    bucket, store = settings.bucket, store_of(stack, identity)
    try:
        assert store.get(bucket, photograph_key, max_bytes=10) == b"kept"
        store.check_bucket(bucket)
        with pytest.raises(AccessRefused):
            store.put(bucket, photograph_key, b"changed", content_type="text/plain")
        with pytest.raises(AccessRefused):
            store.delete(bucket, photograph_key)
    finally:
        store.close()


def test_the_mailroom_which_uploads_photographs_deletes_and_lists_none(
    stack: Stack, settings: Settings, photograph_key: str
) -> None:
    with contextlib.closing(store_of(stack, MAILROOM)) as store:
        with pytest.raises(AccessRefused):
            store.delete(settings.bucket, photograph_key)
        with pytest.raises(AccessRefused):
            store.check_bucket(settings.bucket)


@pytest.mark.parametrize("identity", [PART_IDENTITIES["crops"], PART_IDENTITIES["explain"]], ids=lambda one: one.name)
def test_crops_and_explanations_are_stored_and_deleted_below_their_own_prefix(
    stack: Stack, settings: Settings, station: str, identity: Identity
) -> None:
    prefix = next(right.prefix for right in identity.store if right.prefix)
    store, key = store_of(stack, identity), f"{prefix}{station}/cam/crp-{'0' * 24}.txt"
    try:
        store.put(settings.bucket, key, b"x", content_type="text/plain")
        store.delete(settings.bucket, key)
        with pytest.raises(ObjectMissing):
            store.get(settings.bucket, key, max_bytes=10)
    finally:
        store.close()


def test_the_operator_deletes_nothing_and_changes_no_bucket(
    stack: Stack, settings: Settings, photograph_key: str
) -> None:
    store = store_of(stack, OPERATOR)
    try:
        with pytest.raises(AccessRefused):
            store.delete(settings.bucket, photograph_key)
        changes = (
            partial(
                store.client.put_bucket_versioning,
                Bucket=settings.bucket,
                VersioningConfiguration={"Status": "Suspended"},
            ),
            partial(store.client.delete_bucket, Bucket=settings.bucket),
            partial(store.client.create_bucket, Bucket="another-bucket"),
        )
        for change in changes:
            with pytest.raises(ClientError, match="AccessDenied"):
                change()
    finally:
        store.close()


def test_a_gateway_reaches_its_own_station_alone_and_a_revoked_one_nothing(
    stack: Stack, settings: Settings, photograph_key: str, station: str
) -> None:
    own = f"{station}-gateway"
    issue_gateway(stack, own)
    identity, bucket, key = gateway_identity(own), settings.bucket, f"{own}/cam/x.txt"
    store = store_of(stack, identity)
    store.put(bucket, key, b"mine", content_type="text/plain")
    assert store.get(bucket, key, max_bytes=10) == b"mine"
    for refused in (
        lambda: store.get(bucket, photograph_key, max_bytes=10),
        lambda: store.put(bucket, photograph_key, b"changed", content_type="text/plain"),
        lambda: store.delete(bucket, key),
        lambda: store.check_bucket(bucket),
    ):
        with pytest.raises(AccessRefused):
            refused()

    rotate(stack, identity.name)
    assert refused_soon(store, bucket, key)
    rotated = store_of(stack, identity)
    assert rotated.get(bucket, key, max_bytes=10) == b"mine"
    revoke(stack, identity.name)
    assert refused_soon(rotated, bucket, key)
    store.close()
    rotated.close()


def test_what_a_gateway_replaces_is_kept_as_a_version_that_no_working_key_deletes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNCIA_KEEP_VERSIONS", "true")
    stack = Stack(tmp_path / "stack")
    try:
        stack.up(("seaweedfs",))
        check_versions_are_kept(stack)
    finally:
        stack.down()


def check_versions_are_kept(stack: Stack) -> None:
    issue_gateway(stack, "ridge")
    bucket, key = stack.settings().bucket, "ridge/cam/x.txt"
    stores = {identity.name: store_of(stack, identity) for identity in (gateway_identity("ridge"), OPERATOR)}
    for content in (b"photograph", b"rubbish"):
        stores["gateway-ridge"].put(bucket, key, content, content_type="text/plain")
    admin = ObjectStore(stack.admin_settings())
    first = list(admin.versions(bucket, key))[-1]
    for store in stores.values():
        for version in ({}, {"VersionId": first.version_id}):
            with pytest.raises(ClientError, match="AccessDenied"):
                store.client.delete_object(Bucket=bucket, Key=key, **version)
    kept = admin.read(bucket, key, max_bytes=100, version_id=first.version_id)
    assert kept.data == b"photograph"
    for store in (*stores.values(), admin):
        store.close()


def refused_soon(store: ObjectStore, bucket: str, key: str) -> bool:
    """The store reads its file of identities within moments."""

    def refused() -> bool:
        try:
            store.get(bucket, key, max_bytes=10)
        except AccessRefused:
            return True
        except UnciaError:
            return False
        return False

    return wait_until(refused, 20, "the key to be refused")


def test_the_inference_key_loads_no_model_and_no_key_infers_nothing(stack: Stack, settings: Settings) -> None:
    with ModelControl(settings.model_copy(update={"triton_control_key": None})) as control:
        assert control.probe(settings.model).healthy
        with pytest.raises(DependencyDown, match="UNCIA_TRITON_CONTROL_KEY"):
            control.load(settings.model)
        with pytest.raises(DependencyDown, match="UNCIA_TRITON_CONTROL_KEY"):
            control.list_served()
    with ModelControl(settings.model_copy(update={"triton_inference_key": None})) as control:
        assert control.probe(settings.model).health is ModelHealth.FAILING


def test_doctor_finds_every_door_closed(stack: Stack) -> None:
    known = {"user"} if os.geteuid() == 0 else set()
    assert {check.name: check.detail for check in run_security_checks(stack) if not check.ok}.keys() == known
