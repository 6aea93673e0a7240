"""The certificate authority of a stack, and the certificates with which its servers identify themselves to each other.

keys/ca.pem, keys/ca.key      drawn at the first start; the authority is trusted by this stack alone
keys/NAME.pem, keys/NAME.key  one pair for each name in `CERTIFICATES`, for servers and clients; `network` only where
                              other machines reach the stack
keys/renewed/                 a complete new set, while `renew_certificates` puts it in place of the old one
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from uncia.errors import StackError
from uncia.infra.local.layout import private_folder, write_private
from uncia.storage.atomic_dir import atomic_directory
from uncia.storage.durable import sync_folder

__all__ = [
    "CERTIFICATES",
    "KAFKA",
    "KAFKA_ADMIN",
    "NETWORK",
    "SEAWEEDFS",
    "complete_renewal",
    "ensure_certificates",
    "keystore",
    "renew_certificates",
]

KAFKA, KAFKA_ADMIN, NETWORK, SEAWEEDFS = "kafka", "kafka-admin", "network", "seaweedfs"
CERTIFICATES = (SEAWEEDFS, KAFKA, KAFKA_ADMIN)
_RENEWED = "renewed"

_VALID_FROM, _VALID_UNTIL = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""All dates: a computer without a battery may have any date at its first start and another one later. A certificate is
withdrawn by removing its file, not by a date: nobody but this stack trusts its authority."""


def ensure_certificates(stack: Path, network_names: Sequence[str] = ()) -> None:
    """Draw what is missing: the authority, then the certificates, also those of an earlier authority.

    `network_names`: the names and addresses under which other machines reach the stack.

    Raises `StackError` when a file is damaged.
    """
    folder = stack / "keys"
    private_folder(folder)
    try:
        complete_renewal(stack)
        _ensure_in(folder, [_general_name(name) for name in network_names])
    except (ValueError, OSError) as error:
        raise _damaged(folder, error) from error


def renew_certificates(stack: Path) -> None:
    """Draw a new authority and new certificates, for the same names, in place of the old ones.

    They are complete before the first old file is replaced; `complete_renewal` finishes what a kill or a power cut
    interrupted after that. No server of the stack may run: each would have a certificate that the others refuse.

    Raises `StackError`; the old ones are then unchanged.
    """
    folder = stack / "keys"
    private_folder(folder)
    try:
        hosts = _network_hosts(folder)
        with atomic_directory(folder / _RENEWED) as renewed:
            _ensure_in(renewed, hosts)
        complete_renewal(stack)
    except (ValueError, OSError) as error:
        raise _damaged(folder, error) from error


def complete_renewal(stack: Path) -> None:
    """Put a complete new set of certificates in place of the old one, where there is one. Raises `OSError`."""
    folder = stack / "keys"
    renewed = folder / _RENEWED
    if not renewed.is_dir():
        return
    for path in renewed.iterdir():
        path.replace(folder / path.name)
    sync_folder(folder)
    renewed.rmdir()


def _damaged(folder: Path, error: Exception) -> StackError:
    return StackError(
        f"a certificate in {folder} is damaged ({error}): remove its files *.pem and *.key: `uncia up` draws new ones"
    )


def _ensure_in(folder: Path, hosts: Sequence[x509.GeneralName]) -> None:
    authority = _ensure_authority(folder)
    for name in CERTIFICATES:
        if not _is_issued(folder, name, authority.public):
            _issue(folder, name, authority, [])
    if hosts and not _is_issued(folder, NETWORK, authority.public, hosts):
        _issue(folder, NETWORK, authority, hosts)


def _network_hosts(folder: Path) -> list[x509.GeneralName]:
    """The names for other machines in the present certificate, which a running stack may have without a setting."""
    path = folder / f"{NETWORK}.pem"
    if not path.exists():
        return []
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name for name in names if name not in _own_names(NETWORK)]


def keystore(keys: Path, name: str) -> str:
    """The key and the certificate of a name in the folder `keys`, in one text (PEM), as Kafka reads them."""
    return "".join((keys / f"{name}.{kind}").read_text(encoding="ascii") for kind in ("key", "pem"))


class _Authority:
    def __init__(self, public: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.public, self.key = public, key


def _ensure_authority(folder: Path) -> _Authority:
    path = folder / "ca.pem"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("Uncia stack")
        certificate = (
            _builder(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        # The certificate last: without it the pair counts as missing, and is drawn again.
        write_private(folder / "ca.key", _pem(key))
        write_private(path, certificate.public_bytes(serialization.Encoding.PEM).decode())
    private = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    public = x509.load_pem_x509_certificate(path.read_bytes())
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != public.public_key():
        raise ValueError("ca.key and ca.pem do not belong together")
    return _Authority(public, private)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_issued(folder: Path, name: str, authority: x509.Certificate, hosts: Sequence[x509.GeneralName] = ()) -> bool:
    path = folder / f"{name}.pem"
    if not path.exists() or not (folder / f"{name}.key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(host in names for host in hosts)


def _issue(folder: Path, name: str, authority: _Authority, hosts: Sequence[x509.GeneralName]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [*_own_names(name), *hosts]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(_name(name), authority.public.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    (folder / f"{name}.pem").unlink(missing_ok=True)
    write_private(folder / f"{name}.key", _pem(key))
    write_private(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())


def _own_names(name: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_UNTIL)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
