"""Who used which key, read positions or photographs and was refused is in the audit log of the stack."""

import contextlib
import getpass
import ipaddress
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kafka import TopicPartition
from kafka.errors import KafkaError

from tests.stack.conftest import KIND
from tests.stack.test_strangers_at_kafka import settings_of
from tests.stack.test_strangers_at_store import refuses, store_of
from tests.waiting import wait_until
from uncia.audit import audit_file, read_audit
from uncia.errors import DependencyDown, StackError, UnciaError
from uncia.identities import Identity, Role, person_identity
from uncia.infra.local import processes
from uncia.infra.local.key_management import issue, revoke
from uncia.infra.local.part_log import access_file
from uncia.infra.local.security_checks import requires_certificate
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_consumer
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, Topic

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="about the embedded stack alone")

LIMIT_S = 20
Recorded = Callable[..., dict[str, Any]]


@pytest.fixture
def recorded(stack: Stack) -> Recorded:
    """Waits for the record with these fields, and meanwhile repeats what is to be recorded."""
    folder: Path = stack.folder

    def find(repeat: Callable[[], None] | None = None, **fields: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            if repeat is not None:
                repeat()
            records = (one for one in read_audit(audit_file(folder)) if fields.items() <= one.items())
            return next(records, None)

        record = wait_until(found, LIMIT_S, f"the record {fields}")
        assert record is not None
        return record

    return find


@pytest.fixture
def person(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Identity]:
    """A new key for a person of the role that the test names."""
    identity = person_identity(request.param, f"audit-{uuid.uuid4().hex[:8]}")
    issue(stack, identity)
    yield identity
    revoke(stack, identity.name)


def read(settings: Settings, topic: Topic) -> None:
    """Ask the broker for messages of a topic."""
    with contextlib.closing(connect_consumer(settings, enable_auto_commit=False)) as consumer:
        consumer.assign([TopicPartition(topic.full_name(settings), 0)])
        with contextlib.suppress(KafkaError):
            consumer.seek_to_beginning()
            consumer.poll(timeout_ms=2000)


@pytest.mark.parametrize("person", [Role.RANGER], indirect=True)
def test_a_person_who_reads_the_topic_with_positions_is_recorded(
    stack: Stack, person: Identity, recorded: Recorded
) -> None:
    settings = settings_of(stack, person)
    recorded(
        lambda: read(settings, DEPLOYMENT_CHANGED),
        action="positions_read",
        who=person.name,
        what=DEPLOYMENT_CHANGED.full_name(settings),
    )
    recorded(action="key_used", who=person.name, what="kafka")


@pytest.mark.parametrize("person", [Role.SUBSCRIBER], indirect=True)
def test_what_the_broker_refuses_is_recorded(stack: Stack, person: Identity, recorded: Recorded) -> None:
    settings = settings_of(stack, person)
    read(settings, BURST_RESOLVED)
    recorded(lambda: read(settings, DEPLOYMENT_CHANGED), action="broker_refused", who=person.name)
    recorded(action="key_used", who=person.name, what="kafka")
    names = [(one["action"], one["who"]) for one in read_audit(audit_file(stack.folder))]
    assert ("positions_read", person.name) not in names


@pytest.fixture
def photograph(admin_store: ObjectStore, settings: Settings, station: str) -> str:
    """The key of a stored object that is no photograph, so that nothing follows from it."""
    key = f"{station}/cam/kept.txt"
    admin_store.put(settings.bucket, key, b"kept", content_type="text/plain")
    return key


@pytest.mark.parametrize("person", [Role.EXPORTER], indirect=True)
def test_a_person_who_reads_photographs_is_recorded_with_their_camera_and_what_is_refused(
    stack: Stack, settings: Settings, person: Identity, photograph: str, station: str, recorded: Recorded
) -> None:
    with contextlib.closing(store_of(stack, person)) as store:
        store.get(settings.bucket, photograph, max_bytes=10)
        assert refuses(lambda: store.delete(settings.bucket, photograph))
    recorded(action="photographs_read", who=person.name, what=f"{station}/cam")
    recorded(action="key_used", who=person.name, what="object store")
    assert recorded(action="store_refused", who=person.name, what="delete object")["name"] == photograph


def test_a_request_without_a_key_is_recorded(settings: Settings, photograph: str, recorded: Recorded) -> None:
    # The address is new, so that the record is this one, whatever other tests were refused in this hour.
    address = f"fd00::{uuid.uuid4().hex[:4]}"
    with urllib3.PoolManager() as http:
        url = f"{settings.s3_endpoint}/{settings.bucket}/{photograph}"
        assert http.request("GET", url, headers={"X-Real-IP": address}).status == 403
    recorded(action="store_sign_in_refused", error="AccessDenied", address=str(ipaddress.ip_address(address)))


@pytest.mark.parametrize("person", [Role.EXPORTER], indirect=True)
def test_the_store_works_without_the_auditor_and_reports_to_it_afterwards(
    stack: Stack, settings: Settings, person: Identity, photograph: str, recorded: Recorded
) -> None:
    stack.kill("auditor", signal.SIGSTOP)
    try:
        with contextlib.closing(store_of(stack, person)) as store:
            assert store.get(settings.bucket, photograph, max_bytes=10) == b"kept"
            killed = stack.kill("auditor", signal.SIGKILL)
            # What the store sends to a process that is still dying is lost.
            wait_until(lambda: not Path(f"/proc/{killed}").exists(), LIMIT_S, "the end of the auditor")
            assert store.get(settings.bucket, photograph, max_bytes=10) == b"kept"
            assert refuses(lambda: store.delete(settings.bucket, photograph))
    finally:
        with contextlib.suppress(StackError):
            stack.kill("auditor", signal.SIGCONT)
    recorded(action="store_refused", who=person.name, what="delete object")


REFUSED_BY_TRITON: dict[str, tuple[dict[str, Any], Callable[[ModelControl, Settings], object]]] = {
    "control": ({"triton_control_key": None}, lambda control, settings: control.list_served()),
    "inference": ({"triton_inference_key": None}, lambda control, settings: control.probe(settings.model)),
}
"""By the key that is missing: settings without it, and a call that needs it."""


@pytest.mark.parametrize("key", [*REFUSED_BY_TRITON])
def test_what_triton_refuses_is_recorded_with_the_key_that_was_missing(
    stack: Stack, settings: Settings, recorded: Recorded, key: str
) -> None:
    log = access_file(stack.folder / "logs", "triton")
    missing, call = REFUSED_BY_TRITON[key]
    before = refusals(log, key)
    # Other tests were refused in this hour too, which has one record: that of this call is the line.
    with ModelControl(settings.model_copy(update=missing)) as control, contextlib.suppress(UnciaError):
        call(control, settings)
    wait_until(lambda: refusals(log, key) > before, LIMIT_S, "the line")
    recorded(action="triton_refused", what=key)


def test_tritons_refusals_are_recorded_after_the_reader_of_its_log_was_killed(stack: Stack, settings: Settings) -> None:
    log = access_file(stack.folder / "logs", "triton")
    identity = stack.require_identity().stack_id
    reader = next(one.pid for one in processes.of_stack(identity) if one.part == "triton-log")
    os.kill(reader, signal.SIGKILL)
    before = refusals(log, "control")
    with ModelControl(settings.model_copy(update={"triton_control_key": None})) as control:
        with pytest.raises(DependencyDown):
            control.list_served()
        wait_until(lambda: refusals(log, "control") > before, LIMIT_S, "the line")


@pytest.mark.parametrize("port", ["filer", "volume", "master", "filer_grpc", "volume_grpc", "master_grpc", "s3_grpc"])
def test_a_connection_to_an_inner_port_of_the_store_without_a_certificate_is_recorded(
    stack: Stack, recorded: Recorded, port: str
) -> None:
    log = access_file(stack.folder / "logs", "seaweedfs")
    before = refusals(log)
    requires_certificate(stack.require_identity().ports[port])
    # As for Triton: the line is of this connection, the record of this hour.
    wait_until(lambda: refusals(log) > before, LIMIT_S, "the line")
    recorded(action="store_port_refused", address="127.0.0.1")


def test_who_makes_triton_load_a_model_is_recorded(
    stack: Stack, settings: Settings, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment of a command of this stack.
    monkeypatch.setenv("UNCIA_STACK_DIR", str(stack.folder))
    with ModelControl(settings) as control:
        control.load(settings.model)
    recorded(action="model_loaded", who=getpass.getuser(), what=settings.model)


def refusals(log: Path, key: str = "") -> int:
    """Lines of refusals, for want of this key where one is given."""
    ending = f"uncia-{key}'" if key else ""
    return sum(ending in line for line in log.read_text().splitlines()) if log.exists() else 0
