"""The certificates of a stack: drawn once, private, accepted by TLS of its own authority alone."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from uncia.errors import StackError
from uncia.infra.local.certificates import CERTIFICATES, NETWORK, ensure_certificates


def contents(stack: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (stack / "keys").iterdir()}


def handshake(server: Path, client: Path) -> None:
    """Connect a client of one stack to a server of another, each with its own certificate. Raises `ssl.SSLError`."""
    contexts = []
    for folder, kind in ((server, ssl.PROTOCOL_TLS_SERVER), (client, ssl.PROTOCOL_TLS_CLIENT)):
        context = ssl.SSLContext(kind)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "keys" / "ca.pem")
        context.load_cert_chain(folder / "keys" / "seaweedfs.pem", folder / "keys" / "seaweedfs.key")
        contexts.append(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        contexts[1].wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        contexts[0].wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert all(end.getpeercert() for end in ends)


def test_certificates_are_kept_over_restarts(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    before = contents(tmp_path)
    assert set(before) == {f"{name}.{kind}" for name in ("ca", *CERTIFICATES) for kind in ("pem", "key")}
    ensure_certificates(tmp_path)
    assert contents(tmp_path) == before


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_the_parts_of_one_stack_accept_each_other(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    handshake(tmp_path, tmp_path)


def test_those_of_two_stacks_do_not(tmp_path: Path) -> None:
    ensure_certificates(tmp_path / "a")
    ensure_certificates(tmp_path / "b")
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path / "a", tmp_path / "b")


def test_they_are_valid_whatever_date_the_machine_has(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    certificate = x509.load_pem_x509_certificate((tmp_path / "keys" / "seaweedfs.pem").read_bytes())
    assert certificate.not_valid_before_utc.year == 1970
    assert certificate.not_valid_after_utc.year == 2200


def test_the_one_for_other_machines_names_the_address_that_they_use(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, ("traps.example.org", "192.0.2.7"))
    first = alternative_names(tmp_path)
    ensure_certificates(tmp_path, ("198.51.100.1",))
    assert {"traps.example.org", "192.0.2.7"} <= first
    assert "198.51.100.1" in alternative_names(tmp_path)


def alternative_names(stack: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate((stack / "keys" / f"{NETWORK}.pem").read_bytes())
    return {
        str(name.value) for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    }


@pytest.mark.parametrize("missing", ["ca.pem", "seaweedfs.pem", "seaweedfs.key"])
def test_what_an_interrupted_start_left_out_is_drawn_again(tmp_path: Path, missing: str) -> None:
    ensure_certificates(tmp_path)
    (tmp_path / "keys" / missing).unlink()
    ensure_certificates(tmp_path)
    handshake(tmp_path, tmp_path)


def test_a_damaged_file_is_reported_with_the_remedy(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    (tmp_path / "keys" / "ca.key").write_text("damaged", encoding="utf-8")
    with pytest.raises(StackError, match=r"is damaged .* remove its files"):
        ensure_certificates(tmp_path)
