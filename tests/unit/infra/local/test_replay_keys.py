"""Keys of a replay in the folder of a stack that is down. `tests/stack` repeats it while it runs."""

import json

from uncia.identities import replay_identity
from uncia.infra.local.keys_command import describe_rights
from uncia.infra.local.replay_keys import StackReplayKeys
from uncia.infra.local.stack import Stack
from uncia.infra.local.store_access import s3_configuration
from uncia.replay_keys import issue_keys, revoke_keys


def test_the_settings_of_a_stack_name_its_issuer(stack: Stack) -> None:
    variables = issue_keys("june", stack.settings())
    assert variables == StackReplayKeys().issue("june", stack.settings())
    assert variables["UNCIA_KAFKA_USERNAME"] == "replay-june"
    assert variables["UNCIA_S3_ACCESS_KEY"] == stack.require_keys().credentials["replay-june"].access_key
    assert variables["UNCIA_TRITON_INFERENCE_KEY"]
    assert variables["UNCIA_TRITON_CONTROL_KEY"] == ""


def test_a_dropped_replay_has_no_valid_key_and_a_new_one_of_its_name_another(stack: Stack) -> None:
    first = issue_keys("june", stack.settings())
    revoke_keys("june", stack.settings())
    assert stack.require_keys().credentials["replay-june"].revoked
    second = issue_keys("june", stack.settings())
    assert second["UNCIA_KAFKA_PASSWORD"] != first["UNCIA_KAFKA_PASSWORD"]


def test_a_replay_on_another_broker_has_none_of_this_stack(stack: Stack) -> None:
    elsewhere = stack.settings().model_copy(update={"kafka": "kafka.example.org:9093"})
    assert issue_keys("june", elsewhere) == {}
    assert "replay-june" not in stack.require_keys().credentials


def test_a_replay_without_keys_is_dropped_as_well(stack: Stack) -> None:
    revoke_keys("older", stack.settings())
    assert "replay-older" not in stack.require_keys().credentials


def test_the_store_lets_it_read_alone_by_a_policy_that_is_there_before_the_first_replay(stack: Stack) -> None:
    def document() -> dict[str, list[dict[str, object]]]:
        return dict(json.loads(s3_configuration(stack.require_keys().credentials, "camera-uploads")))

    before = {policy["name"]: policy["content"] for policy in document()["policies"]}
    StackReplayKeys().issue("june", stack.settings())
    assert {policy["name"]: policy["content"] for policy in document()["policies"]} == before
    entry = next(entry for entry in document()["identities"] if entry["name"] == "uncia/replay-june")
    assert entry["policyNames"] == ["replays"]
    assert not {"s3:PutObject", "s3:DeleteObject"} & set(str(before["replays"]).split('"'))


def test_its_rights_are_described_in_words() -> None:
    assert describe_rights(replay_identity("june")) == (
        "read and list all objects; use Triton for inference; use the topics of the replay june"
    )
