"""Lines of the broker and entries of the object store become few records of the audit log."""

import re
from pathlib import Path
from typing import Any

import pytest

from uncia.audit import audit_file, read_audit
from uncia.identities import (
    PART_IDENTITIES,
    PERSONS,
    STORE_ADMIN,
    Identity,
    Role,
    gateway_identity,
    person_identity,
    uploader_identity,
)
from uncia.infra.local.access_log import (
    BROKER_LINES,
    MAX_AN_HOUR,
    Access,
    HourlyRecords,
    at_broker,
    at_store,
)
from uncia.infra.local.store_access import key_of_user, user_name

DEPLOYMENTS, VERDICTS = "camera.deployment.changed.v1", "camera.burst.resolved.v1"


def message(
    who: str, topic: str, *, result: str = "Allowed", request: str = "Fetch", address: str = "127.0.0.1"
) -> str:
    """As Kafka 4.3 writes it."""
    return (
        f"Principal = User:{who} is {result} operation = READ from host = {address} on resource = "
        f"Topic:LITERAL:{topic} for request = {request} with resourceRefCount = 1 based on rule DefaultDeny"
    )


def at(text: str) -> list[Access]:
    return list(at_broker(f"2026-11-30T14:47:06Z {text}"))


@pytest.mark.parametrize("topic", [DEPLOYMENTS, f"north.{DEPLOYMENTS}", f"replay-june.{DEPLOYMENTS}"])
def test_who_reads_positions_at_the_broker_is_recorded(topic: str) -> None:
    assert [(access.action, access.who, access.what) for access in at(message("ranger-anna", topic))] == [
        ("key_used", "ranger-anna", "kafka"),
        ("positions_read", "ranger-anna", topic),
    ]


@pytest.mark.parametrize(
    "text", [message("ranger-anna", VERDICTS), message("ranger-anna", DEPLOYMENTS, request="Metadata")]
)
def test_other_requests_read_no_positions(text: str) -> None:
    assert [access.action for access in at(text)] == ["key_used"]


def test_what_the_broker_refuses_is_recorded_with_the_key() -> None:
    (access,) = at(message("subscriber-map", DEPLOYMENTS, result="Denied", address="192.0.2.7"))
    assert (access.action, access.who, access.what) == ("broker_refused", "subscriber-map", "read topic")
    assert (access.address, access.details["name"]) == ("192.0.2.7", DEPLOYMENTS)


def test_a_long_name_is_cut_at_the_longest_that_a_topic_can_have() -> None:
    (access,) = at(message("subscriber-map", "g" * 32_767, result="Denied"))
    assert access.details["name"] == "g" * 249


FAILED = "[SocketServer nodeId=1] Failed authentication with /192.0.2.7 (channelId=1) (invalid credentials)"


def test_a_refused_sign_in_is_recorded_with_its_address() -> None:
    assert [(access.action, access.address) for access in at(FAILED)] == [("broker_sign_in_refused", "192.0.2.7")]


def test_the_broker_writes_what_persons_do_and_what_it_refuses_and_not_the_work_of_the_parts() -> None:
    def writes(text: str) -> bool:
        return re.fullmatch(BROKER_LINES, text) is not None

    assert all(writes(message(str(role), DEPLOYMENTS)) for role in PERSONS)
    assert all(writes(message(person_identity(role, "a-1").name, DEPLOYMENTS)) for role in PERSONS)
    assert writes(FAILED)
    for name in (*PART_IDENTITIES, "replay-june", "shadow-cats-v2", "CN=kafka"):
        assert not writes(message(name, DEPLOYMENTS))
        assert writes(message(name, DEPLOYMENTS, result="Denied"))


PHOTOGRAPH = "ridge/cam-1/IMG_0001.JPG"
EXPORTER = person_identity(Role.EXPORTER, "map-office")
RIDGE = gateway_identity("ridge")


def store(identity: Identity | None = EXPORTER, **fields: Any) -> list[Access]:
    """What an entry says, as SeaweedFS 4.48 sends it."""
    entry = {
        "bucket": "camera-uploads", "error_code": "", "key": PHOTOGRAPH, "operation": "REST.GET.OBJECT",
        "remote_ip": "127.0.0.1", "requester": user_name(identity) if identity else "", "status": 200,
        "time": 1796050026,
    }  # fmt: skip
    return list(at_store({**entry, **fields}))


def test_who_reads_photographs_is_recorded_for_each_camera() -> None:
    assert [(access.action, access.who, access.what, access.hour) for access in store()] == [
        ("key_used", "exporter-map-office", "object store", "2026-11-30T14"),
        ("photographs_read", "exporter-map-office", "ridge/cam-1", "2026-11-30T14"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "REST.HEAD.OBJECT"},
        {"status": 404},
        {"key": "", "operation": "REST.GET.OBJECT"},
        {"key": f"crops/ridge/cam-1/crp-{'0' * 24}.jpg"},
        {"operation": ""},
    ],
    ids=["metadata", "missing", "list", "crop", "unknown"],
)
def test_other_requests_read_no_photograph(fields: dict[str, Any]) -> None:
    assert [access.action for access in store(**fields)] == ["key_used"]


