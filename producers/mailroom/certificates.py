"""The certificate that the mailroom shows to cameras: a given one, or one that it issues to itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from uncia.errors import SettingsError
from uncia.producers.mailroom.config import MailroomConfig
from uncia.storage.durable import write_durably

__all__ = ["find_certificate"]

_VALIDITY = timedelta(days=3650)
"""Cameras hang in the field for years, and few of them check the date."""


def find_certificate(config: MailroomConfig) -> tuple[Path, Path]:
    """The files with the certificate and its key. Without a given one, a self-signed one is made at the first start.

    A self-signed certificate encrypts, and does not prove the name of the server: most cameras check neither. Raises
    `SettingsError` where a given file does not exist, `OSError` where the new one cannot be written.
    """
    if config.certfile is not None:
        files = config.certfile, config.keyfile or config.certfile
        for file in files:
            if not file.is_file():
                raise SettingsError(f"UNCIA_MAILROOM_CERTFILE, UNCIA_MAILROOM_KEYFILE: {file} does not exist")
        return files
    certfile, keyfile = config.root / "certificate.pem", config.root / "certificate.key"
    if not (certfile.exists() and keyfile.exists()):
        _issue(certfile, keyfile)
    return certfile, keyfile


def _issue(certfile: Path, keyfile: Path) -> None:
    # RSA: the TLS of small modems often knows no elliptic curves for signatures.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Uncia mailroom")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALIDITY)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_durably(keyfile, private.decode("ascii"), mode=0o600)
    write_durably(certfile, certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"))
