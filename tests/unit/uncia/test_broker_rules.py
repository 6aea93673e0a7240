"""Rules for a broker that denies everything else follow from the identities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.broker_rules import Operation, Resource, Rule, rules_of
from uncia.identities import (
    OPERATOR,
    PART_IDENTITIES,
    Identity,
    Role,
    gateway_identity,
    person_identity,
    replay_identity,
    shadow_identity,
)
from uncia.namespaces import replay_namespace, shadow_name, shadow_namespace
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CAMERA_STATE,
    CHANGELOGS,
    DEPLOYMENT_CHANGED,
    STORAGE_CHANGED,
    TOPICS,
    UPLOAD_TOPICS,
)

LIVE = Settings(_env_file=None)
ALL = [*PART_IDENTITIES.values(), OPERATOR, person_identity(Role.SUBSCRIBER, "office")]
NAMESPACES = st.sampled_from(["", "north", "north-2"])


def topics_with(operation: Operation, identity: Identity, settings: Settings = LIVE) -> set[str]:
    return {
        rule.name
        for rule in rules_of(identity, settings)
        if rule.resource is Resource.TOPIC and rule.operation is operation and not rule.prefixed
    }


@pytest.mark.parametrize("identity", ALL, ids=lambda identity: identity.name)
def test_an_identity_reads_and_writes_its_topics(identity: Identity) -> None:
    assert topics_with(Operation.READ, identity) == {topic.name for topic in identity.reads | identity.changelogs}
    assert topics_with(Operation.WRITE, identity) == {topic.name for topic in identity.writes | identity.changelogs}


@pytest.mark.parametrize("identity", ALL, ids=lambda identity: identity.name)
def test_no_identity_deletes_or_reads_all_topics(identity: Identity) -> None:
    for rule in rules_of(identity, LIVE):
        if rule.name == "*":
            assert rule.operation in (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
    assert topics_with(Operation.DELETE, identity) == set()


def test_only_the_store_and_those_that_repair_it_write_its_notifications() -> None:
    writers = {identity.name for identity in ALL if STORAGE_CHANGED.name in topics_with(Operation.WRITE, identity)}
    assert writers == {"object-store", "reconcile", "dashboard", "operator"}


def test_only_those_that_need_positions_read_them() -> None:
    readers = {identity.name for identity in ALL if DEPLOYMENT_CHANGED.name in topics_with(Operation.READ, identity)}
    assert readers == {
        "alerts",
        "bursts",
        "clocks",
        "catalogue",
        "dashboard",
        "deliver",
        "identify",
        "operator",
        "redact",
    }


def test_a_worker_creates_its_changelogs_alone() -> None:
    assert topics_with(Operation.CREATE, PART_IDENTITIES["bursts"]) == {CAMERA_STATE.name}


def test_a_worker_has_the_consumer_group_of_its_name() -> None:
    (group,) = [rule for rule in rules_of(PART_IDENTITIES["bursts"], LIVE) if rule.resource is Resource.GROUP]
    assert group == Rule(Resource.GROUP, "uncia-bursts", Operation.READ)


def test_a_subscriber_has_all_groups_that_begin_with_its_name() -> None:
    (group,) = [
        rule for rule in rules_of(person_identity(Role.SUBSCRIBER, "map"), LIVE) if rule.resource is Resource.GROUP
    ]
    assert group == Rule(Resource.GROUP, "subscriber-map", Operation.READ, prefixed=True)


def test_a_gateway_has_no_rule() -> None:
    assert rules_of(gateway_identity("ridge"), LIVE) == frozenset()


@given(NAMESPACES)
def test_rules_hold_in_their_own_namespace(namespace: str) -> None:
    settings = LIVE.model_copy(update={"namespace": namespace})
    own = {topic.full_name(settings) for topic in (*TOPICS, *CHANGELOGS)}
    for identity in ALL:
        named = {rule.name for rule in rules_of(identity, settings) if rule.resource is Resource.TOPIC}
        assert {name for name in named if name != "*" and not name.endswith("-")} <= own


@given(NAMESPACES, st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True))
def test_the_operator_has_the_topics_of_replays_and_no_live_topic_among_them(namespace: str, name: str) -> None:
    settings = LIVE.model_copy(update={"namespace": namespace})
    replay = settings.model_copy(update={"namespace": replay_namespace(name, settings)})
    prefixes = {
        rule.name
        for rule in rules_of(OPERATOR, settings)
        if rule.prefixed and rule.resource is Resource.TOPIC and rule.operation is Operation.DELETE
    }
    assert BURST_RESOLVED.full_name(replay).startswith(tuple(prefixes))
    for topic in (*TOPICS, *CHANGELOGS):
        assert not topic.full_name(settings).startswith(tuple(prefixes))


@pytest.mark.parametrize("namespace", ["", "north"])
def test_the_workers_of_a_replay_use_its_topics_and_groups_and_no_others(namespace: str) -> None:
    live = Settings(_env_file=None, namespace=namespace)
    rules = rules_of(replay_identity("june"), live)
    prefix = f"{replay_namespace('june', live)}."
    assert {(rule.name, rule.prefixed) for rule in rules} == {(prefix, True)}
    assert {rule.operation for rule in rules if rule.resource is Resource.GROUP} == {Operation.READ}
    others = [replay_namespace("june-2", live), replay_namespace("jun", live), live.namespace]
    for settings in (live.model_copy(update={"namespace": other}) for other in others):
        assert not any(topic.full_name(settings).startswith(prefix) for topic in TOPICS)
    replayed = live.model_copy(update={"namespace": replay_namespace("june", live)})
    assert all(topic.full_name(replayed).startswith(prefix) for topic in (*TOPICS, *CHANGELOGS))


@pytest.mark.parametrize("namespace", ["", "north"])
def test_the_worker_of_a_shadow_reads_live_uploads_and_uses_its_own_topics_and_groups_alone(namespace: str) -> None:
    live = Settings(_env_file=None, namespace=namespace)
    rules = rules_of(shadow_identity(shadow_name("species_classifier", "2")), live)
    prefix = f"{shadow_namespace('species_classifier', '2', live)}."
    others = {(rule.name, rule.operation) for rule in rules if not rule.prefixed}
    assert others == {(topic.full_name(live), Operation.READ) for topic in UPLOAD_TOPICS}
    assert {rule.name for rule in rules if rule.prefixed} == {prefix}
    assert not shadow_namespace("species_classifier", "21", live).startswith(prefix)
