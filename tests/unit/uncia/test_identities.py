"""Each identity may do what its row of the topology says, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.access import StoreAction, StoreRight, TritonRight
from uncia.errors import SettingsError
from uncia.events import PublicBurstResolved
from uncia.fetch_requests import request_list_key
from uncia.identities import (
    MAILROOM,
    OPERATOR,
    PART_IDENTITIES,
    PERSONS,
    STORE_ADMIN,
    Identity,
    Role,
    gateway_identity,
    identity_named,
    person_identity,
    replay_identity,
    shadow_identity,
    uploader_identity,
)
from uncia.topics import (
    BURST_RESOLVED,
    DEPLOYMENT_CHANGED,
    INDIVIDUAL_DECIDED,
    INDIVIDUAL_SIGHTED,
    REDACT_STATE,
    UPLOAD_TOPICS,
)
from uncia.topology import PARTS, WORKERS, Kind, Part, writers

FIXED = (*PART_IDENTITIES.values(), OPERATOR, STORE_ADMIN)


def can_be_station(name: str) -> bool:
    try:
        gateway_identity(name)
    except SettingsError:
        return False
    return True


STATIONS = st.text(min_size=1, max_size=12).filter(can_be_station)
LEVELS = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=8)


OWN = [part for part in PARTS if part.kind is not Kind.COMMAND and part.name not in ("subscribers", "public")]


@pytest.mark.parametrize("part", OWN, ids=lambda part: part.name)
def test_a_part_has_the_rights_of_its_row(part: Part) -> None:
    identity = PART_IDENTITIES[part.name.replace(" ", "-")]
    carried_out = [row for row in PARTS if row.kind is Kind.COMMAND and row.name in part.acts_for]
    assert identity.reads == set(part.inputs).union(*(row.inputs for row in carried_out))
    assert identity.writes == set(part.writes).union(*(row.writes for row in carried_out))
    assert identity.changelogs == set(part.changelogs)
    assert identity.group == part.group
    assert (identity.store, identity.triton) == (part.store, part.triton)


def test_only_the_dashboard_acts_for_commands_and_all_that_it_names_exist() -> None:
    assert {part.name for part in PARTS if part.acts_for} == {"dashboard"}
    commands = {part.name for part in PARTS if part.kind is Kind.COMMAND}
    assert all(set(part.acts_for) <= commands for part in PARTS)


def test_a_subscriber_reads_results_and_no_positions_and_writes_nothing() -> None:
    identity = person_identity(Role.SUBSCRIBER, "map-office")
    assert BURST_RESOLVED in identity.reads
    assert DEPLOYMENT_CHANGED not in identity.reads
    assert not (identity.writes or identity.changelogs or identity.store or identity.triton or identity.broker)
    assert identity_named("subscriber-map-office") == identity


@pytest.mark.parametrize(
    ("role", "positions", "pictures", "writes"),
    [
        (Role.SUBSCRIBER, False, False, False),
        (Role.RANGER, True, False, False),
        (Role.EXPORTER, True, True, False),
        (Role.OPERATOR, True, True, True),
    ],
)
def test_a_person_may_do_what_the_role_says(role: Role, positions: bool, pictures: bool, writes: bool) -> None:
    identity = person_identity(role, "anna")
    assert identity.name == f"{role.value}-anna"
    assert identity_named(identity.name) == identity
    assert BURST_RESOLVED in identity.reads
    assert (DEPLOYMENT_CHANGED in identity.reads) == positions
    assert identity.permits_object(StoreAction.READ, "ridge/cam-1/x.jpg") == pictures
    assert bool(identity.writes) == identity.permits_object(StoreAction.WRITE, "ridge/cam-1/x.jpg") == writes
    assert not identity.permits_object(StoreAction.DELETE, "ridge/cam-1/x.jpg")


@pytest.mark.parametrize("name", ["", "Office", "a b", "a/b", "-a", "a-", "é", "x" * 41, "a\n"])
def test_a_name_that_is_no_word_names_no_subscriber(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a key"):
        person_identity(Role.SUBSCRIBER, name)
    assert identity_named(f"subscriber-{name}") is None


def test_every_worker_and_service_has_an_identity_of_its_own() -> None:
    assert set(WORKERS) <= set(PART_IDENTITIES)
    assert len({identity.name for identity in FIXED}) == len(FIXED)


def test_names_fit_a_file_an_s3_user_and_a_kafka_principal() -> None:
    for identity in (*FIXED, gateway_identity("Grün, 2 / 3".replace("/", "-"))):
        assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", identity.name)


def test_a_part_that_needs_triton_may_infer_and_only_those_that_load_models_may_control() -> None:
    for part in WORKERS.values():
        assert (TritonRight.INFERENCE in part.triton) == ("triton" in part.needs)
    control = {identity.name for identity in FIXED if TritonRight.CONTROL in identity.triton}
    assert control == {"dashboard", "triton-keeper", "operator"}


def test_a_part_without_access_to_the_store_does_not_wait_for_it() -> None:
    for part in WORKERS.values():
        assert bool(part.store) == ("seaweedfs" in part.needs)


def test_only_workers_that_derive_objects_delete_any_and_only_their_own() -> None:
    deleting = {
        identity.name: [right.prefix for right in identity.store if right.action is StoreAction.DELETE]
        for identity in FIXED
    }
    assert {name: prefixes for name, prefixes in deleting.items() if prefixes} == {
        "crops": ["crops/"],
        "explain": ["explanations/"],
        "identify": ["individuals/"],
        "listen": ["spectrograms/"],
        "harvest": ["harvest/"],
    }


def test_no_part_but_the_mailroom_which_uploads_changes_a_photograph() -> None:
    for identity in PART_IDENTITIES.values():
        if identity == MAILROOM:
            continue
        for action in (StoreAction.WRITE, StoreAction.DELETE):
            assert not identity.permits_object(action, "ridge/cam-1/2026/03/14/x.jpg")


def test_the_mailroom_stores_and_reads_as_gateways_do_and_neither_lists_nor_deletes() -> None:
    assert {right.action for right in MAILROOM.store} == {right.action for right in gateway_identity("ridge").store}
    for action, permitted in ((StoreAction.LIST, False), (StoreAction.DELETE, False), (StoreAction.WRITE, True)):
        assert MAILROOM.permits_object(action, "ridge/cam-1/2026/03/14/x.jpg") is permitted
    assert not MAILROOM.triton and not MAILROOM.uses_kafka


def test_the_operator_may_do_all_that_commands_do_except_deleting_objects() -> None:
    for part in PARTS:
        if part.kind is Kind.COMMAND:
            assert OPERATOR.reads >= set(part.inputs)
            assert OPERATOR.writes >= set(part.writes)
            assert set(OPERATOR.triton) >= set(part.triton)
            assert all(OPERATOR.permits_object(right.action, f"{right.prefix}x.jpg") for right in part.store)
    assert not OPERATOR.permits_object(StoreAction.DELETE, "ridge/cam-1/x.jpg")


@given(STATIONS, LEVELS)
def test_a_gateway_stores_below_its_own_station(station: str, camera: str) -> None:
    gateway = gateway_identity(station)
    prefix = gateway.store[0].prefix
    assert gateway.role is Role.GATEWAY
    assert gateway.permits_object(StoreAction.WRITE, f"{prefix}{camera}/x.jpg")
    assert not gateway.permits_object(StoreAction.DELETE, f"{prefix}{camera}/x.jpg")
    assert not gateway.permits_object(StoreAction.LIST, prefix)
    assert not gateway.triton and not gateway.reads and not gateway.writes


@given(STATIONS, STATIONS, LEVELS, st.sampled_from(StoreAction))
def test_an_uploader_stores_below_its_own_station_and_may_do_nothing_else(
    own: str, other: str, camera: str, action: StoreAction
) -> None:
    uploader, prefix = uploader_identity(own), uploader_identity(other).store[0].prefix
    own_station = uploader == uploader_identity(other)
    assert uploader.role is Role.UPLOADER
    assert uploader.permits_object(action, f"{prefix}{camera}/x.jpg") == (own_station and action is StoreAction.WRITE)
    assert not uploader.triton and not uploader.uses_kafka
    assert identity_named(uploader.name) == uploader


@given(STATIONS, STATIONS, LEVELS, st.sampled_from(StoreAction))
def test_a_gateway_has_no_right_to_objects_of_another_station(
    one: str, other: str, camera: str, action: StoreAction
) -> None:
    gateway, stranger = gateway_identity(one), gateway_identity(other)
    if gateway == stranger:
        return
    key = f"{stranger.store[0].prefix}{camera}/x.jpg"
    assert not gateway.permits_object(action, key)
    assert gateway.name != stranger.name


@given(STATIONS, STATIONS, LEVELS)
def test_status_reports_are_stored_with_the_key_of_their_own_station(one: str, other: str, camera: str) -> None:
    for identity in (gateway_identity, uploader_identity):
        own, stranger = identity(one), identity(other)
        key = f"status/{own.store[0].prefix}{camera}/sts.json"
        assert own.permits_object(StoreAction.WRITE, key)
        assert stranger.permits_object(StoreAction.WRITE, key) == (stranger == own)
        assert not own.permits_object(StoreAction.DELETE, key)


def test_a_gateway_reads_the_requests_of_its_own_station_and_writes_none() -> None:
    gateway = gateway_identity("ridge")
    assert gateway.permits_object(StoreAction.READ, request_list_key("ridge"))
    assert not gateway.permits_object(StoreAction.READ, request_list_key("ridge-2"))
    assert not gateway.permits_object(StoreAction.WRITE, request_list_key("ridge"))


def test_a_station_whose_name_begins_with_that_of_another_is_another_station() -> None:
    assert not gateway_identity("ridge").permits_object(StoreAction.READ, "ridge-2/cam-1/x.jpg")


@pytest.mark.parametrize(
    "station", ["", " ", "a/b", "..", ".hidden", "*", "ridge*", "r?dge", "${user}", "a\\b", "a\nb"]
)
def test_a_name_that_could_stand_for_other_stations_has_no_gateway(station: str) -> None:
    for identity in (gateway_identity, uploader_identity):
        with pytest.raises(SettingsError):
            identity(station)


def test_a_right_covers_whole_levels_of_a_key() -> None:
    with pytest.raises(ValueError, match="does not end with a slash"):
        StoreRight(StoreAction.WRITE, "ridge")


@given(STATIONS)
def test_the_name_of_a_gateway_leads_back_to_its_station(station: str) -> None:
    identity = gateway_identity(station)
    assert identity_named(identity.name) == identity


@pytest.mark.parametrize("identity", FIXED, ids=lambda identity: identity.name)
def test_every_name_leads_back_to_its_identity(identity: Identity) -> None:
    assert identity_named(identity.name) == identity


@pytest.mark.parametrize(
    "name",
    [
        "",
        "stranger",
        "gateway-",
        "gateway-a/b",
        "gateway-%2a",
        "gateway-%zz",
        "gateway- a",
        "uploader-",
        "uploader-a/b",
    ],
)
def test_any_other_name_is_nobody(name: str) -> None:
    assert identity_named(name) is None


def test_the_identity_of_a_replay_is_found_by_its_name() -> None:
    identity = replay_identity("june-2")
    assert identity_named(identity.name) == identity
    assert not identity.permits_object(StoreAction.WRITE, "ridge/cam/1.jpg")
    assert identity.triton == (TritonRight.INFERENCE,)
    for name in ("", "June", "a.b", "-a", "a" * 41):
        with pytest.raises(SettingsError):
            replay_identity(name)
        assert identity_named(f"replay-{name}") is None


def test_the_identity_of_a_shadow_reads_uploads_and_no_positions() -> None:
    identity = shadow_identity("species-classifier-v2")
    assert identity_named(identity.name) == identity
    assert identity.reads == frozenset(UPLOAD_TOPICS)
    assert not identity.writes
    assert not identity.permits_object(StoreAction.WRITE, "ridge/cam/1.jpg")
    assert identity.triton == (TritonRight.INFERENCE,)
    for name in ("", "Cats-v2", "cats", "cats-v", "a.b-v1"):
        with pytest.raises(SettingsError):
            shadow_identity(name)
        assert identity_named(f"shadow-{name}") is None


def test_a_key_for_the_public_tier_reads_that_topic_and_nothing_else() -> None:
    identity = person_identity(Role.PUBLIC, "park-website")
    assert {topic.name for topic in identity.reads} == {"public.burst.resolved.v1"}
    assert not identity.writes
    assert not identity.store
    assert not identity.triton
    assert not identity.changelogs


def test_what_links_public_ids_to_bursts_is_read_by_its_worker_alone() -> None:
    everybody = [*PART_IDENTITIES.values(), OPERATOR, *PERSONS.values()]
    assert [one.name for one in everybody if REDACT_STATE in one.reads | one.writes | one.changelogs] == ["redact"]


def test_individuals_are_internal() -> None:
    internal = {INDIVIDUAL_SIGHTED, INDIVIDUAL_DECIDED}
    for role in (Role.PUBLIC, Role.SUBSCRIBER, Role.RANGER, Role.EXPORTER):
        assert not internal & person_identity(role, "somebody").reads
    fields = PublicBurstResolved.model_json_schema(mode="serialization")["properties"]
    assert not [name for name in fields if "individual" in name or "crop" in name or "sight" in name]


def test_decisions_about_individuals_are_written_by_people_alone() -> None:
    assert {part.name for part in writers(INDIVIDUAL_DECIDED)} == {"individuals", "dashboard"}
