"""The policies of the object store permit what the identities may do, and nothing else."""

import json
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.uncia.test_identities import LEVELS, STATIONS
from uncia.access import StoreAction, StoreRight
from uncia.identities import (
    OPERATOR,
    PART_IDENTITIES,
    PERSONS,
    Identity,
    Role,
    gateway_identity,
    person_identity,
    replay_identity,
    shadow_identity,
    uploader_identity,
)
from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.store_access import gateways_policy, policy_of, s3_configuration, uploaders_policy, user_name
from uncia.storage.object_keys import (
    CROPS_PREFIX,
    EXPLANATIONS_PREFIX,
    HARVEST_PREFIX,
    INDIVIDUALS_PREFIX,
    SPECTROGRAMS_PREFIX,
)

BUCKET = "camera-uploads"
REQUESTS = {
    StoreAction.READ: "s3:GetObject",
    StoreAction.WRITE: "s3:PutObject",
    StoreAction.DELETE: "s3:DeleteObject",
}
CHANGING = {
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketPolicy",
    "s3:DeleteBucket",
    "s3:BypassGovernanceRetention",
}
EVERYBODY = [
    *PART_IDENTITIES.values(),
    OPERATOR,
    gateway_identity("ridge"),
    uploader_identity("ridge"),
    *(person_identity(role, "anna") for role in PERSONS),
    replay_identity("june"),
    shadow_identity("species-classifier-v2"),
]


