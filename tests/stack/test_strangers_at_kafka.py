"""The stack's broker permits each identity what its row of the topology says, and nothing else."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from tests.stack.result_consumer import messages_of_uncia
from tests.waiting import SCALE, wait_until
from uncia.access import BrokerRight
from uncia.errors import DependencyDown
from uncia.events import BurstResolved
from uncia.identities import (
    OPERATOR,
    PART_IDENTITIES,
    PERSONS,
    Identity,
    Role,
    gateway_identity,
    identity_named,
    person_identity,
)
from uncia.infra.local.key_management import issue, issue_gateway, revoke, rotate
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics, existing_topics, read_topics
from uncia.kafka.connection import client_options, connect_admin, connect_consumer, connect_producer
from uncia.kafka.refusal import refusal
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CHANGELOGS,
    CLOCK_STATE,
    DEPLOYMENT_CHANGED,
    PUBLIC_BURST_RESOLVED,
    STORAGE_CHANGED,
    TOPICS,
)

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)

USERS = [identity for identity in (*PART_IDENTITIES.values(), OPERATOR) if identity.uses_kafka]


def settings_of(stack: Stack, identity: Identity) -> Settings:
    """The settings with which a process of this identity connects to the broker."""
    keys = stack.require_keys().environment(identity)
    names = ("security_protocol", "sasl_mechanism", "username", "password", "cafile")
    given = {f"kafka_{name}": keys[f"UNCIA_KAFKA_{name.upper()}"] or None for name in names}
    return Settings(_env_file=None, kafka=stack.settings().kafka, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def subscriber(stack: Stack) -> Identity:
    identity = person_identity(Role.SUBSCRIBER, f"office-{uuid.uuid4().hex[:8]}")
    issue(stack, identity)
    return identity


@pytest.fixture(scope="module", params=PERSONS)
def person(stack: Stack, request: pytest.FixtureRequest) -> Identity:
    """A person of each role, with a key."""
    identity = person_identity(request.param, f"person-{uuid.uuid4().hex[:8]}")
    issue(stack, identity)
    return identity


def permitted(settings: Settings) -> dict[str, set[str]]:
    """What the broker says that a client may do with each topic of a stack: only those with any right are shown."""
    admin = connect_admin(settings)
    try:
        names = [topic.full_name(settings) for topic in (*TOPICS, *CHANGELOGS)]
        found = admin.describe_topics([name for name in names if name in set(admin.list_topics())])
    finally:
        admin.close()
    return {topic["name"]: set(topic["authorized_operations"]) for topic in found}


def expected(identity: Identity, settings: Settings, stack: Stack) -> dict[str, set[str]]:
    """The rights of its row, to topics that exist: the changelogs of parts that the stack does not run do not."""
    rights: dict[str, set[str]] = {}
    for topics, operations in (
        (identity.reads | identity.changelogs, {"READ", "DESCRIBE"}),
        (identity.writes | identity.changelogs, {"WRITE", "DESCRIBE"}),
        (identity.changelogs, {"CREATE"}),
        (TOPICS + CHANGELOGS if BrokerRight.INSPECT in identity.broker else (), {"DESCRIBE", "DESCRIBE_CONFIGS"}),
    ):
        for topic in topics:
            rights.setdefault(topic.full_name(settings), set()).update(operations)
    existing = existing_topics(stack.admin_settings())
    return {name: operations for name, operations in rights.items() if name in existing}


@pytest.mark.parametrize("identity", USERS, ids=lambda identity: identity.name)
def test_a_part_may_do_with_the_topics_what_its_row_says(stack: Stack, identity: Identity) -> None:
    settings = settings_of(stack, identity)
    assert permitted(settings) == expected(identity, settings, stack)


def test_a_person_may_do_with_the_topics_what_the_role_says(stack: Stack, person: Identity) -> None:
    settings = settings_of(stack, person)
    assert permitted(settings) == expected(person, settings, stack)
    if BrokerRight.INSPECT not in person.broker:
        assert (DEPLOYMENT_CHANGED.name in existing_topics(settings)) == (DEPLOYMENT_CHANGED in person.reads)


def test_a_person_reads_verdicts_in_groups_of_its_own_name(stack: Stack, person: Identity) -> None:
    settings = settings_of(stack, person)
    # A program of anybody reads those of the public tier alone.
    verdicts = next(topic for topic in (BURST_RESOLVED, PUBLIC_BURST_RESOLVED) if topic in person.reads)
    topic = verdicts.full_name(settings)
    for group, refused in ((f"{person.name}-map", False), ("uncia-catalogue", True)):
        consumer = connect_consumer(settings, group_id=group, enable_auto_commit=False)
        try:
            # A key that was issued just now may not see the topic yet; a group that forms before has no partitions.
            wait_until(lambda: consumer.partitions_for_topic(topic), 20, "the topic")  # noqa: B023
            consumer.subscribe([topic])
            if refused:
                with pytest.raises(GroupAuthorizationFailedError):
                    consumer.poll(timeout_ms=10_000)
            else:
                wait_until(lambda: consumer.poll(timeout_ms=100) or consumer.assignment(), 20, "partitions")  # noqa: B023
        finally:
            consumer.close()


def test_what_a_person_does_beyond_the_role_is_refused(
    stack: Stack, settings: Settings, person: Identity, guest: Identity
) -> None:
    """A worker's event is forged, a topic deleted, and a right granted."""
    from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

    own = settings_of(stack, person)
    forged = next(topic for topic in TOPICS if topic.event is not None and topic not in person.writes)
    producer = connect_producer(own, acks="all")
    try:
        with pytest.raises(KafkaError, match="AuthorizationFailedError"):
            producer.send(forged.full_name(settings), key=b"forged", value=b"{}").get(SCALE * 30)
    finally:
        producer.close()
    admin: Any = connect_admin(own)
    positions = ResourcePattern(ResourceType.TOPIC, DEPLOYMENT_CHANGED.full_name(settings))
    try:
        answer = admin.delete_topics([BURST_RESOLVED.full_name(settings)], raise_errors=False)
        assert [topic["error_code"] for topic in answer["topics"]] == [TopicAuthorizationFailedError.errno]
        right = ACL(f"User:{guest.name}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, positions)
        with contextlib.suppress(ClusterAuthorizationFailedError):
            assert not admin.create_acls([right])["succeeded"]
    finally:
        admin.close()
    assert BURST_RESOLVED.full_name(settings) in existing_topics(settings)
    assert DEPLOYMENT_CHANGED.name not in existing_topics(settings_of(stack, guest))


@pytest.mark.parametrize("name", ["subscriber", "predict", "object-store"])
def test_a_forged_verdict_is_refused(stack: Stack, subscriber: Identity, name: str) -> None:
    identity = subscriber if name == "subscriber" else PART_IDENTITIES[name]
    settings = settings_of(stack, identity)
    producer = connect_producer(settings, acks="all")
    try:
        # A client that may write nothing gets no producer id.
        with pytest.raises(KafkaError, match="AuthorizationFailedError"):
            producer.send(BURST_RESOLVED.full_name(settings), key=b"forged", value=b"{}").get(30)
    finally:
        producer.close()


def test_what_the_broker_denies_is_in_its_log(stack: Stack, subscriber: Identity) -> None:
    admin = connect_admin(settings_of(stack, subscriber))
    try:
        admin.delete_topics([BURST_RESOLVED.name], raise_errors=False)
    finally:
        admin.close()
    denied = f"Principal = User:{subscriber.name} is Denied operation = DELETE"
    log = stack.folder / "logs" / "kafka.log"
    wait_until(lambda: denied in log.read_text(encoding="utf-8", errors="replace"), 10, denied)


def test_a_failed_sign_in_is_in_the_log_of_the_broker(stack: Stack, guest: Identity) -> None:
    wrong = with_password(settings_of(stack, guest), "guess")
    log = stack.folder / "logs" / "kafka.log"
    before = log.stat().st_size
    assert refusal(wrong, client_options(wrong))
    wait_until(lambda: b"Failed authentication" in log.read_bytes()[before:], 10, "the failed sign-in")


@pytest.mark.parametrize("name", ["subscriber", "predict", "crops", "object-store"])
def test_exact_positions_are_refused_to_those_that_do_not_need_them(
    stack: Stack, subscriber: Identity, name: str
) -> None:
    settings = settings_of(stack, subscriber if name == "subscriber" else PART_IDENTITIES[name])
    with pytest.raises((DependencyDown, TopicAuthorizationFailedError)):
        list(read_topics(settings, (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True))


def test_the_operator_deletes_no_topic_of_the_stream(stack: Stack, settings: Settings) -> None:
    admin = connect_admin(settings)
    try:
        answer = admin.delete_topics([STORAGE_CHANGED.full_name(settings)], raise_errors=False)
        assert [topic["error_code"] for topic in answer["topics"]] == [TopicAuthorizationFailedError.errno]
    finally:
        admin.close()
    assert STORAGE_CHANGED.full_name(settings) in existing_topics(settings)


def test_a_part_creates_no_other_topic_than_its_changelogs(stack: Stack) -> None:
    settings = settings_of(stack, PART_IDENTITIES["clocks"])
    with pytest.raises(DependencyDown, match="Kafka refused the topic"):
        create_topics(settings.model_copy(update={"namespace": "elsewhere"}), (CLOCK_STATE,))


def test_a_gateway_has_no_user_at_the_broker(stack: Stack, station: str) -> None:
    credential = issue_gateway(stack, station)
    stranger = stack.settings().model_copy(update={"kafka_username": gateway_identity(station).name})
    for password in (credential.secret_key, credential.kafka_password):
        with pytest.raises(DependencyDown, match="refuses the user"):
            existing_topics(with_password(stranger, password))


def test_the_secret_of_the_store_opens_no_door_at_the_broker(stack: Stack) -> None:
    """The object store knows the secret keys of all identities, and may itself be attacked."""
    secret = stack.require_keys().credentials["predict"].secret_key
    with pytest.raises(DependencyDown, match="refuses the user predict"):
        existing_topics(with_password(settings_of(stack, PART_IDENTITIES["predict"]), secret))


def with_password(settings: Settings, password: str) -> Settings:
    return Settings(_env_file=None, **{**settings.model_dump(), "kafka_password": password})


@pytest.fixture
def guest(stack: Stack) -> Iterator[Identity]:
    identity = person_identity(Role.SUBSCRIBER, f"guest-{uuid.uuid4().hex[:8]}")
    issue(stack, identity)
    yield identity


def test_a_rotated_key_and_a_revoked_one_are_refused_while_the_stack_runs(stack: Stack, guest: Identity) -> None:
    first = settings_of(stack, guest)
    assert BURST_RESOLVED.name in existing_topics(first)
    rotate(stack, guest.name)
    second = settings_of(stack, guest)
    assert BURST_RESOLVED.name in existing_topics(second)
    revoke(stack, guest.name)
    for refused in (first, second):
        assert "refuses the user" in (refusal(refused, client_options(refused)) or "")
    assert identity_named(guest.name) == guest


def test_rights_that_are_no_longer_in_the_topology_are_removed_at_the_next_change(
    stack: Stack, admin_settings: Settings, guest: Identity
) -> None:
    from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

    admin: Any = connect_admin(admin_settings)
    positions = ResourcePattern(ResourceType.TOPIC, DEPLOYMENT_CHANGED.full_name(admin_settings))
    try:
        extra = ACL(f"User:{guest.name}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, positions)
        assert not admin.create_acls([extra])["failed"]
    finally:
        admin.close()
    assert DEPLOYMENT_CHANGED.name in existing_topics(settings_of(stack, guest))
    rotate(stack, guest.name)
    assert DEPLOYMENT_CHANGED.name not in existing_topics(settings_of(stack, guest))


def test_verdicts_are_events_that_a_subscriber_can_read(stack: Stack, subscriber: Identity) -> None:
    for message in messages_of_uncia(settings_of(stack, subscriber), BURST_RESOLVED):
        BurstResolved.from_bytes(message.value)
