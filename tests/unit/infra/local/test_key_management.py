"""Keys of a stack that is down: issued, rotated and revoked in its folder. `tests/stack` repeats it while it runs."""

import json
import shutil
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from uncia.errors import SettingsError, StackError
from uncia.identities import (
    OPERATOR,
    PART_IDENTITIES,
    STORE_ADMIN,
    Role,
    gateway_identity,
    identity_named,
    person_identity,
)
from uncia.infra.local import keys_command
from uncia.infra.local.credentials import Credential
from uncia.infra.local.key_management import gateway_environment, issue_gateway, revoke, rotate
from uncia.infra.local.keys_command import describe_rights
from uncia.infra.local.stack import Stack
from uncia.infra.local.store_access import s3_configuration, user_name
from uncia.settings import read_settings


def served(stack: Stack, name: str) -> dict[str, object]:
    """The entry of an identity in the store's file, as its next start writes it."""
    identity = identity_named(name)
    assert identity is not None
    document = json.loads(s3_configuration(stack.require_keys().credentials, "camera-uploads"))
    found: dict[str, object] = next(entry for entry in document["identities"] if entry["name"] == user_name(identity))
    return found


def credential(stack: Stack, name: str) -> Credential:
    return stack.require_keys().credentials[name]


def test_a_gateway_is_given_the_same_key_until_it_is_revoked(stack: Stack) -> None:
    first = issue_gateway(stack, "ridge")
    assert issue_gateway(stack, "ridge") == first
    revoke(stack, "gateway-ridge")
    second = issue_gateway(stack, "ridge")
    assert second.secret_key != first.secret_key
    assert not second.revoked


def test_a_revoked_key_stays_known_without_rights_and_with_a_secret_that_nobody_has(stack: Stack) -> None:
    issued = issue_gateway(stack, "ridge")
    revoke(stack, "gateway-ridge")
    entry = served(stack, "gateway-ridge")
    assert entry["policyNames"] == []
    assert entry["credentials"] == [
        {"accessKey": issued.access_key, "secretKey": credential(stack, "gateway-ridge").secret_key}
    ]
    assert credential(stack, "gateway-ridge").secret_key != issued.secret_key


def test_a_rotated_key_keeps_its_name_and_its_rights(stack: Stack) -> None:
    issued = issue_gateway(stack, "ridge")
    rotated = rotate(stack, "gateway-ridge")
    assert rotated.access_key == issued.access_key
    assert rotated.secret_key != issued.secret_key
    assert served(stack, "gateway-ridge")["policyNames"] == ["gateways"]


def test_a_rotated_key_of_the_operator_is_in_stack_env(stack: Stack) -> None:
    rotated = rotate(stack, OPERATOR.name)
    assert dotenv_values(stack.folder / "stack.env")["UNCIA_S3_SECRET_KEY"] == rotated.secret_key


@pytest.mark.parametrize("name", [PART_IDENTITIES["predict"].name, STORE_ADMIN.name])
def test_the_keys_of_parts_are_rotated(stack: Stack, name: str) -> None:
    before = credential(stack, name)
    after = rotate(stack, name)
    assert after.secret_key != before.secret_key
    assert after.kafka_password != before.kafka_password


def test_only_gateways_are_revoked(stack: Stack) -> None:
    with pytest.raises(StackError, match="is a part of the stack"):
        revoke(stack, "predict")


@pytest.mark.parametrize("change", [rotate, revoke])
def test_an_unknown_key_is_refused(stack: Stack, change: object) -> None:
    assert callable(change)
    with pytest.raises(StackError, match="there is no key 'gateway-nowhere'"):
        change(stack, "gateway-nowhere")


def test_a_station_that_stands_for_others_has_no_key(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="choose another name"):
        issue_gateway(stack, "*")