@pytest.mark.parametrize("identity", [RIDGE, uploader_identity("ridge"), STORE_ADMIN], ids=lambda one: one.name)
def test_the_use_of_a_key_outside_the_stack_is_recorded_and_not_each_file(identity: Identity) -> None:
    used = [(access.action, access.who, access.address) for access in store(identity, remote_ip="2001:db8::1")]
    assert used == [("key_used", identity.name, "2001:db8::1")]


def test_the_work_of_the_parts_at_the_store_is_not_recorded() -> None:
    assert store(PART_IDENTITIES["predict"]) == []


@pytest.mark.parametrize("identity", [PART_IDENTITIES["predict"], RIDGE, EXPORTER], ids=lambda one: one.name)
@pytest.mark.parametrize("key, what", [(PHOTOGRAPH, "delete object"), ("", "delete bucket")])
def test_what_the_store_refuses_is_recorded_with_the_key(identity: Identity, key: str, what: str) -> None:
    (access,) = store(identity, operation="REST.DELETE.OBJECT", key=key, status=403, error_code="AccessDenied")
    assert (access.action, access.who, access.what) == ("store_refused", identity.name, what)
    assert access.details == {"name": key, "error": "AccessDenied"}


def test_another_content_than_the_signed_one_is_recorded() -> None:
    (access,) = store(RIDGE, operation="REST.PUT.OBJECT", status=400, error_code="BadDigest")
    assert (access.action, access.who, access.what) == ("store_refused", "gateway-ridge", "put object")


@pytest.mark.parametrize(
    "identity, actions",
    [(RIDGE, ["store_refused"]), (PART_IDENTITIES["crops"], []), (STORE_ADMIN, ["key_used"])],
    ids=["gateway", "crops", "store-admin"],
)
def test_a_deletion_of_several_objects_is_refused_to_whom_may_delete_none(
    identity: Identity, actions: list[str]
) -> None:
    found = store(identity, operation="REST.POST.OBJECT", key="")
    assert [access.action for access in found] == actions


def test_a_request_without_a_valid_key_is_recorded_with_its_address() -> None:
    (access,) = store(None, status=403, error_code="InvalidAccessKeyId", remote_ip="192.0.2.7")
    assert (access.action, access.who, access.address) == ("store_sign_in_refused", "", "192.0.2.7")
    assert access.details["error"] == "InvalidAccessKeyId"


def test_an_address_that_is_none_is_left_out() -> None:
    (access,) = store(None, status=403, remote_ip="a" * 5000)
    assert access.address == ""


@pytest.mark.parametrize(
    "identity", [*PART_IDENTITIES.values(), EXPORTER, STORE_ADMIN, gateway_identity("ä b"), uploader_identity("ä b")]
)
def test_a_user_of_the_store_leads_back_to_its_key(identity: Identity) -> None:
    assert key_of_user(user_name(identity)) == identity.name


def test_the_same_is_recorded_once_an_hour_also_after_a_restart(tmp_path: Path) -> None:
    path = audit_file(tmp_path)
    first = at(message("ranger-anna", DEPLOYMENTS))
    later = list(at_broker(f"2026-11-30T15:00:00Z {message('ranger-anna', DEPLOYMENTS)}"))
    for _ in range(2):
        records = HourlyRecords(path)
        for access in (*first, *first, *later, *later):
            records.record(access)
    assert [(record["action"], record["hour"]) for record in read_audit(path)] == [
        (action, f"2026-11-30T{hour}") for hour in (14, 15) for action in ("key_used", "positions_read")
    ]


SIGN_INS = [("broker_sign_in_refused", 50), ("store_sign_in_refused", 50)]


@pytest.mark.parametrize("action, most", [("broker_refused", MAX_AN_HOUR), ("store_refused", MAX_AN_HOUR), *SIGN_INS])
def test_a_stranger_cannot_fill_the_log(tmp_path: Path, action: str, most: int) -> None:
    records = HourlyRecords(audit_file(tmp_path))
    for number in range(MAX_AN_HOUR + 20):
        records.record(Access(action, "", "read topic", "2026-11-30T14", str(number)))
    records.record(Access("positions_read", "ranger-anna", DEPLOYMENTS, "2026-11-30T14"))
    actions = [record["action"] for record in read_audit(audit_file(tmp_path))]
    assert actions == [action] * most + ["records_left_out", "positions_read"]
