"""Keys are drawn once, kept, readable by their owner only, and given to nobody else."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from uncia.access import TritonRight
from uncia.errors import StackError
from uncia.identities import OPERATOR, PART_IDENTITIES, STORE_ADMIN, Identity, gateway_identity
from uncia.infra.local.credentials import ALWAYS_DRAWN, NO_KAFKA, StackKeys, ensure_keys, read_keys


def secrets_of(keys: StackKeys) -> set[str]:
    internal = keys.internal
    drawn = {internal.store_signing, internal.triton_inference, internal.triton_control}
    for credential in keys.credentials.values():
        drawn |= {credential.access_key, credential.secret_key, credential.kafka_password}
    return drawn


def test_every_identity_has_keys_of_its_own(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    assert set(keys.credentials) == {identity.name for identity in ALWAYS_DRAWN}
    assert len(secrets_of(keys)) == 3 + 3 * len(keys.credentials)


def test_keys_are_kept_over_restarts(tmp_path: Path) -> None:
    assert ensure_keys(tmp_path) == ensure_keys(tmp_path) == read_keys(tmp_path)


def test_two_stacks_share_no_key(tmp_path: Path) -> None:
    assert secrets_of(ensure_keys(tmp_path / "a")).isdisjoint(secrets_of(ensure_keys(tmp_path / "b")))


def test_only_the_owner_reads_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    ensure_keys(tmp_path)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_an_interrupted_first_start_is_completed_by_the_next(tmp_path: Path) -> None:
    first = ensure_keys(tmp_path)
    (tmp_path / "keys" / "internal.json").unlink()
    (tmp_path / "keys" / "predict.json").unlink()
    assert read_keys(tmp_path) is None
    second = ensure_keys(tmp_path)
    assert second.credentials["predict"] != first.credentials["predict"]
    assert second.credentials["operator"] == first.credentials["operator"]


def test_a_gateway_has_keys_when_they_are_issued(tmp_path: Path) -> None:
    gateway = gateway_identity("ridge")
    assert gateway.name not in ensure_keys(tmp_path).credentials
    issued = ensure_keys(tmp_path, [gateway]).credentials[gateway.name]
    assert ensure_keys(tmp_path).credentials[gateway.name] == issued


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    (tmp_path / "keys" / "predict.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StackError, match=r"predict\.json is damaged .* remove it"):
        read_keys(tmp_path)


def test_keys_of_an_earlier_version_get_a_password_for_the_broker_and_stay_the_same_otherwise(tmp_path: Path) -> None:
    first = ensure_keys(tmp_path).credentials["predict"]
    file = tmp_path / "keys" / "predict.json"
    earlier = json.loads(file.read_text(encoding="utf-8"))
    del earlier["kafka_password"]
    file.write_text(json.dumps(earlier), encoding="utf-8")
    completed = ensure_keys(tmp_path).credentials["predict"]
    assert completed.kafka_password
    assert replace(completed, kafka_password=first.kafka_password) == first


def test_a_folder_without_a_stack_has_no_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path) is None


@pytest.mark.parametrize("identity", [*PART_IDENTITIES.values(), OPERATOR, STORE_ADMIN], ids=lambda one: one.name)
def test_the_environment_of_a_process_has_its_own_keys_and_overrides_all_others(
    tmp_path: Path, identity: Identity
) -> None:
    keys = ensure_keys(tmp_path)
    variables = keys.environment(identity)
    # All are set, also to nothing: what is unset is read from stack.env, with the operator's keys.
    assert set(variables) == {
        *NO_KAFKA,
        "UNCIA_S3_ACCESS_KEY",
        "UNCIA_S3_SECRET_KEY",
        "UNCIA_TRITON_INFERENCE_KEY",
        "UNCIA_TRITON_CONTROL_KEY",
    }
    own = keys.credentials[identity.name]
    assert variables["UNCIA_S3_SECRET_KEY"] == (own.secret_key if identity.store else "")
    assert variables["UNCIA_S3_ACCESS_KEY"] == (own.access_key if identity.store else "")
    assert variables["UNCIA_KAFKA_USERNAME"] == (identity.name if identity.uses_kafka else "")
    assert variables["UNCIA_KAFKA_PASSWORD"] == (own.kafka_password if identity.uses_kafka else "")
    assert bool(variables["UNCIA_TRITON_INFERENCE_KEY"]) == (TritonRight.INFERENCE in identity.triton)
    assert bool(variables["UNCIA_TRITON_CONTROL_KEY"]) == (TritonRight.CONTROL in identity.triton)