def test_the_sign_in_to_another_kafka_is_not_for_the_stacks_own(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("UNCIA_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("UNCIA_KAFKA_USERNAME", "ranger")
    monkeypatch.setenv("UNCIA_KAFKA_PASSWORD", "hunter2")
    own = stack.settings().kafka_sign_in
    assert (own.protocol, own.username) == ("SASL_SSL", OPERATOR.name)
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings().kafka_sign_in == own


def test_the_environment_of_a_gateway_has_its_key_and_none_of_the_operator(stack: Stack) -> None:
    variables = gateway_environment(stack, "ridge")
    own, operator = credential(stack, "gateway-ridge"), credential(stack, OPERATOR.name)
    assert variables["UNCIA_S3_SECRET_KEY"] == own.secret_key
    assert variables["UNCIA_TRITON_CONTROL_KEY"] == ""
    assert operator.secret_key not in variables.values()


def test_the_command_prints_the_settings_of_a_gateway_and_what_they_permit(stack: Stack) -> None:
    done = CliRunner().invoke(keys_command.app, ["issue", "gateway", "ridge"])
    assert done.exit_code == 0
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert lines["UNCIA_S3_SECRET_KEY"] == credential(stack, "gateway-ridge").secret_key
    assert lines["UNCIA_BUCKET"] == "camera-uploads"
    assert (
        "may store and read objects below ridge/ and status/ridge/; read objects below fetch/ridge/, and nothing else."
        in done.stderr
    )


def test_an_uploader_is_given_a_key_of_its_own_that_reads_nothing(stack: Stack) -> None:
    done = CliRunner().invoke(keys_command.app, ["issue", "uploader", "ridge", "--json"])
    assert done.exit_code == 0
    own = credential(stack, "uploader-ridge")
    assert json.loads(done.stdout)["UNCIA_S3_SECRET_KEY"] == own.secret_key
    assert issue_gateway(stack, "ridge").access_key != own.access_key
    assert served(stack, "uploader-ridge")["policyNames"] == ["uploaders"]
    assert "uploader-ridge may store objects below ridge/ and status/ridge/, and nothing else." in done.stderr
    rotated = CliRunner().invoke(keys_command.app, ["rotate", "uploader-ridge"])
    assert "`uncia keys issue uploader ridge` prints the new one" in rotated.stderr


def test_the_settings_of_a_gateway_are_written_to_a_file_for_the_owner_alone(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "ridge.env"
    done = CliRunner().invoke(keys_command.app, ["issue", "gateway", "ridge", "--output", str(file)])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert dotenv_values(file)["UNCIA_S3_SECRET_KEY"] == credential(stack, "gateway-ridge").secret_key


def test_the_list_shows_no_secret(stack: Stack) -> None:
    issue_gateway(stack, "ridge")
    revoke(stack, "gateway-ridge")
    done = CliRunner().invoke(keys_command.app, ["list", "--json"])
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == set(stack.require_keys().credentials)
    assert rows["gateway-ridge"]["revoked"]
    for entry in stack.require_keys().credentials.values():
        assert entry.secret_key not in done.stdout


def test_rights_are_described_in_words() -> None:
    assert describe_rights(PART_IDENTITIES["bursts"]) == "read 7 topics; write 5 topics"
    assert describe_rights(PART_IDENTITIES["crops"]) == (
        "read and list all objects; store and delete objects below crops/; read camera.burst.resolved.v1; write "
        "camera.crop.published.v1"
    )
    assert describe_rights(person_identity(Role.SUBSCRIBER, "office")) == "read 9 topics"
    assert describe_rights(gateway_identity("ridge")) == (
        "store and read objects below ridge/ and status/ridge/; read objects below fetch/ridge/"
    )
    assert describe_rights(PART_IDENTITIES["triton-keeper"]) == ("use Triton for inference; use Triton for control")


def test_a_stack_of_an_earlier_version_is_told_to_start_again(stack: Stack) -> None:
    file = stack.folder / "keys" / "operator.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"kafka_password": ""}), encoding="utf-8")
    with pytest.raises(StackError, match="earlier version started it: `uncia down`, then `uncia up`"):
        stack.settings()


def test_a_stack_without_keys_is_told_what_draws_them(stack: Stack) -> None:
    shutil.rmtree(stack.folder / "keys")
    with pytest.raises(StackError, match="`uncia down`, then `uncia up`"):
        stack.settings()
    with pytest.raises(StackError, match="there is no stack"):
        Stack(stack.folder / "elsewhere").require_keys()


def test_changes_of_keys_are_in_the_audit_log_without_secrets(stack: Stack) -> None:
    issue_gateway(stack, "ridge")
    issue_gateway(stack, "ridge")
    rotate(stack, "gateway-ridge")
    revoke(stack, "gateway-ridge")
    done = CliRunner().invoke(keys_command.app, ["audit", "--json"])
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(record["action"], record["what"]) for record in records] == [
        ("key_issued", "gateway-ridge"),
        ("key_rotated", "gateway-ridge"),
        ("key_revoked", "gateway-ridge"),
    ]
    shown = CliRunner().invoke(keys_command.app, ["audit", "--action", "key_revoked"]).stdout
    assert "key_revoked" in shown
    assert "key_issued" not in shown


def test_the_environment_of_a_part_has_its_own_keys(stack: Stack) -> None:
    done = CliRunner().invoke(keys_command.app, ["environment", "predict"])
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert lines["UNCIA_KAFKA_USERNAME"] == "predict"
    assert lines["UNCIA_S3_SECRET_KEY"] == credential(stack, "predict").secret_key
    assert CliRunner().invoke(keys_command.app, ["environment", "nobody"]).exit_code != 0