def permits(policy: dict[str, Any], action: str, resource: str) -> bool:
    """As S3 evaluates a policy: `*` and `?` in resources are wildcards."""
    return any(
        action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


@given(st.sampled_from(EVERYBODY), st.sampled_from(sorted(REQUESTS)), st.lists(LEVELS, min_size=1, max_size=4))
def test_a_policy_permits_exactly_the_rights_of_its_identity(
    identity: Identity, action: StoreAction, levels: list[str]
) -> None:
    key = "/".join(levels)
    allowed = permits(policy_of(identity, BUCKET), REQUESTS[action], f"arn:aws:s3:::{BUCKET}/{key}")
    assert allowed == identity.permits_object(action, key)


@given(STATIONS)
def test_the_policy_of_all_gateways_is_for_each_the_one_of_its_station(station: str) -> None:
    gateway = gateway_identity(station)
    filled = json.dumps(gateways_policy(BUCKET)).replace("${aws:username}", json.dumps(user_name(gateway))[1:-1])
    assert json.loads(filled) == policy_of(gateway, BUCKET)


@given(STATIONS)
def test_the_policy_of_all_uploaders_is_for_each_the_one_of_its_station(station: str) -> None:
    uploader = uploader_identity(station)
    filled = json.dumps(uploaders_policy(BUCKET)).replace("${aws:username}", json.dumps(user_name(uploader))[1:-1])
    assert without_conditions(json.loads(filled)) == policy_of(uploader, BUCKET)


def without_conditions(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy as it is where its conditions hold."""
    statements = [{name: at for name, at in one.items() if name != "Condition"} for one in policy["Statement"]]
    return {**policy, "Statement": statements}


@given(STATIONS)
def test_an_uploader_fulfils_the_condition_of_its_policy_and_an_empty_name_does_not(station: str) -> None:
    for statement in uploaders_policy(BUCKET)["Statement"]:
        pattern = statement["Condition"]["StringLike"]["aws:username"]
        assert fnmatchcase(user_name(uploader_identity(station)), pattern)
        assert not fnmatchcase("", pattern)


@given(STATIONS, STATIONS)
def test_no_two_keys_share_a_user_name(one: str, other: str) -> None:
    stations = [make(name) for name in (one, other) for make in (gateway_identity, uploader_identity)]
    everybody = {identity.name: identity for identity in (*PART_IDENTITIES.values(), *stations)}
    assert len({user_name(identity) for identity in everybody.values()}) == len(everybody)


@given(STATIONS, STATIONS, LEVELS)
def test_the_policy_of_a_gateway_covers_no_other_station(one: str, other: str, camera: str) -> None:
    policy, stranger = policy_of(gateway_identity(one), BUCKET), gateway_identity(other)
    if gateway_identity(one) != stranger:
        resource = f"arn:aws:s3:::{BUCKET}/{stranger.store[0].prefix}{camera}/x.jpg"
        assert not any(permits(policy, action, resource) for action in REQUESTS.values())


@pytest.mark.parametrize("identity", EVERYBODY, ids=lambda identity: identity.name)
def test_nobody_may_change_the_bucket(identity: Identity) -> None:
    actions = {action for statement in policy_of(identity, BUCKET)["Statement"] for action in statement["Action"]}
    assert not actions & CHANGING
    assert not any("*" in action for action in actions)


@pytest.mark.parametrize("identity", EVERYBODY, ids=lambda identity: identity.name)
def test_only_what_a_part_makes_itself_is_deleted_and_that_with_its_older_versions(identity: Identity) -> None:
    deleted = {
        action: resource
        for statement in policy_of(identity, BUCKET)["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if action.startswith("s3:Delete")
    }
    own = {
        "crops": CROPS_PREFIX,
        "explain": EXPLANATIONS_PREFIX,
        "identify": INDIVIDUALS_PREFIX,
        "listen": SPECTROGRAMS_PREFIX,
        "harvest": HARVEST_PREFIX,
    }.get(identity.name)
    resource = f"arn:aws:s3:::{BUCKET}/{own}*"
    assert deleted == ({"s3:DeleteObject": resource, "s3:DeleteObjectVersion": resource} if own else {})


def test_only_whole_buckets_are_listed() -> None:
    lister = Identity("lister", Role.PART, "", store=(StoreRight(StoreAction.LIST, "ridge/"),))
    with pytest.raises(ValueError, match="whole bucket"):
        policy_of(lister, BUCKET)


def test_the_server_knows_those_with_rights_and_its_administrator_alone(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    ensure_keys(tmp_path, EVERYBODY)
    (tmp_path / "keys" / "from-a-newer-version.json").write_bytes((tmp_path / "keys" / "predict.json").read_bytes())
    written = json.loads(s3_configuration(ensure_keys(tmp_path).credentials, BUCKET))
    names = {entry["name"] for entry in written["identities"]}
    assert names == {user_name(identity) for identity in EVERYBODY if identity.store} | {"uncia/store-admin"}
    admin = next(entry for entry in written["identities"] if entry["name"] == "uncia/store-admin")
    assert (admin["actions"], admin.get("policyNames")) == (["Admin"], None)
    predict = next(entry for entry in written["identities"] if entry["name"] == "uncia/predict")
    assert predict["credentials"][0]["secretKey"] == keys.credentials["predict"].secret_key
    attached = {name for entry in written["identities"] for name in entry.get("policyNames", [])}
    assert {policy["name"] for policy in written["policies"]} == attached


def test_those_whose_forms_upload_may_write_to_the_bucket_but_to_no_key_except_by_their_policy(tmp_path: Path) -> None:
    ensure_keys(tmp_path, EVERYBODY)
    entries = json.loads(s3_configuration(ensure_keys(tmp_path).credentials, BUCKET))["identities"]
    rules = {entry["name"]: entry["actions"] for entry in entries if "policyNames" in entry and "actions" in entry}
    assert set(rules) == {"ridge", "ridge/", "uncia/operator", "uncia/operator-anna"}
    for rule in {rule for own in rules.values() for rule in own}:
        assert fnmatchcase(f"Write:{BUCKET}", rule)
        assert not fnmatchcase(f"Write:{BUCKET}/ridge/north/IMG_0001.JPG", rule)


def test_a_revoked_key_has_neither_a_policy_nor_a_rule(tmp_path: Path) -> None:
    ensure_keys(tmp_path, [uploader_identity("ridge")])
    credentials = dict(ensure_keys(tmp_path).credentials)
    credentials["uploader-ridge"] = replace(credentials["uploader-ridge"], revoked="2026-05-14T00:00:00+00:00")
    entries = json.loads(s3_configuration(credentials, BUCKET))["identities"]
    (entry,) = (entry for entry in entries if entry["name"] == "ridge/")
    assert (entry["policyNames"], entry.get("actions", [])) == ([], [])
