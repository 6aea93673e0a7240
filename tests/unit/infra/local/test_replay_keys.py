"""Keys of a replay and a shadow in the folder of a stack that is down. `tests/stack` repeats it while it runs."""

import json

import pytest

from uncia.errors import SettingsError
from uncia.identities import replay_identity, shadow_identity
from uncia.infra.local.keys_command import describe_rights
from uncia.infra.local.replay_keys import StackReplayKeys
from uncia.infra.local.stack import Stack
from uncia.infra.local.store_access import s3_configuration
from uncia.replay_keys import issue_keys, revoke_keys


def test_the_settings_of_a_stack_name_its_issuer(stack: Stack) -> None:
    variables = issue_keys("replay-june", stack.settings())
    assert variables == StackReplayKeys().issue("replay-june", stack.settings())
    assert variables["UNCIA_KAFKA_USERNAME"] == "replay-june"
    assert variables["UNCIA_S3_ACCESS_KEY"] == stack.require_keys().credentials["replay-june"].access_key
    assert variables["UNCIA_TRITON_INFERENCE_KEY"]
    assert variables["UNCIA_TRITON_CONTROL_KEY"] == ""


def test_a_dropped_replay_has_no_valid_key_and_a_new_one_of_its_name_another(stack: Stack) -> None:
    first = issue_keys("replay-june", stack.settings())
    revoke_keys("replay-june", stack.settings())
    assert stack.require_keys().credentials["replay-june"].revoked
    second = issue_keys("replay-june", stack.settings())
    assert second["UNCIA_KAFKA_PASSWORD"] != first["UNCIA_KAFKA_PASSWORD"]


def test_a_replay_on_another_broker_has_none_of_this_stack(stack: Stack) -> None:
    elsewhere = stack.settings().model_copy(update={"kafka": "kafka.example.org:9093"})
    assert issue_keys("replay-june", elsewhere) == {}
    assert "replay-june" not in stack.require_keys().credentials


def test_a_replay_without_keys_is_dropped_as_well(stack: Stack) -> None:
    revoke_keys("replay-older", stack.settings())
    assert "replay-older" not in stack.require_keys().credentials


def test_the_store_lets_it_read_alone_by_a_policy_that_is_there_before_the_first_replay(stack: Stack) -> None:
    def document() -> dict[str, list[dict[str, object]]]:
        return dict(json.loads(s3_configuration(stack.require_keys().credentials, "camera-uploads")))

    before = {policy["name"]: policy["content"] for policy in document()["policies"]}
    StackReplayKeys().issue("replay-june", stack.settings())
    assert {policy["name"]: policy["content"] for policy in document()["policies"]} == before
    entry = next(entry for entry in document()["identities"] if entry["name"] == "uncia/replay-june")
    assert entry["policyNames"] == ["replays"]
    assert not {"s3:PutObject", "s3:DeleteObject"} & set(str(before["replays"]).split('"'))


def test_a_shadow_has_a_key_of_its_own_until_it_is_dropped(stack: Stack) -> None:
    name = "shadow-species-classifier-v2"
    variables = issue_keys(name, stack.settings())
    assert variables["UNCIA_KAFKA_USERNAME"] == name
    assert variables["UNCIA_TRITON_CONTROL_KEY"] == ""
    entries = json.loads(s3_configuration(stack.require_keys().credentials, "camera-uploads"))["identities"]
    assert next(entry for entry in entries if entry["name"] == f"uncia/{name}")["policyNames"] == ["shadows"]
    revoke_keys(name, stack.settings())
    assert stack.require_keys().credentials[name].revoked


@pytest.mark.parametrize("name", ["predict", "operator", "gateway-ridge", "june"])
def test_nobody_else_gets_a_key_this_way(stack: Stack, name: str) -> None:
    with pytest.raises(SettingsError, match="not the name of a replay or a shadow"):
        issue_keys(name, stack.settings())


def test_its_rights_are_described_in_words() -> None:
    assert describe_rights(replay_identity("june")) == (
        "read and list all objects; use Triton for inference; use the topics of the replay june"
    )
    assert describe_rights(shadow_identity("species-classifier-v2")) == (
        "read and list all objects; use Triton for inference; read 2 topics; "
        "use the topics of the shadow species-classifier-v2"
    )
