"""Positions that only the holder of a private key can read, bound to one photograph of one camera.

A gateway that removes the position from a photograph seals it to the operator's public key, and stores it with the
object. X25519 with a key pair per message, HKDF-SHA256, and ChaCha20-Poly1305, as in HPKE (RFC 9180) but with a text
format of our own. The camera and the hash of the uploaded bytes are authenticated: a sealed position that is
moved to another object does not open there. It is no signature: a client that may store objects can seal another
position to the public key.

Needs the package `cryptography`, which the base installation lacks; it is imported when a key is used.
"""

import base64
import binascii
import json

from uncia.errors import SettingsError, UnciaError, how_to_install

__all__ = [
    "METADATA_NAME",
    "PositionNotOpened",
    "PositionPrivateKey",
    "PositionPublicKey",
]

METADATA_NAME = "uncia-sealed-position"
"""Of the object: `x-amz-meta-uncia-sealed-position`."""

_PUBLIC, _PRIVATE, _SEALED = "uncia-position-public-", "uncia-position-private-", "v1."
_INFO = b"uncia sealed position v1"
_KEY_BYTES = 32
_PAD_TO = 128
"""Lengths are multiples of this, so that they do not tell which properties there were."""
_MAX_BYTES = 1280
"""Of the padded text: S3 allows 2 KB of metadata for an object."""


class PositionNotOpened(UnciaError):
    """The sealed position is damaged, was sealed to another key, or belongs to another photograph."""


class PositionPublicKey:
    """Seals positions. The text form is no secret."""

    def __init__(self, text: str) -> None:
        """Raises `SettingsError` for a text that is no public key, and where `cryptography` is not installed."""
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        self._raw = _decoded(text, _PUBLIC, "UNCIA_POSITION_KEY is not a public key of `uncia keys position-pair`")
        self._key = X25519PublicKey.from_public_bytes(self._raw)

    def seal(self, position: dict[str, float | str], *, camera: str, sha256: str) -> str:
        """The position as ASCII text of at most 1.8 KB. `sha256` is that of the bytes that are stored."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        plain = json.dumps(position, separators=(",", ":")).encode()
        if len(plain) > _MAX_BYTES:
            kept = {name: position[name] for name in ("latitude", "longitude", "altitude_m") if name in position}
            plain = json.dumps(kept, separators=(",", ":")).encode()
        plain += b" " * (-len(plain) % _PAD_TO)
        own = X25519PrivateKey.generate()
        sent = own.public_key().public_bytes_raw()
        key = _message_key(own.exchange(self._key), sent, self._raw)
        # The key serves this one message, so that the nonce may be constant.
        sealed = ChaCha20Poly1305(key).encrypt(bytes(12), plain, _bound_to(camera, sha256))
        return _SEALED + base64.urlsafe_b64encode(sent + sealed).decode()


class PositionPrivateKey:
    """Opens sealed positions."""

    def __init__(self, text: str) -> None:
        """Raises `SettingsError` for a text that is no private key, and where `cryptography` is not installed."""
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        raw = _decoded(text, _PRIVATE, "this is not a private key of `uncia keys position-pair`")
        self._key = X25519PrivateKey.from_private_bytes(raw)

    @classmethod
    def generate(cls) -> "PositionPrivateKey":
        """A new key."""
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return cls(_PRIVATE + base64.urlsafe_b64encode(X25519PrivateKey.generate().private_bytes_raw()).decode())

    @property
    def text(self) -> str:
        """The secret form, for a file that its owner alone can read."""
        return _PRIVATE + base64.urlsafe_b64encode(self._key.private_bytes_raw()).decode()

    @property
    def public_text(self) -> str:
        """The public key, for `UNCIA_POSITION_KEY` of the gateways."""
        return _PUBLIC + base64.urlsafe_b64encode(self._key.public_key().public_bytes_raw()).decode()

    def open(self, sealed: str, *, camera: str, sha256: str) -> dict[str, float | str]:
        """The position. Raises `PositionNotOpened`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            if not sealed.startswith(_SEALED):
                raise ValueError
            raw = base64.b64decode(sealed.removeprefix(_SEALED).encode("ascii"), altchars=b"-_", validate=True)
            sent = raw[:_KEY_BYTES]
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(sent))
            key = _message_key(shared, sent, self._key.public_key().public_bytes_raw())
            plain = ChaCha20Poly1305(key).decrypt(bytes(12), raw[_KEY_BYTES:], _bound_to(camera, sha256))
            position = json.loads(plain)
        except (ValueError, InvalidTag) as error:
            raise PositionNotOpened(
                "the sealed position does not open: it is damaged, was sealed to another key, or belongs to another "
                "photograph or camera"
            ) from error
        return {str(name): value for name, value in position.items()} if isinstance(position, dict) else {}


def _message_key(shared: bytes, sent: bytes, recipient: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_INFO + sent + recipient).derive(shared)


def _bound_to(camera: str, sha256: str) -> bytes:
    return f"{camera}\0{sha256}".encode(errors="surrogatepass")


def _decoded(text: str, prefix: str, problem: str) -> bytes:
    try:
        text = text.strip()
        raw = base64.b64decode(text.removeprefix(prefix).encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not text.startswith(prefix) or len(raw) != _KEY_BYTES:
        raise SettingsError(problem)
    return raw


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"sealing positions needs the package `cryptography`: {how_to_install('sealed')}"
        ) from error
