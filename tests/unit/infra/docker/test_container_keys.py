"""The service `keys`: each container gets its own keys, and those of no other; they stay the same over starts."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.access import TritonRight
from uncia.identities import OPERATOR, PART_IDENTITIES, gateway_identity
from uncia.infra.docker.container_files import SERVICES_WITH_SETTINGS, VOLUMES
from uncia.infra.docker.keys import app
from uncia.infra.local.credentials import StackKeys, read_keys
from uncia.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from the environment of the test run."""
    for field in Settings.model_fields:
        monkeypatch.delenv(f"UNCIA_{field.upper()}", raising=False)
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path / "no stack"))


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [arguments[0], *arguments[1:], "--folder", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    run(tmp_path, "draw")
    return tmp_path


def keys_in(folder: Path) -> StackKeys:
    keys = read_keys(folder / "own")
    assert keys is not None
    return keys


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_service_has_a_folder_that_only_its_owner_can_read(drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == {"own", *VOLUMES}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in drawn.rglob("*") if path.is_file()}
    assert modes == {0o600}


@pytest.mark.parametrize("name", sorted(set(SERVICES_WITH_SETTINGS) - {"buckets", "models"}))
def test_a_worker_has_its_own_secrets_and_those_of_no_other_identity(drawn: Path, name: str) -> None:
    found, keys = "\n".join(contents(drawn / name).values()), keys_in(drawn)
    for other, credential in keys.credentials.items():
        uses = PART_IDENTITIES[name]
        assert (credential.kafka_password in found) == (other == name and uses.uses_kafka), other
        assert (credential.secret_key in found) == (other == name and bool(uses.store)), other
    assert keys.internal.store_signing not in found
    assert (keys.internal.triton_inference in found) == (TritonRight.INFERENCE in SERVICES_WITH_SETTINGS[name].triton)
    assert keys.internal.triton_control not in found


@pytest.mark.parametrize("name", sorted(SERVICES_WITH_SETTINGS))
def test_no_private_key_of_a_certificate_is_given_to_our_own_containers(drawn: Path, name: str) -> None:
    assert "PRIVATE KEY" not in "\n".join(contents(drawn / name).values())


@pytest.mark.parametrize("name", ["kafka", "seaweedfs", "triton", *sorted(SERVICES_WITH_SETTINGS)])
def test_the_key_of_the_authority_is_given_to_no_container(drawn: Path, name: str) -> None:
    authority = (drawn / "own" / "keys" / "ca.key").read_text(encoding="ascii")
    assert authority not in "\n".join(contents(drawn / name).values())


def test_a_worker_reads_its_settings_from_its_folder(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = keys_in(drawn).credentials["predict"]
    folder = drawn / "predict"
    monkeypatch.setenv("UNCIA_SECRETS_DIR", str(folder))
    # The file names the path in the container.
    assert contents(folder)["UNCIA_KAFKA_CAFILE"] == "/run/uncia/ca.pem\n"
    monkeypatch.setenv("UNCIA_KAFKA_CAFILE", str(folder / "ca.pem"))
    found = read_settings()
    assert found.kafka_username == "predict"
    assert found.kafka_security_protocol == "SASL_SSL"
    assert found.kafka_password is not None and found.kafka_password.get_secret_value() == keys.kafka_password
    assert found.s3_access_key == keys.access_key


def test_a_second_start_changes_no_file(drawn: Path) -> None:
    before = {path: path.read_bytes() for path in drawn.rglob("*") if path.is_file()}
    run(drawn, "draw")
    assert {path: path.read_bytes() for path in drawn.rglob("*") if path.is_file()} == before


def test_a_file_that_a_service_no_longer_needs_is_removed(drawn: Path) -> None:
    (drawn / "bursts" / "UNCIA_S3_SECRET_KEY").write_text("of an earlier version", encoding="utf-8")
    run(drawn, "draw")
    assert "UNCIA_S3_SECRET_KEY" not in contents(drawn / "bursts")


def test_the_store_knows_each_identity_with_its_own_policy(drawn: Path) -> None:
    found = json.loads(contents(drawn / "seaweedfs")["s3_identities.json"])
    users = {identity["name"]: identity for identity in found["identities"]}
    assert users["uncia/predict"]["policyNames"] == ["predict"]
    assert users["uncia/store-admin"]["actions"] == ["Admin"]


def test_the_store_signs_in_to_kafka_as_itself(drawn: Path) -> None:
    found = tomllib.loads(contents(drawn / "seaweedfs")["notification.toml"])["notification"]["kafka"]
    assert found["sasl_username"] == "object-store"
    assert found["sasl_password"] == keys_in(drawn).credentials["object-store"].kafka_password
    assert found["tls_enabled"] is True


def test_kafka_has_no_listener_without_sign_in(drawn: Path) -> None:
    text = contents(drawn / "kafka")["server.properties"]
    assert "listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL,NETWORK:SASL_SSL\n" in text
    assert "listener.name.internal.ssl.client.auth=required\n" in text
    assert "StandardAuthorizer" in text
    assert "PLAINTEXT" not in text
    assert "log.flush.interval.messages=1\n" in text


def test_kafka_advertises_the_port_of_this_machine(tmp_path: Path) -> None:
    run(tmp_path, "draw", "--kafka-port", "12345")
    assert "NETWORK://127.0.0.1:12345\n" in contents(tmp_path / "kafka")["server.properties"]


def test_the_operators_environment_connects_from_this_machine(drawn: Path) -> None:
    lines = run(drawn, "environment", "--kafka-port", "12345", "--s3-port", "23456", "--cafile", "/home/ca.pem")
    found = dict(line.split("=", 1) for line in lines.splitlines())
    assert found["UNCIA_KAFKA"] == "127.0.0.1:12345"
    assert found["UNCIA_KAFKA_USERNAME"] == OPERATOR.name
    assert found["UNCIA_KAFKA_CAFILE"] == "/home/ca.pem"
    assert found["UNCIA_S3_ENDPOINT"] == "http://127.0.0.1:23456"
    assert found["UNCIA_S3_ACCESS_KEY"] == keys_in(drawn).credentials[OPERATOR.name].access_key


def test_the_key_of_a_gateway_is_drawn_when_it_is_shown_and_known_to_the_store(drawn: Path) -> None:
    name = gateway_identity("ridge").name
    lines = run(drawn, "environment", name)
    secret = keys_in(drawn).credentials[name].secret_key
    assert f"UNCIA_S3_SECRET_KEY={secret}" in lines
    assert "UNCIA_KAFKA_USERNAME" not in lines
    assert secret in contents(drawn / "seaweedfs")["s3_identities.json"]


def test_a_revoked_key_is_not_shown_and_has_no_rights(drawn: Path) -> None:
    name = gateway_identity("ridge").name
    run(drawn, "environment", name)
    old = keys_in(drawn).credentials[name].secret_key
    run(drawn, "revoke", name)
    text = contents(drawn / "seaweedfs")["s3_identities.json"]
    assert old not in text
    users = {identity["name"]: identity for identity in json.loads(text)["identities"]}
    assert users["ridge"]["policyNames"] == []
    result = CliRunner().invoke(app, ["environment", name, "--folder", str(drawn)])
    assert "is revoked" in str(result.exception)


def test_a_rotated_key_is_given_to_the_worker_and_the_store(drawn: Path) -> None:
    old = keys_in(drawn).credentials["crops"]
    run(drawn, "rotate", "crops")
    new = keys_in(drawn).credentials["crops"]
    assert new.secret_key != old.secret_key
    assert contents(drawn / "crops")["UNCIA_S3_SECRET_KEY"].strip() == new.secret_key
    assert new.secret_key in contents(drawn / "seaweedfs")["s3_identities.json"]
    assert old.secret_key not in contents(drawn / "seaweedfs")["s3_identities.json"]


@pytest.mark.parametrize("name", ["predict", "operator", "store-admin"])
def test_a_part_of_the_system_cannot_be_revoked(drawn: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["revoke", name, "--folder", str(drawn)])
    assert "is a part of the system" in str(result.exception)


def test_a_name_that_no_identity_has_is_refused(drawn: Path) -> None:
    result = CliRunner().invoke(app, ["environment", "nobody", "--folder", str(drawn)])
    assert "no identity is named 'nobody'" in str(result.exception)


def test_before_the_first_start_there_are_no_keys_to_show(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["environment", "--folder", str(tmp_path)])
    assert "there are no keys yet" in str(result.exception)
