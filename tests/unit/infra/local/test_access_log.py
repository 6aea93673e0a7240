"""Lines of the broker become few records of the audit log."""

import re
from pathlib import Path

import pytest

from uncia.audit import audit_file, read_audit
from uncia.identities import (
    PART_IDENTITIES,
    PERSONS,
    person_identity,
)
from uncia.infra.local.access_log import (
    BROKER_LINES,
    MAX_AN_HOUR,
    Access,
    HourlyRecords,
    at_broker,
)

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


@pytest.mark.parametrize("action, most", [("broker_refused", MAX_AN_HOUR), ("broker_sign_in_refused", 50)])
def test_a_stranger_cannot_fill_the_log(tmp_path: Path, action: str, most: int) -> None:
    records = HourlyRecords(audit_file(tmp_path))
    for number in range(MAX_AN_HOUR + 20):
        records.record(Access(action, "", "read topic", "2026-11-30T14", str(number)))
    records.record(Access("positions_read", "ranger-anna", DEPLOYMENTS, "2026-11-30T14"))
    actions = [record["action"] for record in read_audit(audit_file(tmp_path))]
    assert actions == [action] * most + ["records_left_out", "positions_read"]
