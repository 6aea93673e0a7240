"""Secrets of cameras: drawn at random, shown once, and stored only as hashes."""

import base64
import hashlib
import hmac
import secrets

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters that look alike: secrets are typed on the keys of a camera."""

_SECRET_LENGTH = 16
"""79 bits. Many cameras accept no password of more than 16 characters."""

_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
"""The parameters of scrypt: about 40 ms and 16 MiB for one hash on a small board."""


def draw_secret() -> str:
    """A new secret of lower-case letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LENGTH))


def hash_password(password: str) -> str:
    """The scrypt hash of a password with a new salt, and its parameters, as one line of text."""
    salt = secrets.token_bytes(16)
    parameters = f"{_COST},{_BLOCK},{_PARALLEL}"
    return f"scrypt${parameters}${_text(salt)}${_text(_scrypt(password, salt, _COST, _BLOCK, _PARALLEL))}"


def is_password(password: str, hashed: str) -> bool:
    """Whether this is the password with this hash. False for text that `hash_password` did not write."""
    try:
        method, parameters, salt, wanted = hashed.split("$")
        cost, block, parallel = map(int, parameters.split(","))
        if method != "scrypt":
            return False
        found = _scrypt(password, base64.b64decode(salt), cost, block, parallel)
    except ValueError:
        return False
    return hmac.compare_digest(found, base64.b64decode(wanted))


def hash_address(local_part: str) -> str:
    """The hash of the local part of a mail address. SHA-256 suffices: it is drawn at random, so cannot be guessed."""
    return hashlib.sha256(local_part.strip().lower().encode()).hexdigest()


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    memory = 2 * 128 * cost * block
    return hashlib.scrypt(
        password.encode(errors="replace"), salt=salt, n=cost, r=block, p=parallel, maxmem=memory, dklen=32
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
