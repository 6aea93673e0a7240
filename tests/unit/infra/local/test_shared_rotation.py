"""Keys of Triton and certificates of a stack that is down. `tests/stack` repeats it while it runs."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from dotenv import dotenv_values
from typer.testing import CliRunner

from uncia.errors import StackError
from uncia.identities import PART_IDENTITIES
from uncia.infra.local import keys_command
from uncia.infra.local.certificates import CERTIFICATES, NETWORK, ensure_certificates
from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.part_order import PART_NAMES
from uncia.infra.local.shared_rotation import CERTIFICATE_PARTS, TRITON_PARTS, rotate_certificates, rotate_triton
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import ensure_identity


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that was started once, for other machines too, and is down."""
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    ensure_identity(tmp_path, tmp_path / "gone")
    ensure_keys(tmp_path)
    ensure_certificates(tmp_path, ["traps.example.org", "192.0.2.7"])
    (tmp_path / "lock").touch()
    return Stack(tmp_path)


def certificate(stack: Stack, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((stack.folder / "keys" / f"{name}.pem").read_bytes())


def test_both_keys_of_triton_are_replaced_and_no_other(stack: Stack) -> None:
    before = stack.require_keys()
    assert rotate_triton(stack, pytest.fail) == ()
    after = stack.require_keys()
    assert after.internal.triton_inference != before.internal.triton_inference
    assert after.internal.triton_control != before.internal.triton_control
    assert after.internal.store_signing == before.internal.store_signing
    assert after.credentials == before.credentials
    stack_env = dotenv_values(stack.folder / "stack.env")
    assert stack_env["UNCIA_TRITON_CONTROL_KEY"] == after.internal.triton_control


def test_the_authority_and_all_its_certificates_are_replaced_for_the_same_names(stack: Stack) -> None:
    names = ("ca", *CERTIFICATES, NETWORK)
    before, keys = {name: certificate(stack, name) for name in names}, stack.require_keys()
    assert rotate_certificates(stack, pytest.fail) == ()
    for name in names:
        assert certificate(stack, name).public_key() != before[name].public_key()
        certificate(stack, name).verify_directly_issued_by(certificate(stack, "ca"))
    hosts = [
        entry.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for entry in (before[NETWORK], certificate(stack, NETWORK))
    ]
    assert hosts[0] == hosts[1]
    assert stack.require_keys().internal.store_signing != keys.internal.store_signing
    assert stack.require_keys().internal.triton_control == keys.internal.triton_control
    assert not (stack.folder / "keys" / "renewed").exists()


def test_a_renewal_that_was_interrupted_between_two_files_is_completed_by_the_next_start(stack: Stack) -> None:
    keys = stack.folder / "keys"
    rotate_certificates(stack, pytest.fail)
    complete = {path.name: path.read_bytes() for path in keys.glob("*.pem")} | {
        path.name: path.read_bytes() for path in keys.glob("*.key")
    }
    (keys / "renewed").mkdir()
    for name in sorted(complete)[1:]:
        (keys / name).rename(keys / "renewed" / name)
        (keys / name).write_text("old", encoding="ascii")
    ensure_certificates(stack.folder)
    assert {name: (keys / name).read_bytes() for name in complete} == complete
    assert not (keys / "renewed").exists()


def test_a_damaged_authority_is_named_and_nothing_is_replaced(stack: Stack) -> None:
    (stack.folder / "keys" / f"{NETWORK}.pem").write_text("damaged", encoding="ascii")
    before = (stack.folder / "keys" / "ca.pem").read_bytes()
    with pytest.raises(StackError, match="is damaged"):
        rotate_certificates(stack, pytest.fail)
    assert (stack.folder / "keys" / "ca.pem").read_bytes() == before


def test_every_part_with_a_right_at_triton_is_restarted_before_it_meets_other_keys() -> None:
    assert set(TRITON_PARTS) == {"triton"} | {name for name in PART_NAMES if holds_a_key_of_triton(name)}
    assert TRITON_PARTS[-1] == "triton"


def holds_a_key_of_triton(name: str) -> bool:
    return name in PART_IDENTITIES and bool(PART_IDENTITIES[name].triton)


def test_the_store_is_stopped_before_kafka_to_which_it_sends_notifications() -> None:
    assert CERTIFICATE_PARTS[-3:] == ("seaweedfs-network", "seaweedfs", "kafka")
    assert not {"triton", "triton-keeper", "mailroom"} & set(CERTIFICATE_PARTS)


@pytest.mark.parametrize("name", ["triton", "certificates"])
def test_the_command_says_what_it_restarted_and_the_audit_log_has_it(stack: Stack, name: str) -> None:
    done = CliRunner().invoke(keys_command.app, ["rotate", name])
    assert done.exit_code == 0
    assert done.stderr.startswith("No part that has them runs. The old ")
    shown = CliRunner().invoke(keys_command.app, ["audit", "--json"])
    assert [(record["action"], record["what"]) for record in map(json.loads, shown.stdout.splitlines())] == [
        ("key_rotated", name)
    ]
